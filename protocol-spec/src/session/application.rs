//! The operations of a session that an application requests through its driver.
//!
//! Spec: 05-delivery-and-resume, "Outbox" and "Withdrawal"; 07-close-codes, "Closing a session".

use std::time::Duration;

use super::{
    AnswerError, CarrierGone, Closing, Inbox, LatestOutcome, Ownership, Reopened, Request,
    SendError, Session, SessionEvent,
};
use crate::{Close, CloseCode, Form, KeptPacket, Time};

impl<F: Form> Session<F> {
    /// Sends an event. Returns its number.
    ///
    /// # Errors
    /// [`SendError::Full`] when the outbox has no room (a server closes the session then, a
    /// client's session continues), [`SendError::Closed`] when the session is over.
    pub fn emit(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        // A broadcast calls this method once for each member, so it does less than `send`.
        self.check_room(&packet, self.config.outbox_limit, now)?;
        Ok(self.outbox.push(packet))
    }

    /// Sends a request. Exactly one [`SessionEvent::Answered`] with the returned id follows. An id
    /// is never used twice, neither in this session nor in those that [`Self::reopen`] begins.
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

    /// Sends an event, or with a deadline a request, before or after the held packets: one method
    /// for the four ways to send.
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

    /// Holds all unsent and future packets until [`Self::release`], so that the client can set up a
    /// new session first. The session sends answers, and the packets of [`Self::emit_ahead`] and
    /// [`Self::request_ahead`], before the held packets. It drops volatile events in the meantime.
    pub fn hold(&mut self) {
        self.outbox.hold();
    }

    /// Holds as [`Self::hold`] does, after [`Self::restore`]: the earlier process held the packets
    /// with higher numbers, and never sent them.
    pub fn hold_restored(&mut self, after: u64) {
        self.outbox.hold_restored(after);
    }

    /// Sends the held packets from now on.
    pub const fn release(&mut self) {
        self.outbox.release();
    }

    /// The number after which packets are held; `None` when none are.
    #[must_use]
    pub const fn held_after(&self) -> Option<u64> {
        self.outbox.held_after()
    }

    /// Sends an event as [`Self::emit`] does, before the held packets. Packets of this kind may use
    /// as much room again as all others.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn emit_ahead(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        self.send(packet, None, true, now)
    }

    /// Sends a request as [`Self::request`] does, before the held packets.
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

    /// Forgets a request whose caller no longer waits for the answer. No event follows. Returns
    /// true if the request was withdrawn: no carrier has sent it, and none will.
    pub fn forget_request(&mut self, request: u64) -> bool {
        let request = self.requests.forget(request);
        let unsent = request.filter(|request| !self.is_sent(request));
        if let Some(request) = unsent {
            self.withdraw(&[request.number]);
        }
        unsent.is_some()
    }

    /// Ends the requests whose deadline has passed. [`Self::handle_timeout`] does the same: this
    /// method is for a driver that was late for that and is about to transmit.
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

    /// True if an open request was never sent. The session may withdraw it, and the numbers of
    /// later packets change then.
    #[must_use]
    pub fn has_unsent_requests(&self) -> bool {
        !self.requests.after(self.outbox.transmitted()).is_empty()
    }

    /// Ends the requests that were never sent, and withdraws them: another process is about to
    /// continue the session, without the callers that wait for the answers.
    pub fn lose_unsent_requests(&mut self) {
        let unsent = self.requests.after(self.outbox.transmitted());
        for number in &unsent {
            if let Some(request) = self.requests.take(*number) {
                self.answered(request.id, Err(AnswerError::SessionLost { sent: false }));
            }
        }
        self.withdraw(&unsent);
    }

    /// The number under which the peer knows this request, if it is open.
    #[must_use]
    pub fn number_of_request(&self, request: u64) -> Option<u64> {
        self.requests.number_of(request)
    }

    const fn is_sent(&self, request: &Request) -> bool {
        request.number <= self.outbox.transmitted()
    }

    /// Withdraws packets that were never sent. No later packet was sent either, since packets keep
    /// their order: the peer cannot notice the difference.
    fn withdraw(&mut self, numbers: &[u64]) {
        if numbers.is_empty() {
            return;
        }
        self.outbox.withdraw(numbers);
        self.requests.move_up(numbers);
        self.moved += numbers.len() as u64;
    }

    /// Sends the answer to a request of the peer, encoded with
    /// [`Encoded::reply`](crate::Encoded::reply) or [`Encoded::failure`](crate::Encoded::failure).
    ///
    /// # Errors
    /// As [`Self::emit`], but a client's outbox accepts an answer even when it is full: the
    /// server's requests limit the number of answers.
    pub fn reply(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        let limit = if self.is_server() { self.config.outbox_limit } else { usize::MAX };
        self.keep(packet, limit, true, now)
    }

    /// Sends a volatile event if a carrier is attached. Returns true if the event was queued; on a
    /// slow carrier, the oldest volatile events are dropped to make room for it.
    pub fn emit_volatile(&mut self, packet: F::Packet) -> bool {
        let taken = self.attached && self.closing.is_none() && self.held_after().is_none();
        if taken {
            self.outbox.push_volatile(packet);
        } else {
            self.outbox.count_dropped();
        }
        taken
    }

    /// As [`Self::emit_volatile`]; a volatile event of the same key that still waits for the
    /// carrier is dropped, and this one is sent in its place.
    pub fn emit_latest(
        &mut self,
        packet: F::Packet,
        key: &<F::Packet as KeptPacket>::Key,
    ) -> LatestOutcome {
        if !self.attached || self.closing.is_some() || self.held_after().is_some() {
            self.outbox.count_dropped();
            return LatestOutcome::Dropped;
        }
        match self.outbox.push_latest(packet, key.clone()) {
            true => LatestOutcome::Replaced,
            false => LatestOutcome::Queued,
        }
    }

    /// Sends all unconfirmed packets again on the current carrier: for carriers whose peer can
    /// refuse single bodies.
    pub fn retransmit(&mut self) {
        self.outbox.retransmit();
    }

    /// Sends a heartbeat with this token; [`SessionEvent::Alive`] with the same token follows.
    pub fn probe(&mut self, token: Box<str>) {
        self.owes_heartbeat = Some(token);
    }

    /// True if a heartbeat is waiting to be sent.
    #[must_use]
    pub const fn owes_heartbeat(&self) -> bool {
        self.owes_heartbeat.is_some()
    }

    /// Restarts the measurement of the peer's silence: the driver of a server has sent an `a` to
    /// announce that the application is still deciding. The peer cannot send anything before its
    /// welcome.
    ///
    /// Spec: 02-carriers, "Slow decisions".
    pub fn told_to_wait(&mut self, now: Time) {
        self.owes_heartbeat = None;
        self.liveness.received(now);
        self.liveness.sent(now);
    }

    /// Ends the session after all earlier packets have been transmitted.
    pub fn close(&mut self, close: Close, now: Time) {
        self.finish(close, false, now);
    }

    /// Ends the session at once: the session drops its outbox and sends the close next.
    pub fn abort(&mut self, close: Close, now: Time) {
        if self.closing.is_none() {
            self.outbox.clear();
            self.finish(close, false, now);
        }
    }

    /// Drops the outbox of a session that is over: only its close is still sent.
    pub fn drop_kept(&mut self) {
        if self.closing.is_some() {
            self.outbox.clear();
        }
    }

    /// Ends the current carrier, after all waiting packets have been transmitted on it. The session
    /// remains, and its client attaches again as the close states.
    pub fn dismiss(&mut self, close: Close) {
        if self.attached && self.closing.is_none() {
            self.dismissal = Some(Box::new(close));
        }
    }

    /// Marks the packets up to this number as possibly sent by another instance of the client,
    /// which took the session over. Call it before [`Self::reopen`], so that none of them is sent
    /// twice.
    pub fn doubt(&mut self, last: u64) {
        self.outbox.doubt(last);
    }

    /// Begins a new session after a client's session was lost. Packets that were never sent stay
    /// queued for the new session; requests that were sent end with [`AnswerError::SessionLost`].
    /// The packets that were sent ahead of held ones belonged to the lost session, and are dropped.
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

    /// Continues the session of an earlier driver, for a client whose process was replaced: the
    /// numbers that it had received and that were confirmed to it, and the packets in its outbox.
    /// Call it before any other method.
    pub fn restore(&mut self, received: u64, confirmed: u64, kept: Vec<F::Packet>) {
        self.inbox = Inbox::after(received);
        self.outbox.restore(confirmed, kept);
    }

    /// Continues the session of another process of the server: [`Self::restore`], with the client's
    /// attach counter. Call it before any other method.
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

    /// Marks a session that was restored from the checkpoint of a process that was killed. Only a
    /// peer that has neither sent nor received a packet since the checkpoint may attach. To any
    /// other peer the session is lost, and the session drops its packets.
    ///
    /// Spec: 05-delivery-and-resume, "Checkpoints".
    pub const fn mark_stale(&mut self) {
        self.is_stale = true;
    }

    /// Sets how long a server's session without a carrier waits for its client from now on: for a
    /// session that was taken over.
    pub fn wait_for(&mut self, time: Duration, now: Time) {
        if !self.attached && self.closing.is_none() {
            self.expires = Some(now + time);
        }
    }

    /// Declares that a restored packet is a request whose caller still waits for the answer. Call
    /// it after [`Self::restore`], in the order of the numbers. One [`SessionEvent::Answered`] with
    /// this number follows.
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

    /// Without room, a server ends the session; a client returns an error.
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
        // The session sends its outbox before its own close; a peer that has closed ignores
        // packets.
        let goes_out = !by_peer && self.outbox.len() > 0;
        for request in self.requests.drain() {
            let sent = goes_out || self.is_sent(&request);
            self.answered(request.id, Err(AnswerError::SessionLost { sent }));
        }
        self.events.push_back(SessionEvent::Ended(close.clone()));
        self.closing = Some(Box::new(Closing { close, is_sent: false, by_peer }));
    }
}
