//! The application's work on a stream: a task beside the handlers of the session.

#![expect(clippy::disallowed_methods, reason = "a task for a stream, within max_streams")]

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_web::rt;
use bowline_protocol::{Encoded, Payload, STREAM_END, StreamEnd, StreamFailure};
use futures::FutureExt as _;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::complaints::limited;
use crate::failure::{Failure, INTERNAL};
use crate::message;
use crate::node::Streaming;
use crate::session::LiveSession;

/// Runs the work until it is done, or `stop` is cancelled because the stream is over.
pub(super) fn begin(
    session: &Arc<LiveSession>,
    number: u64,
    name: String,
    work: Streaming,
    stop: CancellationToken,
) {
    let session = Arc::clone(session);
    rt::spawn(async move {
        let run = run(&session, number, &name, work);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = run => {}
        }
    });
}

async fn run(session: &Arc<LiveSession>, number: u64, name: &str, work: Streaming) {
    let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        limited!("session {}: the function of the stream {name:?} panicked", session.id);
        Err(Failure::new(INTERNAL))
    });
    let packet = end(number, outcome.as_ref()).unwrap_or_else(|| {
        limited!("session {}: the end of the stream {name:?} cannot be encoded", session.id);
        end(number, Err(&Failure::new(INTERNAL))).expect("a number and a plain word")
    });
    poll_fn(|cx| session.with(|state, now| state.poll_end_stream(number, &packet, now, cx))).await;
}

/// The event that ends a stream. `None` if the value or the failure cannot be sent.
pub(super) fn end(number: u64, outcome: Result<&Payload, &Failure>) -> Option<Encoded> {
    let mut end = StreamEnd { stream: number, payload: None, failure: None };
    let bytes = match outcome {
        Ok(value) => {
            end.payload = raw(value)?;
            value.bytes.clone()
        }
        Err(failure) => {
            let bowline_protocol::Failure { code, payload } = failure.as_wire();
            end.failure = Some(StreamFailure { code: code.to_string(), payload: raw(payload)? });
            payload.bytes.clone()
        }
    };
    let payload = message::to_payload_with(&end, bytes).ok()?;
    Encoded::event(STREAM_END, &payload).ok()
}

/// The JSON as it is, `Some(None)` if it is absent. `None` if it is no JSON.
fn raw(payload: &Payload) -> Option<Option<Box<RawValue>>> {
    if payload.json.is_empty() {
        return Some(None);
    }
    RawValue::from_string(payload.json.to_string()).ok().map(Some)
}
