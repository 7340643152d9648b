//! Which instance of a client a session belongs to, and when it goes over to another one.
//!
//! Spec: 03-opening, "Instances".

use super::{AttachError, Attachment};
use crate::Take;

/// To which instance of its client a session belongs: a part of the session, so it travels with one that is handed
/// over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// The instance that attached last; `None` before the first attachment.
    pub owner: Option<u64>,
    /// The last take-over, if there was one.
    pub taken: Option<Box<Taken>>,
}

/// How the present owner came to the session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The instance that it continues; `None` once the owner has shown that it was welcomed.
    pub from: Option<u64>,
    /// The number of the last packet that it had of the instances before.
    pub last: u64,
}

impl Ownership {
    /// True if the attachment goes by the attach counter.
    pub(super) fn is_of_owner(&self, attachment: &Attachment) -> bool {
        self.owner.map_or_else(|| attachment.take.is_none(), |owner| owner == attachment.instance)
    }

    /// True if the instance continues the one that has the session. One that has taken it and not spoken since may
    /// have died before it was welcomed: another one that continues the same instance, and began later, takes its place.
    pub(super) fn may_pass(&self, attachment: &Attachment, counter: u64) -> bool {
        let Some(take) = attachment.take else { return false };
        let unproven = self.taken.as_ref().and_then(|taken| taken.from);
        self.owner.is_none_or(|owner| owner == take.from)
            || (unproven == Some(take.from) && attachment.counter > counter)
    }

    /// The attachment was accepted. True if the session has another owner now.
    pub(super) fn pass(&mut self, attachment: &Attachment) -> bool {
        let passes = !self.is_of_owner(attachment);
        match attachment.take {
            None => self.prove(),
            Some(Take { from, kept, .. }) if passes => {
                self.taken = Some(Box::new(Taken { from: Some(from), last: kept }));
            }
            Some(_) => {}
        }
        self.owner = Some(attachment.instance);
        passes
    }

    /// The owner has said something that shows that it was welcomed.
    pub(super) fn prove(&mut self) {
        if let Some(taken) = &mut self.taken {
            taken.from = None;
        }
    }

    /// An error for an instance that the session does not belong to.
    pub(super) fn check(&self, instance: u64) -> Result<(), AttachError> {
        match self.owner {
            Some(owner) if owner != instance => Err(AttachError::Taken { last: self.last() }),
            _ => Ok(()),
        }
    }

    /// The number of the last packet that the owner had of the instances before.
    pub(super) fn last(&self) -> u64 {
        self.taken.as_ref().map_or(0, |taken| taken.last)
    }
}
