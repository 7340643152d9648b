//! From one carrier to the next.

use std::time::Duration;

use bowline_protocol::{Close, OpenKey, Packet, ProtocolError, Retry, Time};
use bytestring::ByteString;

use super::{Driver, Identity, Phase, Probe, Service};
use crate::Transport;
use crate::builder::{Auth, OnSessionLost};
use crate::carrier::{Carrier, End};
use crate::engine::ladder::Step;
use crate::status::Status;

impl Driver {
    /// Tries the current transport, once it is known who we are.
    pub(super) fn attempt(&mut self, now: Time) {
        let transport = self.ladder.current();
        let options = &self.shared.options;
        self.shared.lock().board.set(Status::Connecting { transport });
        if let Identity::Fresh { auth: auth @ None, .. } = &mut self.identity {
            match &options.auth {
                Auth::Fixed(json) => *auth = Some(json.clone()),
                Auth::Asked(source) => {
                    self.phase = Phase::Authorizing(source.token());
                    return;
                }
            }
        }
        let patience = if self.ladder.is_last() {
            options.connect_timeout
        } else {
            options.connect_timeout.min(HEAD_START)
        };
        self.phase = Phase::Serving(Box::new(Service {
            carrier: Carrier::open(
                transport,
                &self.shared.platform,
                options,
                self.inbound_limits(),
            ),
            transport,
            attachment: None,
            welcomed: None,
            give_up: now + patience,
            received: 0,
            retransmit_at: None,
            retransmits: 0,
            probe: Probe::Done,
        }));
    }

    pub(super) fn authorized(&mut self, token: Result<ByteString, String>, now: Time) {
        match token {
            Ok(token) => {
                if let Identity::Fresh { auth, .. } = &mut self.identity {
                    *auth = Some(token);
                }
                self.attempt(now);
            }
            Err(why) => self.back_off(Some(format!("no authentication: {why}")), now),
        }
    }

    /// The application wants another transport.
    pub(super) fn switch(&mut self, transport: Transport, now: Time) {
        self.ladder.force(transport);
        if self.detach(now).is_some() || matches!(self.phase, Phase::Waiting(_)) {
            self.phase = Phase::Waiting(now);
        }
    }

    /// The carrier ended.
    pub(super) fn carrier_ended(&mut self, end: End, now: Time) {
        match end {
            End::Lost(why) => self.lost(why, now),
            End::Close(close) => match close.code.retry() {
                Retry::Stop => self.stopped(close, now),
                Retry::Reopen => self.session_lost(close, now),
                Retry::Later => self.told_to_wait(&close, now),
                _ => self.lost(close.to_string(), now),
            },
        }
    }

    /// Nothing is lost but the carrier: the next one is tried.
    pub(super) fn lost(&mut self, why: String, now: Time) {
        let Some(service) = self.detach(now) else { return };
        let step = match service.welcomed {
            Some(since) => {
                let served_well = self.judge(since, now);
                self.ladder.lost(served_well, now)
            }
            None => self.ladder.failed(),
        };
        if step == Step::BackOff {
            return self.back_off(Some(why), now);
        }
        let pause = service.welcomed.map_or(Duration::ZERO, |_| self.waits.short());
        self.phase = Phase::Waiting(now + pause);
        let mut core = self.shared.lock();
        core.last_failure = Some(why);
        core.board.set(Status::Connecting { transport: self.ladder.current() });
    }

    /// The session is gone on the server, or cannot go on.
    fn session_lost(&mut self, close: Close, now: Time) {
        if let Some(since) = self.detach(now).and_then(|service| service.welcomed) {
            self.judge(since, now);
        }
        self.deliver(now);
        let mut core = self.shared.lock();
        if core.session.closed().is_some() {
            // It was about to end anyway, and there is no one left to tell.
            self.parted = true;
            self.phase = Phase::Waiting(now);
            return;
        }
        core.last_failure = Some(close.to_string());
        core.reopen(close.code, now);
        if self.shared.options.on_session_lost == OnSessionLost::Stop {
            core.session.abort(close, now);
            self.parted = true;
            self.phase = Phase::Waiting(now);
            return;
        }
        drop(core);
        let key = OpenKey::from_bytes(self.shared.platform.random());
        self.identity = Identity::Fresh { key, auth: None };
        self.counter = 0;
        if std::mem::replace(&mut self.reopening, true) {
            self.back_off(None, now);
        } else {
            self.phase = Phase::Waiting(now + self.waits.short());
        }
    }

    /// The server does not want this client back.
    fn stopped(&mut self, close: Close, now: Time) {
        self.detach(now);
        self.phase = Phase::Waiting(now);
        self.parted = true;
        self.shared
            .lock()
            .session
            .handle_packet(0, Packet::Close(close), now)
            .expect("a close is always taken");
    }

    /// The server says when to come back.
    fn told_to_wait(&mut self, close: &Close, now: Time) {
        if let Some(since) = self.detach(now).and_then(|service| service.welcomed) {
            self.judge(since, now);
        }
        let pause = match close.retry_after {
            Some(pause) => self.waits.spread(pause),
            None => self.waits.next_round(),
        };
        self.wait_for(pause, Some(close.to_string()), now);
    }

    /// Every transport has failed.
    fn back_off(&mut self, why: Option<String>, now: Time) {
        self.ladder.begin(now);
        let pause = self.waits.next_round();
        self.wait_for(pause, why, now);
    }

    fn wait_for(&mut self, pause: Duration, why: Option<String>, now: Time) {
        if let Identity::Fresh { auth, .. } = &mut self.identity {
            // It may have expired when the next round begins.
            *auth = None;
        }
        self.phase = Phase::Waiting(now + pause);
        let mut core = self.shared.lock();
        core.last_failure = why.or_else(|| core.last_failure.take());
        core.board.set(Status::Waiting { retry_in: pause });
    }

    /// True if the carrier served well, which also ends the growth of the waits.
    fn judge(&mut self, since: Time, now: Time) -> bool {
        let served_well = now - since >= GOOD_SERVICE;
        if served_well {
            self.waits.reset();
        }
        served_well
    }

    /// Drops the carrier, if there is one; the session stays.
    fn detach(&mut self, now: Time) -> Option<Box<Service>> {
        if !matches!(self.phase, Phase::Serving(_)) {
            return None;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Waiting(now));
        let Phase::Serving(service) = phase else { return None };
        if let Some(attachment) = service.attachment {
            self.shared.lock().session.detach(attachment, now);
        }
        Some(service)
    }

    /// The server broke the protocol.
    pub(super) fn violated(&mut self, error: ProtocolError, now: Time) {
        let Phase::Serving(service) = &self.phase else { return };
        if service.welcomed.is_none() {
            // Something between answers in the server's place, a portal for example.
            return self.lost(error.to_string(), now);
        }
        self.shared.lock().session.abort(error.close(), now);
    }
}

/// How long a transport may be without a welcome before the next one is tried.
const HEAD_START: Duration = Duration::from_secs(2);
/// A carrier that served this long proves that the network is well.
const GOOD_SERVICE: Duration = Duration::from_secs(5);
