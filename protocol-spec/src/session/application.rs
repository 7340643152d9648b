//! What the application asks of a session, by way of its driver.
//!
//! Spec: 05-delivery-and-resume, "Outbox" and "Withdrawal"; 07-close-codes, "Closing a session".

use std::time::Duration;

use super::{
    AnswerError, CarrierGone, Closing, Inbox, Ownership, Reopened, Request, SendError, Session,
    SessionEvent,
};
use crate::{Close, CloseCode, Form, KeptPacket, Time};

impl<F: Form> Session<F> {
    /// Sends an event. Returns its number.
    ///
    /// # Errors
    /// [`SendError::Full`] when the outbox has no room (a server's session is then over, a client's
    /// goes on), [`SendError::Closed`] when the session is over.
    pub fn emit(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        // Of all that is sent, this is sent a thousand times for one event to a room.
        self.check_room(&packet, self.config.outbox_limit, now)?;
        Ok(self.outbox.push(packet))
    }

    /// Sends a request. Exactly one [`SessionEvent::Answered`] with the returned id follows. No two requests
    /// have the same id, in whichever of the successive sessions they are asked.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn request(
        &mut self,
        packet: F::Packet,
        deadline: Time,
        now: Time,
    ) -> Result<u64, SendError> {
        self.send(packet, Some(deadline), false, now)
    }

    /// An event, or with a deadline a request, before or behind what is held: the four ways to send in one.
    ///
    /// # Errors
    /// As [`Self::emit`], or [`Self::emit_ahead`].
    pub fn send(
        &mut self,
        packet: F::Packet,
        deadline: Option<Time>,
        ahead: bool,
        now: Time,
    ) -> Result<u64, SendError> {
        let limit = self.config.outbox_limit;
        let limit = if ahead { limit.saturating_mul(2) } else { limit };
        let number = self.keep(packet, limit, ahead, now)?;
        let Some(deadline) = deadline else { return Ok(number) };
        let id = self.outbox.last_number() + self.moved;
        self.requests.insert(Request { id, number, deadline });
        Ok(id)
    }

    /// Holds everything back that was not sent yet or is sent from now on, until [`Self::release`]: a new session
    /// has to be set up first. What is sent by [`Self::emit_ahead`] and [`Self::request_ahead`], and answers, go
    /// out before it. Volatile events are dropped meanwhile.
    pub fn hold(&mut self) {
        self.outbox.hold();
    }

    /// [`Self::hold`] after [`Self::restore`]: packets with higher numbers were held by the earlier process, and
    /// never sent.
    pub fn hold_restored(&mut self, after: u64) {
        self.outbox.hold_restored(after);
    }

    /// Lets go out what was held.
    pub const fn release(&mut self) {
        self.outbox.release();
    }

    /// The number behind which packets are held, if they are.
    #[must_use]
    pub const fn held_after(&self) -> Option<u64> {
        self.outbox.held_after()
    }

    /// [`Self::emit`], before what is held. It may take as much room again as everything else.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn emit_ahead(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        self.send(packet, None, true, now)
    }

    /// [`Self::request`], before what is held.
    ///
    /// # Errors
    /// As [`Self::emit_ahead`].
    pub fn request_ahead(
        &mut self,
        packet: F::Packet,
        deadline: Time,
        now: Time,
    ) -> Result<u64, SendError> {
        self.send(packet, Some(deadline), true, now)
    }

    /// Forgets a request whose answer nobody waits for any more. No event follows. Returns whether it was
    /// withdrawn: it never went out, and never will.
    pub fn forget_request(&mut self, request: u64) -> bool {
        let request = self.requests.forget(request);
        let unsent = request.filter(|request| !self.is_sent(request));
        if let Some(request) = unsent {
            self.withdraw(&[request.number]);
        }
        unsent.is_some()
    }

    /// Ends the requests whose time is over. [`Self::handle_timeout`] does it too: this is for a driver that
    /// was late for that and is about to transmit.
    pub fn expire_requests(&mut self, now: Time) {
        let mut unsent = Vec::new();
        for request in self.requests.take_expired(now) {
            let sent = self.is_sent(&request);
            if !sent {
                unsent.push(request.number);
            }
            self.answered(request.id, Err(AnswerError::TimedOut { sent }));
        }
        self.withdraw(&unsent);
    }

    /// True if a request waits that was never sent. It may be withdrawn, and then what follows has other numbers.
    #[must_use]
    pub fn has_unsent_requests(&self) -> bool {
        !self.requests.after(self.outbox.transmitted()).is_empty()
    }

    /// Ends the requests that were never sent, and withdraws them: for a session whose packets are about to
    /// go on elsewhere, without those who wait for the answers.
    pub fn lose_unsent_requests(&mut self) {
        let unsent = self.requests.after(self.outbox.transmitted());
        for number in &unsent {
            if let Some(request) = self.requests.take(*number) {
                self.answered(request.id, Err(AnswerError::SessionLost { sent: false }));
            }
        }
        self.withdraw(&unsent);
    }

    /// The number by which the peer knows this request, if it is open.
    #[must_use]
    pub fn number_of_request(&self, request: u64) -> Option<u64> {
        self.requests.number_of(request)
    }

    const fn is_sent(&self, request: &Request) -> bool {
        request.number <= self.outbox.transmitted()
    }

    /// Takes out packets that never went out, as if they had never been. Nothing behind them went out either,
    /// since packets keep their order: the peer cannot tell.
    fn withdraw(&mut self, numbers: &[u64]) {
        if numbers.is_empty() {
            return;
        }
        self.outbox.withdraw(numbers);
        self.requests.move_up(numbers);
        self.moved += numbers.len() as u64;
    }

    /// Sends the answer to a request of the peer, made with
    /// [`Encoded::reply`](crate::Encoded::reply) or [`Encoded::failure`](crate::Encoded::failure).
    ///
    /// # Errors
    /// As [`Self::emit`], but a client's answer is taken even by a full outbox, because its number is
    /// bounded by what the server asked.
    pub fn reply(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        let limit = if self.is_server() { self.config.outbox_limit } else { usize::MAX };
        self.keep(packet, limit, true, now)
    }

    /// Sends an event if a carrier is there to take it. Returns whether it was queued; the oldest
    /// queued one makes room for it when the carrier is slow.
    pub fn emit_volatile(&mut self, packet: F::Packet) -> bool {
        let taken = self.attached && self.closing.is_none() && self.held_after().is_none();
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

    /// True if the peer is to be asked for a sign of life.
    #[must_use]
    pub const fn owes_heartbeat(&self) -> bool {
        self.owes_heartbeat.is_some()
    }

    /// The driver of a server has told the peer that its application is still deciding, with an `a` of its own. The
    /// peer can say nothing before it is welcomed, so its silence starts anew.
    ///
    /// Spec: 02-carriers, "Slow decisions".
    pub fn told_to_wait(&mut self, now: Time) {
        self.owes_heartbeat = None;
        self.liveness.received(now);
        self.liveness.sent(now);
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

    /// Drops what is still in the outbox of a session that is over: only its close goes out.
    pub fn drop_kept(&mut self) {
        if self.closing.is_some() {
            self.outbox.clear();
        }
    }

    /// Sends the current carrier away once everything waiting has been transmitted on it. The session
    /// stays, and its client comes back as the close says.
    pub fn dismiss(&mut self, close: Close) {
        if self.attached && self.closing.is_none() {
            self.dismissal = Some(Box::new(close));
        }
    }

    /// What is kept up to this number may be sent by another instance of the client, which took the session over.
    /// Call it before [`Self::reopen`], so that none of it is sent a second time.
    pub fn doubt(&mut self, last: u64) {
        self.outbox.doubt(last);
    }

    /// Starts over as a client whose session is lost: packets that were never sent stay queued for
    /// the next session, requests that were sent end with [`AnswerError::SessionLost`]. What was sent ahead of
    /// what is held belonged to this session, and is dropped.
    pub fn reopen(&mut self, now: Time) -> Reopened {
        let sent = self.outbox.transmitted();
        let confirmed = self.outbox.confirmed();
        let set_up = self.outbox.held_after().unwrap_or(0);
        let asked = self.outbox.last_number() + self.moved;
        let (mut old, mut unsent) = self.outbox.take_unsent();
        let mut requests = std::mem::take(&mut self.requests);
        self.inbox = Inbox::default();
        self.counter = 0;
        self.leave(CarrierGone::Detached, now);
        while let Some(packet) = unsent.pop_front() {
            old += 1;
            // An answer belongs to a request of the lost session.
            if packet.is_answer() || old <= set_up {
                continue;
            }
            let number = self.outbox.push(packet);
            if let Some(request) = requests.take(old) {
                self.requests.insert(Request { number, ..request });
            }
        }
        self.moved = asked - self.outbox.last_number();
        for request in requests.drain() {
            let sent = request.number <= sent;
            self.answered(request.id, Err(AnswerError::SessionLost { sent }));
        }
        Reopened { confirmed, unknown: sent - confirmed }
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
    pub fn take_over(
        &mut self,
        (counter, ownership): (u64, Ownership),
        received: u64,
        confirmed: u64,
        kept: Vec<F::Packet>,
    ) {
        self.restore(received, confirmed, kept);
        self.counter = counter;
        self.ownership = ownership;
    }

    /// What was taken over is a checkpoint of a process that was killed. Only a peer that has neither sent nor received
    /// anything since may attach: whoever has is told that the session is lost, and nothing is taken of it.
    ///
    /// Spec: 05-delivery-and-resume, "Checkpoints".
    pub const fn mark_stale(&mut self) {
        self.is_stale = true;
    }

    /// From now on a server's session without a carrier waits so long for its client: for one that was taken over.
    pub fn wait_for(&mut self, time: Duration, now: Time) {
        if !self.attached && self.closing.is_none() {
            self.expires = Some(now + time);
        }
    }

    /// Says that a restored packet is a request whose answer somebody still waits for. Call it after
    /// [`Self::restore`], in the order of the numbers. One [`SessionEvent::Answered`] with this number follows.
    pub fn expect_answer(&mut self, request: u64, deadline: Time) {
        self.requests.insert(Request { id: request, number: request, deadline });
    }

    fn keep(
        &mut self,
        packet: F::Packet,
        limit: usize,
        ahead: bool,
        now: Time,
    ) -> Result<u64, SendError> {
        self.check_room(&packet, limit, now)?;
        if !ahead || self.held_after().is_none() {
            return Ok(self.outbox.push(packet));
        }
        let number = self.outbox.push_ahead(packet);
        self.requests.move_back(number);
        Ok(number)
    }

    /// A server ends a session that has no room; a client says so.
    #[inline]
    fn check_room(&mut self, packet: &F::Packet, limit: usize, now: Time) -> Result<(), SendError> {
        if self.closing.is_some() {
            return Err(SendError::Closed);
        }
        if self.outbox.fits(packet, limit) {
            return Ok(());
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
        // What is still kept goes out before a close of our own; a peer that has closed ignores it.
        let goes_out = !by_peer && self.outbox.len() > 0;
        for request in self.requests.drain() {
            let sent = goes_out || self.is_sent(&request);
            self.answered(request.id, Err(AnswerError::SessionLost { sent }));
        }
        self.events.push_back(SessionEvent::Ended(close.clone()));
        self.closing = Some(Box::new(Closing { close, told: false, by_peer }));
    }
}
