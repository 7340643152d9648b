//! Detects handlers that wait for their own client, while that client waits for another handler.
//!
//! All handlers of a session may wait for answers of the client, while the client first waits for
//! an answer that one of these handlers would have to give. Nothing would then happen until the
//! timeouts, so the server refuses the last such request.
//!
//! Spec: 06-rooms-and-requests, "Requests within requests".

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;

use bowline_protocol::{Encoded, Message, Nested, SessionId, Time};
use bytestring::ByteString;

use super::work::cost;
use super::{Delivery, LiveSession, State};
use crate::complaints::Foreign;
use crate::failure::{Failure, WOULD_DEADLOCK};

/// A running handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtWork {
    session: SessionId,
    /// Its address in memory: no two handlers are at one address at the same time.
    place: usize,
    /// The number of the server's request within which the client sent the message that is
    /// handled; 0 for none.
    within: u64,
}

/// The number of requests that wait for a handler, by the numbers of the server's requests within
/// which the client sent them.
#[derive(Debug, Default)]
pub(super) struct Queued(BTreeMap<u64, usize>);

/// Polls a handler, and identifies it by its place in memory. It stays where it is: a future that
/// is passed by value would occupy memory in each future around it.
pub(super) fn scope<T>(
    session: &LiveSession,
    within: u64,
    mut handler: Pin<&mut impl Future<Output = T>>,
) -> impl Future<Output = T> {
    let (session, place) = (session.id, std::ptr::from_ref(&*handler.as_ref()).addr());
    poll_fn(move |cx| {
        let _scope = Scope(AT_WORK.replace(Some(AtWork { session, place, within })));
        handler.as_mut().poll(cx)
    })
}

/// The handler that this thread is polling.
pub(crate) fn at_work() -> Option<AtWork> {
    AT_WORK.get()
}

impl AtWork {
    pub(crate) const fn session(&self) -> SessionId {
        self.session
    }
}

/// Removes the mark from the name of a request, and returns the number of the server's request that
/// it is within, 0 for none.
pub(super) fn take_mark(message: &mut Message) -> u64 {
    let Some(Nested { within, name }) = Nested::parse(&message.name) else { return 0 };
    message.name = message.name.slice_ref(name);
    within
}

impl State {
    /// Stores which handler waits for the answer to this request of the server; `None` when none
    /// does any more.
    pub(crate) fn waits(&mut self, request: u64, handler: Option<AtWork>) {
        if let Some((_, waits)) = self.waiting.get_mut(&request) {
            *waits = handler;
            self.may_be_stuck |= handler.is_some();
        }
    }

    /// Refuses requests that no handler could begin before their client has answered. Returns their
    /// names.
    pub(super) fn refuse_stuck(&mut self, concurrency: usize, now: Time) -> Vec<ByteString> {
        let mut refused = Vec::new();
        if !std::mem::take(&mut self.may_be_stuck) || self.runners < concurrency {
            return refused;
        }
        while let Some(stuck) = self.find_stuck()
            && let Some(Delivery::Message { number, message, within, .. }) =
                self.inbox.remove(stuck)
        {
            self.inbox_bytes -= cost(&message);
            self.queued.remove(within);
            let failure = Failure::new(WOULD_DEADLOCK)
                .with(&"all handlers of the session wait for answers of this client");
            let answer = Encoded::failure(number, failure.as_wire());
            // A session that has ended sends no answer.
            let _ = self.core.reply(answer.expect("the code is a plain word"), now);
            refused.push(message.name);
        }
        refused
    }

    /// The index in the inbox of the newest request for which some handler waits, if no handler can
    /// continue by itself.
    fn find_stuck(&self) -> Option<usize> {
        let asked = self.asked_by_handlers();
        let mut stuck: BTreeSet<u64> = self.queued.within().collect();
        let mut handlers = BTreeSet::new();
        // A handler that waits for a stuck request is stuck, and so is the request that it handles.
        // Each round finds one.
        while let Some((_, handler)) = asked
            .iter()
            .find(|(number, handler)| stuck.contains(number) && !handlers.contains(&handler.place))
        {
            handlers.insert(handler.place);
            stuck.insert(handler.within);
        }
        if handlers.len() < self.runners {
            return None;
        }
        self.inbox.iter().rposition(|delivery| match delivery {
            Delivery::Message { within, .. } => asked.iter().any(|(number, _)| number == within),
            _ => false,
        })
    }

    /// The numbers of the server's requests for whose answers handlers wait.
    fn asked_by_handlers(&self) -> Vec<(u64, AtWork)> {
        let asked = self.waiting.iter().filter_map(|(id, (_, handler))| {
            Some((self.core.number_of_request(*id)?, (*handler)?))
        });
        asked.collect()
    }
}

impl LiveSession {
    pub(super) fn complain_of_stuck(&self, refused: &[ByteString]) {
        for name in refused {
            let told = format_args!(
                "the request {} was refused: all handlers of the session ({}) wait for answers \
                    of this \
                 client, which waits for one of them first; see BowlineBuilder::concurrency",
                Foreign(name),
                self.common.config.concurrency,
            );
            super::dispatch::complain(self, name, told);
        }
    }
}

impl Queued {
    pub(super) fn insert(&mut self, within: u64) {
        *self.0.entry(within).or_default() += 1;
    }

    /// Has no effect for 0.
    pub(super) fn remove(&mut self, within: u64) {
        if let Some(count) = self.0.get_mut(&within) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&within);
            }
        }
    }

    fn within(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }
}

/// Marks a handler as being polled until this is dropped, even by a panic. Contains the handler
/// around it.
struct Scope(Option<AtWork>);

impl Drop for Scope {
    fn drop(&mut self) {
        AT_WORK.set(self.0);
    }
}

thread_local! {
    static AT_WORK: Cell<Option<AtWork>> = const { Cell::new(None) };
}

#[cfg(test)]
mod tests;
