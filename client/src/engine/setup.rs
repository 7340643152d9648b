//! The set-up of a new session: what the application says first in it, before anything that was queued.
//!
//! Spec: 05-delivery-and-resume, "Set-up".

use bowline_protocol::{Close, CloseCode, Form, Time};

use super::{End, Engine, Output, Phase};
use crate::status::Status;

/// How far the set-up of the session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetUp {
    /// It begins with the next welcome.
    Due,
    /// The host is at it, until this moment at the latest.
    Running(Time),
    /// It has failed, and begins again at this moment, or with the first welcome after it.
    Failed(Time),
    /// It is over, or there is none.
    Done,
}

impl<F: Form> Engine<F> {
    /// The application has set the session up, or says why it could not, in words for a person.
    pub fn set_up(&mut self, outcome: Result<(), String>, now: Time) {
        match outcome {
            _ if !matches!(self.set_up, SetUp::Running(_)) => {}
            Ok(()) => self.finish_set_up(now),
            Err(why) => self.fail_set_up(why, now),
        }
    }

    /// Names the set-up under way, or the last one of this session. Another one has another name.
    #[must_use]
    pub const fn set_up_run(&self) -> u64 {
        self.set_up_run
    }

    /// After [`restore`](Self::restore): the earlier process had not finished to set the session up, and had
    /// held the packets behind this number.
    pub fn restore_set_up(&mut self, held_after: u64) {
        if self.config.set_up.is_some() {
            self.session.hold_restored(held_after);
            self.set_up = SetUp::Due;
        }
    }

    /// A session that is still to be opened has to be set up, if the host does that.
    pub(super) fn require_set_up(&mut self) {
        if self.config.set_up.is_none() {
            return;
        }
        self.session.hold();
        self.set_up = SetUp::Due;
        self.end_run();
    }

    /// True while what is queued waits.
    pub(super) const fn is_setting_up(&self) -> bool {
        !matches!(self.set_up, SetUp::Done)
    }

    /// The server has welcomed the client.
    pub(super) fn go_on_with_set_up(&mut self, resumed: bool, now: Time) {
        match self.set_up {
            SetUp::Due => self.begin_set_up(now),
            SetUp::Failed(at) if at <= now => self.begin_set_up(now),
            _ => {}
        }
        self.unseen |= !resumed;
        self.show_connected();
    }

    /// Time has passed.
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

    /// The session stays, and what is queued goes on waiting, unless the application has closed the client.
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

    /// The host need not go on with what it has begun.
    fn end_run(&mut self) {
        self.set_up_run += 1;
        self.outputs.push_back(Output::SetUp(false));
    }

    /// A session that is not set up is not shown to be there.
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
