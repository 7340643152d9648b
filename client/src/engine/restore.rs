//! What a client goes on from that an earlier process, or an earlier page, has left: its session,
//! and what it knows about its network.

use bowline_protocol::{Form, OpenKey, Secret, SessionId, Take, Time};

use super::{Engine, Identity, SetUp, Verdict};

impl<F: Form> Engine<F> {
    /// Continues a session of an earlier process; see [`Session::restore`]. `counter` is at least
    /// as high as any attach counter of that process. Without [`Self::claim`] the client continues
    /// as the same instance.
    pub fn restore(
        &mut self,
        session: SessionId,
        secret: Secret,
        counter: u64,
        (received, confirmed): (u64, u64),
        kept: Vec<F::Packet>,
    ) {
        self.identity = Identity::Known { session, secret };
        self.session_id = Some(session);
        self.counter = counter;
        self.set_up = SetUp::Done;
        self.session.release();
        self.session.restore(received, confirmed, kept);
    }

    /// Continues a request of an earlier process: call it after [`Self::restore`], in the order of
    /// the numbers. One [`Output::Answered`] follows.
    pub fn expect_answer(&mut self, request: u64, deadline: Time) {
        self.session.expect_answer(request, deadline);
    }

    /// Opens the session with this key: continues an `open` of an earlier process, if the same
    /// packets are sent first and `counter` is at least as high as any attach counter of that
    /// process. `kept` are the packets that may have been sent with it.
    pub fn restore_open(&mut self, key: OpenKey, counter: u64, kept: Vec<F::Packet>) {
        self.identity = Identity::Fresh { key: Some(key), auth: None };
        self.counter = counter;
        self.session.restore(0, 0, kept);
    }

    /// The restored session belongs to another instance, which may still live: this client may use
    /// it only if the server accepts. `from` is the last known owner of the session, and `last` the
    /// number of the last packet that it has sent. Call it after [`Self::restore`] or
    /// [`Self::restore_open`].
    pub fn claim(&mut self, from: u64, last: u64) {
        let kept = self.session.confirmed() + self.session.unconfirmed() as u64;
        self.take = Some(Take { from, last, kept });
    }

    /// What the client has learnt about its network, if better transports than the present one
    /// fail: for [`Self::believe`] of a later engine.
    #[must_use]
    pub fn verdict(&self, now: Time) -> Option<Verdict> {
        self.ladder.verdict(now)
    }

    /// Starts with the verdict of an earlier engine. Call it before [`Self::start`].
    pub fn believe(&mut self, verdict: Verdict, now: Time) {
        self.ladder.believe(verdict, now);
    }
}
