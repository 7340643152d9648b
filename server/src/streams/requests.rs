//! The requests and events of clients, one by one. None of them waits.

use std::future::ready;
use std::sync::Arc;

use bowline_protocol::{
    Message, Payload, STREAM_ITEM, StreamCancel, StreamCredit, StreamEnd, StreamFailure,
    StreamOpen, StreamOpened, WindowExceeded,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::work;
use crate::failure::Failure;
use crate::handler::{IntoReply as _, Json};
use crate::message;
use crate::node::{MessageContext, StreamContext};
use crate::session::{Handling, LiveSession, NotOpened};

/// Opens a stream: calls the application's function, which runs beside the session's handlers.
pub(super) fn open(context: MessageContext<'_>) -> Handling {
    let number = context.request_number;
    let opened = begin(context).and_then(|opened| Json(opened).into_answer(number));
    Box::pin(ready(opened))
}

fn begin(context: MessageContext<'_>) -> Result<StreamOpened, Failure> {
    let Some(asked) = read::<StreamOpen<Box<RawValue>>>(&context.message.payload) else {
        return Err(Failure::new(INVALID_STREAM));
    };
    let StreamOpen { stream: number, name, window, payload } = asked;
    if context.request_number.is_none() || !window.is_valid() {
        return Err(Failure::new(INVALID_STREAM));
    }
    let session = context.session.session;
    let handler = context.session.node.hooks.streams.get(&name);
    let handler = handler.ok_or_else(|| Failure::new(NO_STREAM))?;
    let config = &session.common.config;
    let opened = session
        .with(|state, _| state.open_stream(number, window, config.max_streams_per_session))
        .map_err(|error| match error {
            NotOpened::InvalidNumber => Failure::new(INVALID_STREAM),
            NotOpened::TooMany => Failure::new(TOO_MANY).with(&config.max_streams_per_session),
        })?;
    let json = payload.map(|payload| Box::<str>::from(payload).into()).unwrap_or_default();
    let payload = Payload { json, bytes: context.message.payload.bytes };
    let message = Message { name: name.as_str().into(), payload };
    let message = MessageContext { session: context.session, request_number: None, message };
    let work = handler(StreamContext { message, number }).inspect_err(|_| {
        // The client receives the failure as the answer.
        session.with(|state, _| state.close_stream(number));
    })?;
    work::begin(session, number, name, work, opened);
    let receives = session.look(|state| state.receives_items(number));
    Ok(StreamOpened { window: receives.then_some(config.stream_window) })
}

/// An item of the client.
pub(super) fn item(context: MessageContext<'_>) -> Handling {
    let session = context.session.session;
    let Message { name, payload } = context.message;
    let number = name.strip_prefix(STREAM_ITEM).and_then(|number| number.parse().ok());
    if let Some(number) = number
        && !session.with(|state, _| state.receive_item(number, payload))
    {
        fail(session, number, WINDOW_EXCEEDED);
    }
    done()
}

/// The client has taken items.
pub(super) fn credit(context: MessageContext<'_>) -> Handling {
    if let Some(StreamCredit { stream, taken }) = read(&context.message.payload) {
        context.session.session.with(|state, _| state.credit_stream(stream, taken));
    }
    done()
}

/// The client has sent its last item.
pub(super) fn end(context: MessageContext<'_>) -> Handling {
    if let Some(end) = read::<StreamEnd<Box<RawValue>>>(&context.message.payload) {
        let failure = end.failure.map(|StreamFailure { code, payload }| {
            let failure = Failure::new(&code);
            match payload {
                Some(payload) => failure.with(&payload),
                None => failure,
            }
        });
        context.session.session.with(|state, _| state.end_items(end.stream, failure));
    }
    done()
}

/// The client wants no more of a stream.
pub(super) fn cancel(context: MessageContext<'_>) -> Handling {
    if let Some(StreamCancel { stream }) = read(&context.message.payload) {
        context.session.session.with(|state, _| state.close_stream(stream));
    }
    done()
}

/// Ends a stream because of what its client has sent.
fn fail(session: &Arc<LiveSession>, number: u64, code: &str) {
    let why = Failure::new(code).with(&WindowExceeded.to_string());
    if let Some(end) = work::end(number, Err(&why)) {
        session.with(|state, now| state.end_stream(number, end, now));
    }
}

/// A payload that cannot be read is that of no stream.
fn read<T: DeserializeOwned>(payload: &Payload) -> Option<T> {
    message::from_payload(payload).ok()
}

fn done() -> Handling {
    Box::pin(ready(Ok(None)))
}

/// The payload is not that of the request, or a stream of this number is open.
const INVALID_STREAM: &str = "invalid-stream";
/// The application has no streams of this name.
const NO_STREAM: &str = "no-stream";
/// The session has as many streams as it may have; the detail is their number.
const TOO_MANY: &str = "too-many-streams";
/// The client has sent more than the window allows.
const WINDOW_EXCEEDED: &str = "window-exceeded";
