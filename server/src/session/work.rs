//! The work of the application for a session: what waits for a handler, and when it is given up.
//!
//! A session that is over may still be at work: its client has said something and left, and a
//! handler is in the middle of writing it down. That goes on, as it does where nobody watches
//! connections at all, and the end is told behind it. It has a deadline, or handlers that never end
//! would keep what waits for them for ever.

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

/// What is known of handlers that wait for something.
#[derive(Default)]
pub(super) struct Work {
    /// Ends their futures.
    stop: Option<CancellationToken>,
    /// When it is over for a session that has ended.
    until: Option<Time>,
    /// They have had their time, and what is left is to tell the end.
    is_late: bool,
    /// Nobody waits for them any more.
    given_up: bool,
}

impl State {
    /// Takes the answer of the runner that asks and gives it the next message for a handler. `None`
    /// ends it.
    pub(super) fn next_delivery(&mut self, answer: Option<Encoded>, now: Time) -> Option<Delivery> {
        if let Some(error) = answer.and_then(|answer| self.core.reply(answer, now).err()) {
            log::debug!("an answer was not sent: {error}");
        }
        let others_run = self.runners > 1;
        // The end is the last delivery, when no other handler of the session runs any more.
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
            // It is made anew with the next batch, which costs less than to keep room for it in
            // every session.
            self.inbox = VecDeque::new();
            if self.runners == 0 && self.core.closed().is_none() {
                self.work = None;
            }
        }
        delivery
    }

    /// Handlers start when the session is open, one for each waiting message within the limit.
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
        // The end is told last, by the runner that is left: a runner started for it now would end
        // at once, and be started again.
        let for_later = usize::from(ended && self.runners + self.inbox.len() > 1);
        let waiting = self.inbox.len() - for_later;
        let start = waiting.min(concurrency.saturating_sub(self.runners));
        self.runners += start;
        if start == 0 && waiting > 0 {
            self.keep_apart();
        }
        start
    }

    /// A handler does not end at once. Yields what ends it before its time.
    pub(super) fn handler_waits(&mut self) -> CancellationToken {
        self.keep_apart();
        self.work.get_or_insert_default().stop.get_or_insert_default().clone()
    }

    /// What waits for a handler shall not keep the body in which it came, which may be a thousand
    /// times larger.
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

    /// The server has stopped: nobody is told the end of the session.
    pub(super) fn has_no_worker(&mut self) {
        if self.core.closed().is_some() {
            self.work.get_or_insert_default().given_up = true;
        }
    }

    /// Gives handlers of a session that has ended a deadline.
    pub(super) fn settle_work(&mut self, deadline: Duration, now: Time) {
        if self.core.closed().is_some() && !self.is_idle() {
            self.work.get_or_insert_default().until.get_or_insert(now + deadline);
        }
    }

    /// When handlers of a session that has ended are given up.
    pub(super) fn work_deadline(&self) -> Option<Time> {
        self.work.as_ref().filter(|work| !work.given_up)?.until
    }

    /// True when no handler is at work, and none has something to do.
    pub(super) fn is_idle(&self) -> bool {
        self.runners == 0 && self.inbox.is_empty()
    }

    /// True if the application has no more to do with the session, or nobody waits for it any more.
    pub(super) fn is_done(&self) -> bool {
        self.is_idle() || self.work.as_ref().is_some_and(|work| work.given_up)
    }

    /// Ends handlers whose time is over, and what waits for them: then the end is told, which has
    /// as much time again. True if there were any.
    pub(super) fn handle_work(&mut self, deadline: Duration, now: Time) -> bool {
        if self.work_deadline().is_none_or(|until| until > now) {
            return false;
        }
        self.drop_messages();
        let (is_idle, is_to_be_told) = (self.is_idle(), !self.inbox.is_empty());
        let Some(work) = &mut self.work else { return false };
        work.until = Some(now + deadline);
        work.given_up = std::mem::replace(&mut work.is_late, true) || !is_to_be_told;
        if let Some(stop) = work.stop.take() {
            stop.cancel();
        }
        !is_idle
    }

    /// Drops what waits for a handler, but for the end.
    pub(super) fn drop_messages(&mut self) {
        self.inbox.retain(|delivery| matches!(delivery, Delivery::Ended(_)));
        self.inbox_bytes = 0;
        self.queued = Queued::default();
    }

    /// With more than so many bytes that wait for handlers, nothing of the client is taken for now.
    pub(super) fn inbox_limit(&self, config: &Config, budget: &Budget) -> usize {
        match self.phase() {
            _ if budget.is_exceeded() => 0,
            OpenPhase::Asking => config.inbox_limit.min(config.connect_inbox_limit),
            OpenPhase::Open | OpenPhase::Refused => config.inbox_limit,
        }
    }

    /// Counts what the session keeps. True if the caller is to have room made.
    #[inline]
    pub(super) fn settle_kept(&mut self, budget: &Budget, now: Time) -> bool {
        // Volatile events come and go, and are looked at with the rest.
        let kept = self.core.outbox_bytes() + self.inbox_bytes + self.unread as usize;
        let is_close = kept.abs_diff(self.counted as usize) < STEP as usize;
        if is_close && (kept > 0 || self.counted == 0) {
            return false;
        }
        self.count_kept(budget, now)
    }

    #[inline(never)]
    fn count_kept(&mut self, budget: &Budget, now: Time) -> bool {
        let kept = self.kept();
        budget.settle(std::mem::replace(&mut self.counted, kept), kept, now)
    }

    /// Bytes that the session keeps.
    pub(super) fn kept(&self) -> u32 {
        let kept = self.core.kept_bytes() + self.inbox_bytes;
        u32::try_from(kept).unwrap_or(u32::MAX).saturating_add(self.unread)
    }
}

impl LiveSession {
    /// A deadline that was filed for `at` has come.
    pub(crate) fn tick(self: &Arc<Self>, at: Time) {
        let given_up = self.with(|state, now| state.tick(at, &self.common.config, now));
        if given_up
            && let Some(suppressed) =
                self.common.complaints.admit("handler_deadline", self.common.now())
        {
            log::warn!(
                "session {}: handlers were still at work {:?} after its end, and were dropped{suppressed}",
                self.id,
                self.common.config.handler_deadline
            );
        }
    }

    /// A carrier holds so many bytes of the client, because its inbox has no room for them.
    pub(super) fn hold_unread(self: &Arc<Self>, bytes: usize) {
        self.with(|state, _| state.unread = u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

/// What a message counts against the limits: its bytes and the place it takes.
pub(super) fn cost(message: &Message) -> usize {
    message.payload.size() + message.name.len() + 64
}

/// A copy in memory of its own.
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

/// A message of so many bytes is a good part of any body.
const LARGE: usize = 128 * 1024;

#[cfg(test)]
mod tests;
