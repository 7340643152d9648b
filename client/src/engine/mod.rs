//! The client without I/O: what to open, what to send, what happened, and when to check again.
//!
//! A host passes the network's input and the time to an [`Engine`], and drains
//! [`Engine::poll_output`] after each input until it returns [`Output::Wait`]. Native programs
//! drive the engine from one task, browsers from their callbacks.

mod attempts;
mod backoff;
mod figures;
mod inbound;
mod ladder;
mod outbound;
mod refused;
mod restore;
mod rung;
mod service;
mod setup;
mod sleep;
mod terms;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::VecDeque;

use bowline_protocol::{
    Buffers, Close, CloseCode, Form, Limits, Millis, Retry, SendError, Session, SessionConfig,
    SessionEvent, SessionId, Take, Time,
};

use crate::status::{Stats, Status};
pub use bowline_protocol::Transport;

pub use backoff::Backoff;
use backoff::Waits;
use ladder::Ladder;
use refused::Doubts;
pub use refused::{Cause, Refused};
use service::{Probe, Service};
use setup::SetUp;
pub use terms::{
    End, EngineConfig, Finding, FirstLine, Identity, Note, OnSessionLost, Outgoing, Output, Route,
    Verdict,
};
pub use trial::QUESTION;
use trial::Trial;

/// One client.
#[derive(Debug)]
pub struct Engine<F: Form = Buffers> {
    config: EngineConfig,
    session: Session<F>,
    identity: Identity,
    /// Distinguishes this client from a copy of it, for the server.
    instance: u64,
    /// The earlier client that this one continues, until the server has accepted that.
    take: Option<Take>,
    phase: Phase,
    ladder: Ladder,
    /// The trial beside the carrier.
    trial: Option<Trial>,
    waits: Waits,
    /// The attach counter on the wire. Every poll uses a new one, so it is ahead of the session's.
    counter: u64,
    /// The server's limits, once it has sent them.
    limits: Option<Limits>,
    /// The transport of the last welcome.
    last_transport: Option<Transport>,
    set_up: SetUp,
    /// Counts the set-ups; one that was given up counts twice.
    set_up_run: u64,
    /// The application was not notified of the new session yet.
    unseen: bool,
    /// The session was lost and the next one has not been welcomed yet.
    reopening: bool,
    /// Counts the sessions of this client, so that an answer to a lost session is not sent in the
    /// next.
    epoch: u64,
    session_id: Option<SessionId>,
    /// How often other clients took the session over since a carrier served well.
    replaced: u32,
    /// The engine starts nothing new, because the application has to process what was received.
    paused: bool,
    /// The engine starts nothing new, because the host is about to sleep, or sleeps.
    suspended: bool,
    /// The host must drop its carrier.
    dropping: bool,
    /// How the session ended.
    ended: Option<Close>,
    /// When the client ends at the latest, once it is closing.
    close_by: Time,
    /// The client has notified the server of its end.
    close_sent: bool,
    /// No notification of the end is necessary any more.
    parted: bool,
    stats: Stats,
    rtt: Option<u64>,
    last_failure: Option<End>,
    doubts: Doubts,
    outputs: VecDeque<Output<F>>,
}

#[derive(Debug)]
enum Phase {
    /// Until the application connects.
    Idle,
    /// Until the next attempt.
    Waiting(Time),
    /// Until the identity is known; true once the host was asked for it.
    Introducing(bool),
    /// A carrier is being opened, or serves.
    Serving(Service),
    Over,
}

impl<F: Form> Engine<F> {
    /// Creates a client that is not connected yet. `seed` is random: it spreads the attempts of
    /// many clients over time, and its lower 53 bits distinguish this client from a copy of it.
    #[must_use]
    pub fn new(config: EngineConfig, seed: u64, now: Time) -> Self {
        let mut session = Session::in_form(SessionConfig::client_with(config.outbox_limit), 0, now);
        let set_up = if config.set_up.is_some() { SetUp::Due } else { SetUp::Done };
        if set_up == SetUp::Due {
            session.hold();
        }
        Self {
            session,
            set_up,
            set_up_run: 0,
            unseen: false,
            identity: Identity::default(),
            instance: seed & Limits::NUMBER,
            take: None,
            phase: Phase::Idle,
            ladder: Ladder::new(&config.transports, config.trial_interval),
            trial: None,
            waits: Waits::new(config.backoff, seed),
            counter: 0,
            limits: None,
            last_transport: None,
            reopening: false,
            epoch: 0,
            session_id: None,
            replaced: 0,
            paused: false,
            suspended: false,
            dropping: false,
            ended: None,
            close_by: Time::NEVER,
            close_sent: false,
            parted: false,
            stats: Stats::default(),
            rtt: None,
            last_failure: None,
            doubts: Doubts::default(),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Starts to connect, once.
    pub fn start(&mut self, now: Time) {
        if matches!(self.phase, Phase::Idle) {
            self.phase = Phase::Waiting(now);
        }
    }

    /// Sends an event. The session stores it while the client is not connected.
    ///
    /// # Errors
    /// As [`Session::emit`].
    pub fn emit(&mut self, packet: F::Packet, now: Time) -> Result<u64, SendError> {
        self.send(packet, None, false, now)
    }

    /// Sends an event, or with a deadline a request, of the application or of the current set-up:
    /// the packets of a set-up go before those that wait for its end.
    ///
    /// # Errors
    /// As [`Session::send`]; for a set-up also [`SendError::Closed`] when there is none.
    pub fn send(
        &mut self,
        packet: F::Packet,
        deadline: Option<Time>,
        of_set_up: bool,
        now: Time,
    ) -> Result<u64, SendError> {
        // A client that was closed accepts no packets of the application while it finishes a
        // set-up.
        let open = if of_set_up { self.may_set_up() } else { self.close_by == Time::NEVER };
        if open {
            self.session.send(packet, deadline, of_set_up, now)
        } else {
            Err(SendError::Closed)
        }
    }

    /// Sends a volatile event. Returns true if it was queued.
    pub fn emit_volatile(&mut self, packet: F::Packet) -> bool {
        self.session.emit_volatile(packet)
    }

    /// Sends a request. One [`Output::Answered`] with the returned id follows, in whichever
    /// session.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub fn request(
        &mut self,
        packet: F::Packet,
        deadline: Time,
        now: Time,
    ) -> Result<u64, SendError> {
        self.send(packet, Some(deadline), false, now)
    }

    /// Forgets a request whose caller no longer waits for the answer. Returns true if the request
    /// was withdrawn: no carrier has sent it, and none will.
    pub fn forget_request(&mut self, request: u64) -> bool {
        self.session.forget_request(request)
    }

    /// Answers a request of the server and returns the answer's number; `None` when the session of
    /// the request is lost or over, and the request with it.
    pub fn reply(&mut self, epoch: u64, packet: F::Packet, now: Time) -> Option<u64> {
        if epoch == self.epoch { self.session.reply(packet, now).ok() } else { None }
    }

    /// Starts to close the client, which first sends all earlier packets, for 5 seconds at most. A
    /// session that is being set up is closed after that.
    pub fn close(&mut self, now: Time) {
        self.close_within(FLUSH, now);
        let idle = matches!(self.phase, Phase::Idle);
        if idle || !self.is_setting_up() {
            self.session.close(Close::new(CloseCode::NORMAL), now);
        }
        if idle {
            self.end(now);
        }
    }

    /// A paused engine opens no carrier. A host that does not read pauses its engine.
    pub const fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Handles everything that is due: call it at the time of [`Output::Wait`], or at any other
    /// time.
    pub fn handle_timeout(&mut self, now: Time) {
        self.session.handle_timeout(now);
        self.mind_set_up(now);
        if self.close_by <= now {
            self.session.abort(Close::new(CloseCode::NORMAL), now);
        }
        self.look_up(now);
        let is_last = self.ladder.is_last(now);
        let Phase::Serving(service) = &mut self.phase else { return };
        if service.is_slow(now) && !is_last {
            self.step_aside(now);
        } else if let Some(why) = service.dead(self.session.is_attached(), now) {
            self.lost(End::Lost(why.into()), now);
        } else if service.retransmit_at <= now {
            service.retransmit_at = Time::NEVER;
            self.session.retransmit();
        }
    }

    /// The next event that requires no action: for hosts that pass on each packet's message before
    /// they read the next packet. [`Self::poll_output`] yields the same.
    pub fn poll_event(&mut self, now: Time) -> Option<Output<F>> {
        self.collect_events(now);
        self.outputs.pop_front()
    }

    /// The next output. Call it until it returns [`Output::Wait`].
    pub fn poll_output(&mut self, now: Time) -> Output<F> {
        // A host that slept is late: expired requests are not sent any more.
        self.session.expire_requests(now);
        loop {
            if let Some(output) = self.poll_event(now) {
                return output;
            }
            if std::mem::take(&mut self.dropping) {
                return Output::Drop;
            }
            match &mut self.phase {
                Phase::Waiting(until) if *until <= now && !self.paused && !self.suspended => {
                    if self.is_over(now) {
                        self.end(now);
                    } else {
                        self.attempt(now);
                    }
                }
                Phase::Introducing(asked @ false) => {
                    *asked = true;
                    return Output::Introduce;
                }
                _ => match self.transmit(now) {
                    Some(output) => return output,
                    None if self.is_over(now) => self.end(now),
                    None => return Output::Wait(self.deadline(now)),
                },
            }
        }
    }

    /// Puts the session's events in order with the engine's own.
    fn collect_events(&mut self, now: Time) {
        while let Some(event) = self.session.poll_event() {
            let output = self.explain(event, now);
            self.outputs.extend(output);
        }
    }

    /// Handles an event of the session, and converts it for the host.
    fn explain(&mut self, event: SessionEvent<F>, now: Time) -> Option<Output<F>> {
        match event {
            SessionEvent::Message { kind, number, message } => {
                return Some(Output::Message { kind, number, epoch: self.epoch, message });
            }
            SessionEvent::Answered { request, outcome } => {
                return Some(Output::Answered { request, outcome });
            }
            SessionEvent::Alive(_) => {
                if let Phase::Serving(service) = &mut self.phase
                    && let Probe::Sent(at) = service.probe
                {
                    service.probe = Probe::Done;
                    self.rtt = Some(now.as_millis() - at.as_millis());
                    return Some(Output::Measured);
                }
            }
            SessionEvent::Ended(close) => {
                self.ended = Some(close);
                self.close_within(FAREWELL, now);
            }
            SessionEvent::Dismissed(_) => {}
        }
        None
    }

    /// True when the session has ended and everyone was notified, or the time for that is over.
    fn is_over(&self, now: Time) -> bool {
        if self.session.closed().is_none() || matches!(self.phase, Phase::Over) {
            return false;
        }
        if self.close_by <= now {
            return true;
        }
        let nothing_kept = self.session.unconfirmed() == 0;
        match &self.phase {
            Phase::Serving(service) if service.attachment.is_some() => {
                // The server's response confirms a POST; a WebSocket is confirmed by its close.
                let answered = self.close_sent && nothing_kept && service.transport.is_http();
                service.ready && (self.session.is_finished(now) || answered)
            }
            _ => self.parted || ((self.close_sent || self.is_fresh()) && nothing_kept),
        }
    }

    fn end(&mut self, now: Time) {
        self.collect_events(now);
        self.abandon();
        let close = self.ended.take().unwrap_or_else(|| Close::new(CloseCode::NORMAL));
        self.dropping |= matches!(self.phase, Phase::Serving(_));
        self.phase = Phase::Over;
        self.outputs.push_back(Output::Status(close.clone().into()));
        self.outputs.push_back(Output::Over(close));
    }

    /// The next moment at which [`Self::handle_timeout`] or [`Self::poll_output`] has something to
    /// do.
    fn deadline(&self, now: Time) -> Option<Time> {
        if matches!(self.phase, Phase::Over) {
            return None;
        }
        // Packets that are due wait for the carrier, whose readiness wakes the engine; they may
        // hide other deadlines of the session.
        let session = self.session.poll_timeout().unwrap_or(Time::NEVER);
        let session = if session > now { session } else { now + LOOK };
        let own = match &self.phase {
            Phase::Waiting(until) if !self.paused && !self.suspended => *until,
            Phase::Serving(service) => service.next_deadline(),
            _ => Time::NEVER,
        };
        let own = own.min(self.look_up_at()).min(self.set_up_deadline());
        let first = session.min(own).min(self.close_by);
        (first < Time::NEVER).then_some(first)
    }

    /// Limits the end of the client to this time from now, if it has not begun before.
    fn close_within(&mut self, millis: Millis, now: Time) {
        if self.close_by == Time::NEVER {
            self.close_by = now + millis;
        }
    }

    /// Notes a finding, with the time from `since` until now.
    fn note(&mut self, finding: Finding, transport: Transport, since: Time, now: Time) {
        let millis = now.as_millis().saturating_sub(since.as_millis());
        self.outputs.push_back(Output::Noted(Note { finding, transport, millis }));
    }

    fn set_status(&mut self, status: Status) {
        self.outputs.push_back(Output::Status(status));
    }

    const fn is_fresh(&self) -> bool {
        matches!(self.identity, Identity::Fresh { .. })
    }

    /// True if packets may be sent before the welcome: no other client can have used their numbers.
    const fn sends_at_once(&self) -> bool {
        self.is_fresh() && self.take.is_none()
    }
}

/// True for a close after which the client does not reconnect.
fn is_final(close: &Close) -> bool {
    close.code.retry() == Retry::Stop
}

/// The token of the heartbeat that measures the round trip.
const PROBE: &str = "rtt";

/// How long a closing client may send earlier packets.
const FLUSH: Millis = Millis::from_secs(5);
/// How long the client tries to send its close when the server has ended the session.
const FAREWELL: Millis = Millis::from_secs(1);
/// How often the engine checks deadlines behind one that cannot be met yet.
const LOOK: Millis = Millis::from_secs(1);
