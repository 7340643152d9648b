//! Attempts, carriers that end, and what follows them.

use bowline_protocol::{
    Close, CloseCode, Form, Millis, OpenKey, Packet, ProtocolError, Retry, Time,
};

use super::ladder::Step;
use super::rung::{Death, GOOD_SERVICE, PROBATION};
use super::trial::head_start;
use super::{
    Cause, End, Engine, Finding, Identity, OnSessionLost, Phase, Refused, Service, Transport,
    is_final,
};
use crate::status::Status;

impl<F: Form> Engine<F> {
    /// Supplies the client's identity. The engine uses `key` if the session has none yet; `auth` is
    /// compact JSON, or a text for people when there is none for now.
    pub fn introduce(&mut self, key: OpenKey, auth: Result<Box<str>, String>, now: Time) {
        if !matches!(self.phase, Phase::Introducing(_)) {
            return;
        }
        match auth {
            Ok(json) => {
                if let Identity::Fresh { key: kept, auth } = &mut self.identity {
                    kept.get_or_insert(key);
                    *auth = Some(json);
                }
                self.serve(now);
            }
            Err(why) => {
                self.last_failure = Some(End::Lost(why));
                self.back_off(now);
            }
        }
    }

    /// Moves the session to this transport now, without loss.
    pub fn switch(&mut self, transport: Transport, now: Time) {
        self.abandon();
        self.ladder.force(transport);
        if self.detach(now).is_some() || matches!(self.phase, Phase::Waiting(_)) {
            self.phase = Phase::Waiting(now);
        }
    }

    /// The carrier ended.
    pub fn ended(&mut self, end: End, now: Time) {
        let End::Close(close) = end else { return self.lost(end, now) };
        match close.code.retry() {
            Retry::Stop
                if close.code == CloseCode::ORIGIN_REFUSED && self.is_let_in_elsewhere() =>
            {
                self.lost(End::Close(close), now);
            }
            Retry::Stop => self.stopped(close, now),
            Retry::Reopen => self.session_lost(close, now),
            Retry::Later => self.retry_later(close, now),
            _ if close.code == CloseCode::REPLACED && self.is_contested() => {
                self.session_lost(close, now);
            }
            _ => self.lost(End::Close(close), now),
        }
    }

    /// True when other clients replace this client's carriers again and again, for example because
    /// a tab was duplicated together with its stored session. A replacement before the welcome
    /// proves nothing: an intermediary sent the request twice, and the other copy arrived first.
    const fn is_contested(&mut self) -> bool {
        if !matches!(&self.phase, Phase::Serving(service) if service.welcomed.is_some()) {
            return false;
        }
        self.replaced += 1;
        self.replaced >= CONTESTED
    }

    /// True if the server has accepted this client on another transport than the present one: an
    /// intermediary that changed the request causes the refusal. Spec: 09-security, "Origin".
    fn is_let_in_elsewhere(&self) -> bool {
        let Phase::Serving(service) = &self.phase else { return false };
        self.last_transport.is_some_and(|last| last != service.transport)
    }

    /// Tries the current transport, once the client's identity is known.
    pub(super) fn attempt(&mut self, now: Time) {
        self.set_status(Status::Connecting { transport: self.ladder.current() });
        if matches!(self.identity, Identity::Fresh { auth: None, .. }) {
            self.phase = Phase::Introducing(false);
        } else {
            self.serve(now);
        }
    }

    fn serve(&mut self, now: Time) {
        if self.suspended {
            // The host was suspended while it was asked for the identity.
            self.phase = Phase::Waiting(now);
            return;
        }
        let transport = self.ladder.current();
        self.note(Finding::Tried, transport, now, now);
        self.phase = Phase::Serving(Service::new(transport, now, now + self.patience(now)));
    }

    /// How long the current transport may take until its welcome.
    pub(super) fn patience(&self, now: Time) -> Millis {
        let longest = self.config.connect_timeout;
        if self.ladder.is_last(now) {
            longest
        } else {
            longest.min(head_start(self.ladder.current()))
        }
    }

    /// Only the carrier is lost: the engine tries the next one.
    pub(super) fn lost(&mut self, why: End, now: Time) {
        if why.cause() == Some(Cause::TooManyRequests) {
            // The refusal concerns the client and not its transport.
            return self.slow_down(why, now);
        }
        let Some(service) = self.detach(now) else { return };
        if self.is_absence(&service, &why, now) {
            return self.ask_again(&service, why, now);
        }
        let cut_off = matches!(why, End::Lost(_)) && service.is_unwelcome(now);
        self.last_failure = Some(why);
        let transport = service.transport;
        let step = match service.welcomed {
            Some(since) => {
                self.note(Finding::Lost, transport, since, now);
                self.judge(since, now);
                let in_silence = now >= service.active + SILENCE;
                let age = now.as_millis() - since.as_millis();
                self.ladder.lost(Death { age, in_silence }, now)
            }
            None => {
                self.note(Finding::Failed, transport, service.began, now);
                self.weigh(transport);
                if cut_off { self.ladder.cut_off(now) } else { self.ladder.failed(now) }
            }
        };
        if transport != self.ladder.current() {
            self.note_wait(transport, now);
        }
        if step == Step::BackOff {
            return if self.is_hopeless() { self.give_up(now) } else { self.back_off(now) };
        }
        let pause = service.welcomed.map_or(Millis::ZERO, |_| self.waits.short());
        self.phase = Phase::Waiting(now + pause);
        if self.session.closed().is_none() {
            self.set_status(Status::Connecting { transport: self.ladder.current() });
        }
    }

    /// True if an attempt has failed at once where a server was a moment ago: nothing listens, or a
    /// proxy finds no server. An ambiguous failure counts if the server has announced that it is
    /// being replaced.
    fn is_absence(&self, service: &Service, why: &End, now: Time) -> bool {
        let (is_expected, is_short) = (self.waits.expects(now), self.waits.is_brisk(now));
        let is_away = match why {
            End::Lost(_) => is_expected,
            End::Refused(Refused { cause: Cause::ConnectionRefused, .. }) => {
                is_expected || is_short
            }
            End::Refused(Refused { cause: Cause::Unavailable, .. }) => is_expected,
            End::Refused(_) | End::Close(_) | End::Protocol(_) => false,
        };
        is_away && service.welcomed.is_none() && now < service.give_up
    }

    /// There is no server for now, which is no evidence against a transport. Spec: 07-close-codes,
    /// "Retry classes".
    fn ask_again(&mut self, service: &Service, why: End, now: Time) {
        self.note(Finding::Failed, service.transport, service.began, now);
        self.last_failure = Some(why);
        self.ladder.absent();
        let expected = self.waits.expects(now);
        let own = if expected { self.waits.regular() } else { self.waits.next_round(now) };
        let pause = self.granted(own);
        self.wait_for(pause, now);
    }

    /// The server no longer has the session, or cannot resume it.
    pub(super) fn session_lost(&mut self, close: Close, now: Time) {
        if let Some(since) = self.detach(now).and_then(|service| service.welcomed) {
            self.judge(since, now);
        }
        self.collect_events(now);
        if self.session.closed().is_some() {
            // The peer needs no further notification.
            self.parted = true;
            self.phase = Phase::Waiting(now);
            return;
        }
        self.last_failure = Some(End::Close(close.clone()));
        self.reopen(&close, now);
        if self.config.on_session_lost == OnSessionLost::Stop {
            self.session.abort(close, now);
            self.parted = true;
            self.phase = Phase::Waiting(now);
            return;
        }
        self.identity = Identity::default();
        self.take = None;
        self.counter = 0;
        self.replaced = 0;
        if std::mem::replace(&mut self.reopening, true) {
            self.back_off(now);
        } else {
            self.phase = Phase::Waiting(now + self.waits.short());
        }
    }

    /// Begins a new session and reports the packets of the old one, its requests first.
    fn reopen(&mut self, close: &Close, now: Time) {
        self.stats.dropped_volatile += self.session.dropped_volatile();
        self.stats.sessions_lost += 1;
        if close.code == CloseCode::SESSION_TAKEN {
            self.session.doubt(close.last.unwrap_or(u64::MAX));
        }
        let report = self.session.reopen(now);
        self.collect_events(now);
        self.epoch += 1;
        self.session_id = None;
        self.require_set_up();
        let (confirmed, unknown) = (report.confirmed, report.unknown);
        self.set_status(Status::SessionLost { code: close.code, confirmed, unknown });
    }

    /// The server refuses this client for good.
    pub(super) fn stopped(&mut self, close: Close, now: Time) {
        self.detach(now);
        self.abandon();
        self.phase = Phase::Waiting(now);
        self.parted = true;
        self.session.handle_packet(0, Packet::Close(close), now).expect("a close is always taken");
    }

    /// The server has stated when to reconnect.
    fn retry_later(&mut self, close: Close, now: Time) {
        if let Some(since) = self.detach(now).and_then(|service| service.welcomed) {
            self.judge(since, now);
        }
        self.doubts.refute();
        let pause = match close.retry_after {
            Some(pause) => self.waits.spread(pause.into()),
            None => self.waits.unasked(now),
        };
        if close.code == CloseCode::DRAINING && close.retry_after.is_some() {
            self.waits.expect(now + pause);
        }
        self.last_failure = Some(End::Close(close));
        self.wait_for(pause, now);
    }

    /// Every transport has failed.
    fn back_off(&mut self, now: Time) {
        self.ladder.begin(now);
        let own = self.waits.next_round(now);
        let pause = self.granted(own);
        self.wait_for(pause, now);
    }

    pub(super) fn wait_for(&mut self, pause: Millis, now: Time) {
        self.abandon();
        if let Identity::Fresh { auth, .. } = &mut self.identity {
            // It may have expired when the next round begins.
            *auth = None;
        }
        self.phase = Phase::Waiting(now + pause);
        self.set_status(Status::Waiting { retry_in: pause.into() });
    }

    /// Resets the back-off if the carrier served well.
    pub(super) fn judge(&mut self, since: Time, now: Time) {
        let served = now.as_millis() - since.as_millis();
        if served >= GOOD_SERVICE {
            self.waits.reset(now);
        }
        if served >= PROBATION {
            self.replaced = 0;
        }
    }

    /// Drops the carrier, if there is one; the session remains.
    pub(super) fn detach(&mut self, now: Time) -> Option<Service> {
        if !matches!(self.phase, Phase::Serving(_)) {
            return None;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Waiting(now));
        let Phase::Serving(service) = phase else { return None };
        self.dropping = true;
        if let Some(attachment) = service.attachment {
            self.session.detach(attachment, now);
        }
        Some(service)
    }

    /// The server violated the protocol.
    pub(super) fn violated(&mut self, error: ProtocolError, now: Time) {
        let Phase::Serving(service) = &self.phase else { return };
        if service.welcomed.is_none() {
            // An intermediary responds in place of the server, for example a portal.
            return self.lost(End::Protocol(error), now);
        }
        self.session.abort(error.close(), now);
    }

    /// The session handles, and answers, a close that stops the client; any other close ends the
    /// carrier.
    pub(super) fn close_received(&mut self, close: Close, now: Time) {
        let Phase::Serving(service) = &self.phase else { return };
        if is_final(&close) && service.welcomed.is_some() {
            let taken = self.session.handle_packet(0, Packet::Close(close), now);
            taken.expect("a close is always taken");
        } else {
            self.ended(End::Close(close), now);
        }
    }
}

/// Without traffic in either direction for this long, a carrier is silent.
const SILENCE: Millis = Millis::from_secs(2);

/// After this many replacements in a row, without good service between, another client causes them.
const CONTESTED: u32 = 3;
