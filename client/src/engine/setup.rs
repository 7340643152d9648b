//! The set-up of a new session: the application's first packets in it, before any queued packet.
//!
//! Spec: 05-delivery-and-resume, "Set-up".

use bowline_protocol::{Close, CloseCode, Form, Time};

use super::{End, Engine, Output, Phase};
use crate::status::Status;

/// The state of the session's set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetUp {
    /// It starts with the next welcome.
    Due,
    /// The host performs it, until this moment at the latest.
    Running(Time),
    /// It has failed, and starts again at this moment, or with the first welcome after it.
    Failed(Time),
    /// It is over, or there is none.
    Done,
}

impl<F: Form> Engine<F> {
    /// The application has set the session up, or has failed, with a text for people.
    pub fn set_up(&mut self, outcome: Result<(), String>, now: Time) {
        match outcome {
            _ if !matches!(self.set_up, SetUp::Running(_)) => {}
            Ok(()) => self.finish_set_up(now),
            Err(why) => self.fail_set_up(why, now),
        }
    }

    /// The host performs a set-up in each session that is opened from now on.
    pub fn perform_set_ups(&mut self) {
        self.config.set_up.get_or_insert(self.config.set_up_timeout);
    }

    /// Identifies the current set-up, or the last one of this session.
    #[must_use]
    pub const fn set_up_run(&self) -> u64 {
        self.set_up_run
    }

    /// Call it after [`restore`](Self::restore): the earlier process had not finished the set-up,
    /// and had held the packets after this number.
    pub fn restore_set_up(&mut self, held_after: u64) {
        if self.config.set_up.is_some() {
            self.session.hold_restored(held_after);
            self.set_up = SetUp::Due;
        }
    }

    /// A session that is yet to be opened needs a set-up, if the host performs one.
    pub(super) fn require_set_up(&mut self) {
        if self.config.set_up.is_none() {
            return;
        }
        self.session.hold();
        self.set_up = SetUp::Due;
        self.end_run();
    }

    /// True while queued packets wait.
    pub(super) const fn is_setting_up(&self) -> bool {
        !matches!(self.set_up, SetUp::Done)
    }

    /// The server has sent a welcome.
    pub(super) fn go_on_with_set_up(&mut self, resumed: bool, now: Time) {
        match self.set_up {
            SetUp::Due => self.begin_set_up(now),
            SetUp::Failed(at) if at <= now => self.begin_set_up(now),
            _ => {}
        }
        self.unseen |= !resumed;
        self.show_connected();
    }

    /// Handles deadlines of the set-up.
    pub(super) fn mind_set_up(&mut self, now: Time) {
        match self.set_up {
            SetUp::Running(by) if by <= now => {
                self.end_run();
                self.fail_set_up("the set-up of the session took too long".into(), now);
            }
            SetUp::Failed(at) if at <= now && self.is_welcomed() => self.begin_set_up(now),
            _ => {}
        }
    }

    pub(super) fn set_up_deadline(&self) -> Time {
        match self.set_up {
            SetUp::Running(by) => by,
            SetUp::Failed(at) if self.is_welcomed() => at,
            _ => Time::NEVER,
        }
    }

    fn begin_set_up(&mut self, now: Time) {
        let Some(timeout) = self.config.set_up else { return };
        self.set_up = SetUp::Running(now + timeout);
        self.set_up_run += 1;
        self.outputs.push_back(Output::SetUp(true));
    }

    fn finish_set_up(&mut self, now: Time) {
        self.set_up = SetUp::Done;
        self.session.release();
        if self.close_by < Time::NEVER {
            self.session.close(Close::new(CloseCode::NORMAL), now);
        }
        self.show_connected();
    }

    /// The session remains, and queued packets keep waiting, unless the application has closed the
    /// client.
    fn fail_set_up(&mut self, why: String, now: Time) {
        let pause = self.waits.next_round(now);
        if self.close_by < Time::NEVER {
            self.session.abort(Close::new(CloseCode::NORMAL), now);
        }
        self.set_up_run += 1;
        self.set_up = SetUp::Failed(now + pause);
        self.last_failure = Some(End::Lost(why));
        self.set_status(Status::Waiting { retry_in: pause.into() });
    }

    /// The host may stop the set-up that it has started.
    fn end_run(&mut self) {
        self.set_up_run += 1;
        self.outputs.push_back(Output::SetUp(false));
    }

    /// The engine does not report a session as connected before its set-up.
    fn show_connected(&mut self) {
        if let Phase::Serving(service) = &self.phase
            && service.welcomed.is_some()
            && !self.is_setting_up()
        {
            let transport = service.transport;
            let resumed = !std::mem::take(&mut self.unseen);
            self.set_status(Status::Connected { transport, resumed });
        }
    }

    const fn is_welcomed(&self) -> bool {
        matches!(&self.phase, Phase::Serving(service) if service.welcomed.is_some())
    }

    pub(super) const fn may_set_up(&self) -> bool {
        matches!(self.set_up, SetUp::Running(_) | SetUp::Done)
    }
}
