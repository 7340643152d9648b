//! What the application asks of a session, by way of its driver.
//!
//! Spec: 05-delivery-and-resume, "Outbox"; 07-close-codes, "Closing a session".

use std::time::Duration;

use super::{AnswerError, CarrierGone, Closing, Inbox, Reopened, SendError, Session, SessionEvent};
use crate::{Close, CloseCode, Form, KeptPacket, Time};

impl<F: Form> Session<F> {
    /// Sends an event. Returns its number.
    ///
    /// # Errors
    /// [`SendError::Full`] when the outbox has no room (a server's session is then over, a client's
    /// goes on), [`SendError::Closed`] when the session is over.
    pub fn emit(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        self.keep(packet, false, now)
    }

    /// Sends a request. Exactly one [`SessionEvent::Answered`] with the returned number follows.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn request(
        &mut self,
        packet: F::Packet,
        deadline: Time,
        now: Time,
    ) -> Result<u64, SendError> {
        let number = self.keep(packet, false, now)?;
        self.requests.insert(number, deadline);
        Ok(number)
    }

    /// Forgets a request whose answer nobody waits for any more. No event follows.
    pub fn forget_request(&mut self, request: u64) {
        self.requests.remove(request);
    }

    /// Sends the answer to a request of the peer, made with
    /// [`Encoded::reply`](crate::Encoded::reply) or [`Encoded::failure`](crate::Encoded::failure).
    ///
    /// # Errors
    /// As [`Self::emit`], but a client's answer is taken even by a full outbox, because its number is
    /// bounded by what the server asked.
    pub fn reply(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        self.keep(packet, !self.is_server(), now)
    }

    /// Sends an event if a carrier is there to take it. Returns whether it was queued; the oldest
    /// queued one makes room for it when the carrier is slow.
    pub fn emit_volatile(&mut self, packet: F::Packet) -> bool {
        let taken = self.attached && self.closing.is_none();
        if taken {
            self.outbox.push_volatile(packet);
        } else {
            self.outbox.count_dropped();
        }
        taken
    }

    /// Sends again, on the current carrier, whatever the peer has not confirmed: for carriers whose
    /// bodies can be refused one by one.
    pub fn retransmit(&mut self) {
        self.outbox.retransmit();
    }

    /// Asks the peer for a sign of life; [`SessionEvent::Alive`] with the same token follows.
    pub fn probe(&mut self, token: Box<str>) {
        self.owes_heartbeat = Some(token);
    }

    /// Ends the session after everything that was sent before has been transmitted.
    pub fn close(&mut self, close: Close, now: Time) {
        self.finish(close, false, now);
    }

    /// Ends the session at once: what is still in the outbox is dropped, the close goes out first.
    pub fn abort(&mut self, close: Close, now: Time) {
        if self.closing.is_none() {
            self.outbox.clear();
            self.finish(close, false, now);
        }
    }

    /// Sends the current carrier away once everything waiting has been transmitted on it. The session
    /// stays, and its client comes back as the close says.
    pub fn dismiss(&mut self, close: Close) {
        if self.attached && self.closing.is_none() {
            self.dismissal = Some(Box::new(close));
        }
    }

    /// Starts over as a client whose session is lost: packets that were never sent stay queued for
    /// the next session, requests that were sent end with [`AnswerError::SessionLost`].
    pub fn reopen(&mut self, now: Time) -> Reopened {
        let sent = self.outbox.transmitted();
        let mut report = Reopened {
            confirmed: self.outbox.confirmed(),
            unknown: sent - self.outbox.confirmed(),
            requests: Vec::new(),
        };
        let (mut old, mut unsent) = self.outbox.take_unsent();
        let mut requests = std::mem::take(&mut self.requests);
        self.inbox = Inbox::default();
        self.counter = 0;
        self.leave(CarrierGone::Detached, now);
        while let Some(packet) = unsent.pop_front() {
            old += 1;
            // An answer belongs to a request of the lost session.
            if packet.is_answer() {
                continue;
            }
            let new = self.outbox.push(packet);
            if let Some(deadline) = requests.take(old) {
                self.requests.insert(new, deadline);
                report.requests.push((old, new));
            }
        }
        for request in requests.drain() {
            self.answered(request, Err(AnswerError::SessionLost));
        }
        report
    }

    /// Goes on where an earlier driver of the same session has left off, as a client whose process was
    /// replaced: what it had received and what was confirmed to it by number, and what it had kept.
    /// Call it before anything else.
    pub fn restore(&mut self, received: u64, confirmed: u64, kept: Vec<F::Packet>) {
        self.inbox = Inbox::after(received);
        self.outbox.restore(confirmed, kept);
    }

    /// Goes on for a server whose session another process held until now: [`Self::restore`], and the
    /// attach counter that the client has reached. Call it before anything else.
    pub fn take_over(&mut self, counter: u64, received: u64, confirmed: u64, kept: Vec<F::Packet>) {
        self.restore(received, confirmed, kept);
        self.counter = counter;
    }

    /// Says that a restored packet is a request whose answer somebody still waits for. Call it after
    /// [`Self::restore`], in the order of the numbers. One [`SessionEvent::Answered`] follows.
    pub fn expect_answer(&mut self, request: u64, deadline: Time) {
        self.requests.insert(request, deadline);
    }

    fn keep(&mut self, packet: F::Packet, exempt: bool, now: Time) -> Result<u64, SendError> {
        if self.closing.is_some() {
            return Err(SendError::Closed);
        }
        let limit = self.config.outbox_limit;
        if self.outbox.fits(&packet, limit) || exempt {
            return Ok(self.outbox.push(packet));
        }
        if self.is_server() {
            self.abort(Close::new(CloseCode::SLOW_CONSUMER), now);
        }
        Err(SendError::Full { limit })
    }

    pub(super) fn finish(&mut self, close: Close, by_peer: bool, now: Time) {
        if self.closing.is_some() {
            if by_peer {
                self.expires = Some(now);
            }
            return;
        }
        let window = if by_peer || self.expires.is_some_and(|at| at <= now) {
            Duration::ZERO
        } else {
            self.config.window
        };
        self.expires = Some(now + window);
        for request in self.requests.drain() {
            self.answered(request, Err(AnswerError::SessionLost));
        }
        self.events.push_back(SessionEvent::Ended(close.clone()));
        self.closing = Some(Box::new(Closing { close, told: false, by_peer }));
    }
}
