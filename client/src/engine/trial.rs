//! Trials of better transports beside the current one. Spec: 02-carriers, "Trials".

use bowline_protocol::{Form, Millis, Time};

use super::{End, Engine, Finding, Identity, Output, Phase, Service, Transport};

/// A transport that is being tried beside the carrier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    transport: Transport,
    began: Time,
}

impl Trial {
    pub(super) fn until(self) -> Time {
        self.began + PATIENCE
    }
}

impl<F: Form> Engine<F> {
    /// The result of the trial: the transport works (and a WebSocket is open), or why it does not.
    pub fn tried(&mut self, outcome: Result<(), End>, now: Time) {
        let Some(trial) = self.trial.take() else { return };
        match outcome {
            Ok(()) if self.may_take_over() => self.take_over(trial, now),
            Ok(()) => self.outputs.push_back(Output::Trial(None)),
            Err(why) => self.trial_failed(trial, why, now),
        }
    }

    /// A WebSocket that takes long to open continues as a trial, beside the next transport.
    pub(super) fn step_aside(&mut self, now: Time) {
        let Phase::Serving(service) = &self.phase else { return };
        let (transport, began) = (service.transport, service.began);
        self.note(Finding::Slow, transport, began, now);
        self.outputs.push_back(Output::Aside);
        self.trial = Some(Trial { transport, began: now });
        self.ladder.failed(now);
        self.attempt(now);
    }

    /// Starts the trial that is due, or ends one that takes too long.
    pub(super) fn look_up(&mut self, now: Time) {
        if let Some(trial) = self.trial {
            if trial.until() <= now {
                self.abandon();
                self.trial_failed(trial, End::Lost("nothing was heard".into()), now);
            }
        } else if self.is_settled() {
            if let Some(transport) = self.ladder.convict(now) {
                self.note_wait(transport, now);
            } else if let Some(transport) = self.ladder.due(now) {
                self.trial = Some(Trial { transport, began: now });
                self.note(Finding::Trial, transport, now, now);
                self.outputs.push_back(Output::Trial(Some(transport)));
            }
        }
    }

    /// Ends the current trial.
    pub(super) fn abandon(&mut self) {
        if self.trial.take().is_some() {
            self.outputs.push_back(Output::Trial(None));
        }
    }

    /// When [`Self::look_up`] is due.
    pub(super) fn look_up_at(&self) -> Time {
        match self.trial {
            Some(trial) => trial.until(),
            None if self.is_settled() => self.ladder.next_due(),
            None => Time::NEVER,
        }
    }

    /// True if a carrier serves, and a better one could replace it.
    fn is_settled(&self) -> bool {
        let welcomed = matches!(&self.phase, Phase::Serving(s) if s.welcomed.is_some());
        welcomed && !self.paused && self.session.closed().is_none()
    }

    /// True if a carrier serves, or is about to.
    fn may_take_over(&self) -> bool {
        let introduced = !matches!(self.identity, Identity::Fresh { auth: None, .. });
        let under_way = matches!(self.phase, Phase::Serving(_) | Phase::Waiting(_));
        introduced && under_way && !self.paused && self.session.closed().is_none()
    }

    fn take_over(&mut self, trial: Trial, now: Time) {
        let Trial { transport, began } = trial;
        self.note(Finding::Proven, transport, began, now);
        if let Some(since) = self.detach(now).and_then(|service| service.welcomed) {
            self.judge(since, now);
        }
        if transport == Transport::WebSocket {
            // The host drops the old carrier when it adopts the new one.
            self.dropping = false;
            self.outputs.push_back(Output::Adopt);
        } else {
            self.outputs.push_back(Output::Trial(None));
        }
        self.ladder.take_over(transport);
        let give_up = now + head_start(transport);
        self.phase = Phase::Serving(Service::proven(transport, now, give_up));
    }

    fn trial_failed(&mut self, trial: Trial, why: End, now: Time) {
        let Trial { transport, began } = trial;
        self.ladder.trial_failed(transport, now);
        self.last_failure = Some(why);
        self.note(Finding::TrialFailed, transport, began, now);
        self.note_wait(transport, now);
    }

    /// Notes how long the client avoids a transport.
    pub(super) fn note_wait(&mut self, transport: Transport, now: Time) {
        if let Some(until) = self.ladder.left_alone_until(transport) {
            self.note(Finding::LeftAlone, transport, now, until);
        }
    }
}

/// How long a transport may be without a welcome before the client tries the next one. Something on
/// the way delays a stream that is open and brings nothing; a WebSocket that opens later is not
/// lost.
pub(super) const fn head_start(transport: Transport) -> Millis {
    Millis::new(match transport {
        Transport::WebSocket => 1000,
        Transport::Sse | Transport::Polling => 2000,
    })
}

/// The first line of a trial. A transport works if the response is an `a` line.
pub const QUESTION: &str = "trial";

/// How long a trial may take.
const PATIENCE: Millis = Millis::from_secs(10);
