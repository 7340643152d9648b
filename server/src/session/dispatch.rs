//! Runs handlers: in order for each session, at once where they need not wait.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use actix_web::rt;
use bowline_protocol::{Encoded, Message, MessageKind};
use futures::FutureExt as _;

use super::{Delivery, LiveSession, Worker};
use crate::extract::MessageContext;
use crate::failure::{Failure, INTERNAL, NO_HANDLER};

/// Starts a runner that the session has counted already, from a transport: nothing of the application
/// may be in the middle of something here.
///
/// Most handlers are over without waiting for anything, so the runner is tried in place first; only
/// one that has to wait becomes a task.
pub(super) fn start(session: &Arc<LiveSession>) {
    let Some(worker) = Worker::here(&session.node) else {
        let carried = Arc::clone(session);
        session.node.workers.run(move || start(&carried));
        return;
    };
    let mut runner = Box::pin(run(Arc::clone(session), Rc::clone(&worker)));
    let mut context = Context::from_waker(Waker::noop());
    if worker.at_once(&session.node, || runner.as_mut().poll(&mut context)).is_pending() {
        rt::spawn(runner);
    }
}

/// Starts a runner that the session has counted already, as a task.
pub(super) fn spawn(session: &Arc<LiveSession>) {
    match Worker::here(&session.node) {
        Some(worker) => drop(rt::spawn(run(Arc::clone(session), worker))),
        None => start(session),
    }
}

async fn run(session: Arc<LiveSession>, worker: Rc<Worker>) {
    let mut answer = None;
    // One answer goes out, and the next message comes in, under the same lock.
    while let Some(delivery) = session.next_delivery(answer.take(), &worker) {
        match delivery {
            Delivery::Message { kind, number, message } => {
                let request = (kind == MessageKind::Request).then_some(number);
                answer = handle(&session, &worker, request, message).await;
            }
            Delivery::Away(is_away) => tell_away(&session, &worker, is_away).await,
            Delivery::Ended(close) => {
                if let Some(hook) = &session.node.hooks.disconnect {
                    let _under_way = session.node.hook_begins();
                    let told = async { hook.call(&session, &worker.request, close).await };
                    if AssertUnwindSafe(told).catch_unwind().await.is_err() {
                        log::error!("session {}: the disconnect hook panicked", session.id);
                    }
                }
                session.with(|state, _| state.rooms.clear());
            }
        }
    }
}

async fn tell_away(session: &Arc<LiveSession>, worker: &Worker, is_away: bool) {
    let hooks = &session.node.hooks;
    let Some(hook) = (if is_away { &hooks.away } else { &hooks.back }) else { return };
    let told = async { hook.call(session, &worker.request).await };
    if AssertUnwindSafe(told).catch_unwind().await.is_err() {
        let name = if is_away { "on_away" } else { "on_back" };
        log::error!("session {}: the hook {name} panicked", session.id);
    }
}

/// Yields the answer, if the message is a request.
async fn handle(
    session: &Arc<LiveSession>,
    worker: &Worker,
    request: Option<u64>,
    message: Message,
) -> Option<Encoded> {
    let Some((name, handler)) = session.node.handlers.get(&message.name) else {
        log::debug!("session {}: no handler for {:?}", session.id, message.name);
        return request.map(|request| failure(request, &Failure::new(NO_HANDLER)));
    };
    let context =
        MessageContext { session, request: &worker.request, request_number: request, message };
    // Extractors, and all before the first await, run in the call itself.
    let outcome = AssertUnwindSafe(async { handler.call(context).await }).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| {
        log::error!("session {}: the handler of {name:?} panicked", session.id);
        Err(Failure::new(INTERNAL))
    });
    outcome.unwrap_or_else(|error| {
        log::debug!("session {}: {name:?} failed: {error}", session.id);
        request.map(|request| failure(request, &error))
    })
}

/// A failure as an answer. One that cannot be written is told as another.
fn failure(request: u64, failure: &Failure) -> Encoded {
    Encoded::failure(request, failure.as_wire()).unwrap_or_else(|error| {
        log::error!("the answer to a request cannot be sent: {error}");
        let internal = Failure::new(INTERNAL);
        Encoded::failure(request, internal.as_wire()).expect("the code is a plain word")
    })
}
