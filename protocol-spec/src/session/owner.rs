//! The instance of a client that owns a session, and the rules of take-overs.
//!
//! Spec: 03-opening, "Instances".

use super::{AttachError, Attachment};
use crate::Take;

/// The instance of the client that owns a session: part of the session, so it moves along when
/// another process takes the session over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// The instance that attached last; `None` before the first attachment.
    pub owner: Option<u64>,
    /// The last take-over, if there was one.
    pub taken: Option<Box<Taken>>,
}

/// How the present owner took the session over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The instance that it continues; `None` once the owner has proved that it received its
    /// welcome.
    pub from: Option<u64>,
    /// The number of the last packet that it took over from earlier instances.
    pub last: u64,
}

impl Ownership {
    /// True if the attach counter decides about the attachment.
    pub(super) fn is_of_owner(&self, attachment: &Attachment) -> bool {
        self.owner.map_or_else(|| attachment.take.is_none(), |owner| owner == attachment.instance)
    }

    /// True if the instance may take the session over from its owner. An owner that took the
    /// session over and has sent nothing since may have ended before its welcome: another instance
    /// that continues the same one, and began later, replaces it.
    pub(super) fn may_pass(&self, attachment: &Attachment, counter: u64) -> bool {
        let Some(take) = attachment.take else { return false };
        let unproven = self.taken.as_ref().and_then(|taken| taken.from);
        self.owner.is_none_or(|owner| owner == take.from)
            || (unproven == Some(take.from) && attachment.counter > counter)
    }

    /// Records an accepted attachment. Returns true if the owner has changed.
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

    /// The owner has sent a packet that proves that it received its welcome.
    pub(super) fn prove(&mut self) {
        if let Some(taken) = &mut self.taken {
            taken.from = None;
        }
    }

    /// Returns an error for an instance that does not own the session.
    pub(super) fn check(&self, instance: u64) -> Result<(), AttachError> {
        match self.owner {
            Some(owner) if owner != instance => Err(AttachError::Taken { last: self.last() }),
            _ => Ok(()),
        }
    }

    /// The number of the last packet that the owner took over from earlier instances.
    pub(super) fn last(&self) -> u64 {
        self.taken.as_ref().map_or(0, |taken| taken.last)
    }
}
