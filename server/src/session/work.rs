//! The work of the application for a session: the messages that wait for a handler, and when
//! handlers are given up.
//!
//! Handlers of a session that has ended may still be running: its client has sent something and
//! left, and a handler is storing it. They continue, and the end is delivered after them. They have
//! a deadline, because handlers that never complete would keep their messages in memory forever.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Encoded, Message, Payload, Time};
use bytes::Bytes;
use bytestring::ByteString;
use tokio_util::sync::CancellationToken;

use super::nesting::Queued;
use super::{Delivery, LiveSession, OpenPhase, State};
use crate::budget::{Budget, STEP};
use crate::config::Config;

/// The state of pending handlers.
#[derive(Default)]
pub(super) struct Work {
    /// Cancels their futures.
    stop: Option<CancellationToken>,
    /// When they are given up, if the session has ended.
    until: Option<Time>,
    /// The deadline has passed, and only the end is left to deliver.
    is_late: bool,
    /// The session no longer waits for them.
    given_up: bool,
}

impl State {
    /// Accepts the answer of a runner and returns the next message for it. `None` ends the runner.
    pub(super) fn next_delivery(&mut self, answer: Option<Encoded>, now: Time) -> Option<Delivery> {
        if let Some(error) = answer.and_then(|answer| self.core.reply(answer, now).err()) {
            log::debug!("an answer was not sent: {error}");
        }
        let others_run = self.runners > 1;
        // The end is the last delivery, when no other handler of the session is running any more.
        let waits = others_run && matches!(self.inbox.front(), Some(Delivery::Ended(_)));
        let delivery = if waits { None } else { self.inbox.pop_front() };
        match &delivery {
            Some(Delivery::Message { message, within, .. }) => {
                self.inbox_bytes -= cost(message);
                self.queued.remove(*within);
            }
            Some(Delivery::Away(_) | Delivery::Ended(_)) => {}
            None => self.runners -= 1,
        }
        if self.inbox.is_empty() {
            // The next batch allocates it again, which costs less than to keep its memory in every
            // session.
            self.inbox = VecDeque::new();
            if self.runners == 0 && self.core.closed().is_none() {
                self.work = None;
            }
        }
        delivery
    }

    /// Starts handlers when the session is open, one for each waiting message within the limit.
    pub(super) fn start_runners(&mut self, concurrency: usize) -> usize {
        match self.phase() {
            OpenPhase::Asking => {
                self.keep_apart();
                return 0;
            }
            OpenPhase::Refused => {
                self.inbox.clear();
                self.inbox_bytes = 0;
            }
            OpenPhase::Open => {}
        }
        let ended = matches!(self.inbox.back(), Some(Delivery::Ended(_)));
        // The remaining runner delivers the end last: a runner that started for it now would end
        // immediately, and be started again.
        let for_later = usize::from(ended && self.runners + self.inbox.len() > 1);
        let waiting = self.inbox.len() - for_later;
        let start = waiting.min(concurrency.saturating_sub(self.runners));
        self.runners += start;
        if start == 0 && waiting > 0 {
            self.keep_apart();
        }
        start
    }

    /// Notes that a handler is pending. Returns the token that cancels it.
    pub(super) fn handler_waits(&mut self) -> CancellationToken {
        self.keep_apart();
        self.work.get_or_insert_default().stop.get_or_insert_default().clone()
    }

    /// Copies waiting messages, so that they do not keep the body in which they arrived, which may
    /// be a thousand times larger.
    pub(super) fn keep_apart(&mut self) {
        for delivery in self.inbox.iter_mut().rev() {
            let Delivery::Message { message, is_apart, .. } = delivery else { continue };
            if std::mem::replace(is_apart, true) {
                break;
            }
            if message.payload.size() < LARGE {
                *message = apart(message);
            }
        }
    }

    /// The server has stopped, so no worker can deliver the end of the session.
    pub(super) fn has_no_worker(&mut self) {
        if self.core.closed().is_some() {
            self.work.get_or_insert_default().given_up = true;
        }
    }

    /// Sets the deadline of the handlers of a session that has ended.
    pub(super) fn settle_work(&mut self, deadline: Duration, now: Time) {
        if self.core.closed().is_some() && !self.is_idle() {
            self.work.get_or_insert_default().until.get_or_insert(now + deadline);
        }
    }

    /// The time at which handlers of a session that has ended are given up.
    pub(super) fn work_deadline(&self) -> Option<Time> {
        self.work.as_ref().filter(|work| !work.given_up)?.until
    }

    /// True when no handler is running or has something to handle.
    pub(super) fn is_idle(&self) -> bool {
        self.runners == 0 && self.inbox.is_empty()
    }

    /// True if the application has no more work for the session, or the session no longer waits for
    /// it.
    pub(super) fn is_done(&self) -> bool {
        self.is_idle() || self.work.as_ref().is_some_and(|work| work.given_up)
    }

    /// Cancels handlers whose deadline has passed, and drops their messages. The delivery of the
    /// end then has the same time again. True if any were running.
    pub(super) fn handle_work(&mut self, deadline: Duration, now: Time) -> bool {
        if self.work_deadline().is_none_or(|until| until > now) {
            return false;
        }
        self.drop_messages();
        let (is_idle, has_end_to_deliver) = (self.is_idle(), !self.inbox.is_empty());
        let Some(work) = &mut self.work else { return false };
        work.until = Some(now + deadline);
        work.given_up = std::mem::replace(&mut work.is_late, true) || !has_end_to_deliver;
        if let Some(stop) = work.stop.take() {
            stop.cancel();
        }
        !is_idle
    }

    /// Drops the messages that wait for a handler, but not the end.
    pub(super) fn drop_messages(&mut self) {
        self.inbox.retain(|delivery| matches!(delivery, Delivery::Ended(_)));
        self.inbox_bytes = 0;
        self.queued = Queued::default();
    }

    /// The bytes that may wait for handlers. Above this the session accepts nothing from its client
    /// for now.
    pub(super) fn inbox_limit(&self, config: &Config, budget: &Budget) -> usize {
        match self.phase() {
            _ if budget.is_exceeded() => 0,
            OpenPhase::Asking => config.inbox_limit.min(config.connect_inbox_limit),
            OpenPhase::Open | OpenPhase::Refused => config.inbox_limit,
        }
    }

    /// Counts what the session keeps. True if the caller has to make room.
    #[inline]
    pub(super) fn settle_kept(&mut self, budget: &Budget, now: Time) -> bool {
        // Volatile events and the items of streams do not count here; a full count includes them.
        let kept = self.core.outbox_bytes() + self.inbox_bytes + self.unread as usize;
        let is_close = kept.abs_diff(self.counted as usize) < STEP as usize;
        if is_close && (kept > 0 || self.counted == 0) {
            return false;
        }
        self.count_kept(budget, now)
    }

    #[inline(never)]
    pub(super) fn count_kept(&mut self, budget: &Budget, now: Time) -> bool {
        let kept = self.kept();
        budget.settle(std::mem::replace(&mut self.counted, kept), kept, now)
    }

    /// The bytes that the session keeps.
    pub(super) fn kept(&self) -> u32 {
        let kept = self.core.kept_bytes() + self.inbox_bytes + self.waiting_items();
        u32::try_from(kept).unwrap_or(u32::MAX).saturating_add(self.unread)
    }
}

impl LiveSession {
    /// Acts on a deadline that was filed for `at`.
    pub(crate) fn tick(self: &Arc<Self>, at: Time) {
        let given_up = self.with(|state, now| state.tick(at, &self.common.config, now));
        if given_up
            && let Some(suppressed) =
                self.common.complaints.admit("handler_deadline", self.common.now())
        {
            log::warn!(
                "session {}: handlers were still at work {:?} after its end, and were \
                    dropped{suppressed}",
                self.id,
                self.common.config.handler_deadline
            );
        }
    }

    /// Stores how many bytes of the client a carrier holds, because the inbox has no room for them.
    pub(super) fn hold_unread(self: &Arc<Self>, bytes: usize) {
        self.with(|state, _| state.unread = u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

/// What a message counts against the limits: its bytes, and the memory of its entry.
pub(super) fn cost(message: &Message) -> usize {
    message.payload.size() + message.name.len() + 64
}

/// Copies a message into memory of its own.
fn apart(message: &Message) -> Message {
    let payload = &message.payload;
    Message {
        name: ByteString::from(&*message.name),
        payload: Payload {
            json: ByteString::from(&*payload.json),
            bytes: payload.bytes.as_ref().map(|bytes| Bytes::copy_from_slice(bytes)),
        },
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("until", &self.until).finish_non_exhaustive()
    }
}

/// A message of this size is most of any body, so it is not copied.
const LARGE: usize = 128 * 1024;

#[cfg(test)]
mod tests;
