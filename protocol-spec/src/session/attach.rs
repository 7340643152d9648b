//! Carriers: which one serves the session, and whether another one may.
//!
//! Spec: 05-delivery-and-resume, "Attach and resume".

use super::{AttachError, Attachment, CarrierGone, CarrierId, Session};
use crate::{Form, Time};

impl<F: Form> Session<F> {
    /// Attaches a carrier, which becomes the current one. The session sends all packets that the
    /// peer has not received again on it.
    ///
    /// # Errors
    /// See [`AttachError`]; the session is unchanged then.
    pub fn attach(&mut self, attachment: Attachment, now: Time) -> Result<CarrierId, AttachError> {
        if F::SERVES {
            self.admit(&attachment)?;
        }
        self.outbox.rewind(attachment.peer_received)?;
        if let Some(closing) = &mut self.closing {
            closing.is_sent = false;
        }
        if F::SERVES && self.ownership.pass(&attachment) {
            self.foreign = self.accepted;
        }
        self.accepted += 1;
        self.counter = attachment.counter;
        self.attached = true;
        self.liveness.attached(&self.config, self.is_server(), now);
        if self.closing.is_none() {
            self.expires = None;
        }
        Ok(CarrierId(self.accepted))
    }

    /// Checks whether [`Self::attach`] would accept this attachment, except for the number of
    /// packets that the peer claims to have received. An accepted attachment proves that the
    /// session may continue from its checkpoint.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn admit(&mut self, attachment: &Attachment) -> Result<(), AttachError> {
        if self.is_stale && self.lacks_what_came_later(attachment) {
            return Err(AttachError::Stale);
        }
        self.check_turn(attachment)?;
        self.is_stale = false;
        Ok(())
    }

    /// Checks that the session belongs to the instance, and that no newer attachment is known.
    fn check_turn(&self, attachment: &Attachment) -> Result<(), AttachError> {
        if self.ownership.is_of_owner(attachment) {
            let newer = attachment.counter > self.counter;
            return if newer { Ok(()) } else { Err(AttachError::Replaced) };
        }
        if !self.ownership.may_pass(attachment, self.counter) {
            return Err(AttachError::Taken { last: self.ownership.last() });
        }
        // Packets that the previous instance has confirmed are dropped, and packets that it has
        // sent have used up their numbers.
        let known = attachment.take.map_or(0, |take| take.last);
        let lacks = attachment.peer_received < self.outbox.confirmed();
        if !lacks && self.inbox.received() <= known {
            return Ok(());
        }
        Err(match &self.closing {
            Some(closing) => AttachError::Over(closing.close.clone()),
            None => AttachError::Gap,
        })
    }

    /// True if the peer has sent or received packets, or has another instance, since the
    /// checkpoint.
    fn lacks_what_came_later(&self, attachment: &Attachment) -> bool {
        let is_strange = !self.ownership.is_of_owner(attachment)
            && !self.ownership.may_pass(attachment, self.counter);
        is_strange
            || attachment.peer_received > self.outbox.transmitted()
            || attachment.peer_sent > self.inbox.received()
    }

    /// Ends a carrier. Does nothing if another carrier is current.
    pub fn detach(&mut self, carrier: CarrierId, now: Time) {
        if self.serves(carrier) {
            self.leave(CarrierGone::Detached, now);
        }
    }

    /// Ends the current carrier, which has not been ready to send for too long.
    ///
    /// Spec: 02-carriers, "Heartbeats".
    pub fn give_up_carrier(&mut self, now: Time) {
        if self.attached {
            self.leave(CarrierGone::TimedOut, now);
        }
    }

    pub(super) fn leave(&mut self, why: CarrierGone, now: Time) {
        self.attached = false;
        self.gone = why;
        self.owes_alive = None;
        self.owes_heartbeat = None;
        self.dismissal = None;
        self.outbox.drop_volatile();
        if self.closing.is_none() && self.is_server() {
            self.expires = Some(now + self.config.window);
        }
    }
}
