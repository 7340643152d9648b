//! Runs handlers: in order for each session, and immediately where the order allows it.

#![expect(clippy::disallowed_methods, reason = "a task for a handler that has to wait")]

use std::borrow::Cow;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use actix_web::rt;
use bowline_protocol::{Encoded, Message, MessageKind, Time};
use futures::{FutureExt as _, poll};
use tokio_util::sync::CancellationToken;

use super::{Delivery, LiveSession, Worker, nesting};
use crate::complaints::{Foreign, Quoted, limited};
use crate::failure::{Failure, INTERNAL, INVALID_PAYLOAD, NO_HANDLER};
use crate::names::is_of_stream;
use crate::turn;

/// Starts a runner that the session has counted already, from a transport: no code of the
/// application may be on the call stack here.
///
/// Most handlers complete without awaiting anything, so the runner is polled in place first; only a
/// pending runner is spawned as a task.
pub(super) fn start(session: &Arc<LiveSession>) {
    let Some(worker) = Worker::here(&session.common) else {
        let moved = Arc::clone(session);
        if !session.common.workers.run(move || start(&moved)) {
            session.with(|state, _| state.has_no_worker());
        }
        return;
    };
    let mut work = Box::pin(work_off(Arc::clone(session), Rc::clone(&worker)));
    let mut context = Context::from_waker(Waker::noop());
    if worker.at_once(&session.common, || work.as_mut().poll(&mut context)).is_pending() {
        let stop = session.lock().handler_waits();
        rt::spawn(wait(Arc::clone(session), worker, work, stop));
    }
}

/// Starts a runner that the session has counted already, as a task.
pub(super) fn spawn(session: &Arc<LiveSession>) {
    match Worker::here(&session.common) {
        Some(worker) => drop(rt::spawn(run(Arc::clone(session), worker))),
        None => start(session),
    }
}

async fn run(session: Arc<LiveSession>, worker: Rc<Worker>) {
    let mut work = Box::pin(work_off(Arc::clone(&session), Rc::clone(&worker)));
    if poll!(work.as_mut()).is_pending() {
        let stop = session.lock().handler_waits();
        wait(session, worker, work, stop).await;
    }
}

/// Continues a pending runner. If the session has ended and the deadline of its handlers passes,
/// their futures are dropped, and a new runner handles the remaining deliveries.
async fn wait<W: Future<Output = ()>>(
    session: Arc<LiveSession>,
    worker: Rc<Worker>,
    work: Pin<Box<W>>,
    stop: CancellationToken,
) {
    tokio::select! {
        biased;
        () = work => return,
        () = stop.cancelled() => {}
    }
    // What remains is the delivery of the end, which has a deadline of its own.
    Box::pin(run(session, worker)).await;
}

/// Runs handlers until the inbox is empty.
async fn work_off(session: Arc<LiveSession>, worker: Rc<Worker>) {
    let (session, worker) = (&session, &worker);
    let mut answer = None;
    let mut turn = HandlersTurn::begin(session, worker);
    // The session accepts one answer and yields the next message under the same lock.
    while let Some(delivery) = session.next_delivery(answer.take(), worker) {
        if turn.is_over(session) {
            turn::pause().await;
            turn = HandlersTurn::begin(session, worker);
        }
        turn.handled += 1;
        match delivery {
            Delivery::Message { kind, number, message, within, .. } => {
                let request = (kind == MessageKind::Request).then_some(number);
                let handling = pin!(handle(session, worker, request, message));
                answer = nesting::scope(session, within, handling).await;
            }
            Delivery::Away(is_away) => {
                nesting::scope(session, 0, pin!(call_away_hook(session, worker, is_away))).await;
            }
            Delivery::Ended(close) => {
                let _under_way = session.common.hook_begins();
                let request = &worker.request;
                let hook = async {
                    if let Some(call) = session.around.call_disconnect(session, request, close) {
                        call.await;
                    }
                };
                if AssertUnwindSafe(hook).catch_unwind().await.is_err() {
                    limited!("session {}: the disconnect hook panicked", session.id);
                }
                session.with(|state, _| state.rooms.clear());
            }
        }
    }
}

/// The share of one runner in the messages that all runners of a session may handle in one turn.
struct HandlersTurn {
    begun: Time,
    handled: usize,
    at_most: usize,
}

impl HandlersTurn {
    fn begin(session: &LiveSession, worker: &Worker) -> Self {
        let at_most = (turn::UNITS / session.common.config.concurrency.max(1)).max(1);
        Self { begun: worker.now(&session.common), handled: 0, at_most }
    }

    /// True when this runner has to yield to other tasks.
    fn is_over(&self, session: &LiveSession) -> bool {
        let looks = self.handled > 0 && self.handled.is_multiple_of(turn::UNITS_PER_LOOK);
        self.handled >= self.at_most || (looks && session.common.now() > self.begun + turn::TIME)
    }
}

async fn call_away_hook(session: &Arc<LiveSession>, worker: &Worker, is_away: bool) {
    let hook = async {
        if let Some(call) = session.around.call_away(session, &worker.request, is_away) {
            call.await;
        }
    };
    if AssertUnwindSafe(hook).catch_unwind().await.is_err() {
        let name = if is_away { "on_away" } else { "on_back" };
        limited!("session {}: the hook {name} panicked", session.id);
    }
}

/// Returns the answer, if the message is a request.
async fn handle(
    session: &Arc<LiveSession>,
    worker: &Worker,
    request: Option<u64>,
    message: Message,
) -> Option<Encoded> {
    if session.common.limiter.is_used()
        && !is_of_stream(&message.name)
        && let Err(beyond) = session.admit(&message, request.is_some()).await
    {
        return request.map(|request| failure(request, &beyond));
    }
    // Extractors, and all code of the handler before its first await, run in the call itself.
    let called = session.around.handle(session, &worker.request, request, message);
    let outcome = match called.handling {
        Ok(handling) => AssertUnwindSafe(handling).catch_unwind().await,
        Err(panic) => Err(panic),
    };
    let (name, who) = (&*called.name, called.who);
    let outcome = outcome.unwrap_or_else(|_| {
        limited!("session {}: {who} of {} panicked", session.id, Foreign(name));
        Err(Failure::new(INTERNAL))
    });
    outcome.unwrap_or_else(|error| {
        report(session, (name, who), &error, request.is_some());
        request.map(|request| failure(request, &error))
    })
}

/// The client that sent a request receives the failure of its handler. Failures of which no client
/// is notified are written to the log.
fn report(session: &LiveSession, (name, who): (&str, &str), error: &Failure, is_request: bool) {
    if error.code() == NO_HANDLER {
        complain(session, name, format_args!("no handler is registered for {}", Foreign(name)));
    } else if error.code() == INVALID_PAYLOAD {
        let why = error.detail::<String>().unwrap_or_default();
        let (why, name) = (without_values(&why), Foreign(name));
        let why = Foreign(&why);
        complain(session, name.0, format_args!("the payload of {name} cannot be read: {why}"));
    } else if is_request {
        log::debug!("session {}: {name:?} failed: {}", session.id, Quoted(error));
    } else {
        let (code, name) = (Foreign(error.code()), Foreign(name));
        complain(session, name.0, format_args!("{who} of the event {name} failed: {code}"));
    }
}

/// Writes a warning, unless the log has had enough of them about this event.
pub(super) fn complain(session: &LiveSession, name: &str, what: fmt::Arguments<'_>) {
    if log::log_enabled!(log::Level::Warn)
        && let Some(suppressed) = session.common.complaints.admit(name, session.common.now())
    {
        log::warn!("session {}: {what}{suppressed}", session.id);
    }
}

/// Returns serde's error about a payload without the value that serde quotes: it may be a password.
fn without_values(error: &str) -> Cow<'_, str> {
    let Some((found, expected)) = error.rsplit_once(", expected ") else { return error.into() };
    let mut words = found.split([' ', ':', '`']);
    let kind = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    format!("{} {}, expected {expected}", kind.0, kind.1).into()
}

/// Encodes a failure as an answer. Where that fails, the answer is an internal failure.
fn failure(request: u64, failure: &Failure) -> Encoded {
    Encoded::failure(request, failure.as_wire()).unwrap_or_else(|error| {
        limited!("the answer to a request cannot be sent: {error}");
        let internal = Failure::new(INTERNAL);
        Encoded::failure(request, internal.as_wire()).expect("the code is a plain word")
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::without_values;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "lowercase")]
    enum Kind {
        #[expect(dead_code, reason = "it is only read")]
        Known(u64),
    }

    #[test]
    fn a_payload_that_cannot_be_read_is_not_quoted() {
        for (json, said) in [
            (
                r#"{"known":"hunter2, expected b"}"#,
                "invalid type, expected u64 at line 1 column 30",
            ),
            (r#"{"known":-77777}"#, "invalid value, expected u64 at line 1 column 15"),
            (r#"{"hunter2":1}"#, "unknown variant, expected `known` at line 1 column 10"),
            ("{", "EOF while parsing an object at line 1 column 1"),
        ] {
            let error = serde_json::from_str::<Kind>(json).unwrap_err().to_string();
            assert_eq!(without_values(&error), said, "{error}");
        }
    }
}
