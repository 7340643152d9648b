//! Bodies, for `server/fuzz`.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use actix_web::body::MessageBody as _;
use actix_web::{HttpResponse, rt};
use bowline_protocol::{Batch, Close, Limits, Open, SseDecoder, Token};
use bytes::Bytes;

use super::{Endpoint, answer, body as reading, edge};
use crate::fuzzing::CREDENTIALS;
use crate::node::Node;
use crate::random::random;
use crate::session::{OpenPhase, Opened};

/// Reads a body and answers it, on a node that has one session before and none afterwards.
pub(crate) fn body(node: &Arc<Node>, endpoint: u8, text: &[u8]) {
    thread_local! {
        static WORKER: rt::Runtime = rt::Runtime::new().expect("a thread can have a runtime");
    }
    let key = Token::from_bytes(random());
    let open = Open { key, counter: 1, instance: 0, take: None, auth: "".into() };
    let Ok(Opened::New(session)) = node.open(&open, None) else {
        panic!("a new key opens a session")
    };
    session.with(|state, _| state.set_phase(OpenPhase::Open));
    let credentials = format!("sid={} secret={}", session.id, session.secret.reveal());
    let text = with(text, credentials.as_bytes());
    let endpoint = Endpoint::ALL[usize::from(endpoint) % Endpoint::ALL.len()];
    WORKER.with(|worker| {
        worker.block_on(async {
            match reading::parse(node, text) {
                Ok(body) => {
                    let mut answering = Box::pin(answer(node, endpoint, body, None));
                    // A poll may wait for a packet.
                    for _ in 0..ROUNDS {
                        if let std::task::Poll::Ready(answer) = futures::poll!(&mut answering) {
                            check(answer.unwrap_or_else(|close| edge::refusal(&close)));
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                }
                Err(close) => check(edge::refusal(&close)),
            }
        });
    });
    for session in node.registry.all() {
        session.close(Close::new(bowline_protocol::CloseCode::NORMAL));
        node.registry.remove(&session, node.now());
    }
}

fn with(text: &[u8], credentials: &[u8]) -> Bytes {
    let mut parts = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(CREDENTIALS.len()).position(|place| place == CREDENTIALS) {
        parts.extend_from_slice(&rest[..at]);
        parts.extend_from_slice(credentials);
        rest = &rest[at + CREDENTIALS.len()..];
    }
    parts.extend_from_slice(rest);
    parts.into()
}

/// Checks that an answer consists of lines of the protocol, or is a stream of them.
fn check(response: HttpResponse) {
    assert!(response.status().as_u16() < 500, "{}", response.status());
    let is_stream =
        response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let body = response.into_body();
    if is_stream {
        let mut body = pin!(body);
        let mut decoder = SseDecoder::new(&Limits::default());
        let mut context = Context::from_waker(Waker::noop());
        while let std::task::Poll::Ready(Some(event)) = body.as_mut().poll_next(&mut context) {
            decoder.push(&event.expect("a stream does not fail"));
            while let Some(event) = decoder.next_event().expect("an event is one") {
                lines(event.data.into());
            }
        }
    } else if let Ok(body) = body.try_into_bytes() {
        lines(body);
    }
}

fn lines(body: Bytes) {
    let mut batch = Batch::new(body, &Limits::default()).expect("an answer is text");
    // A welcome and a refusal may only be first lines.
    if let Some(first) = batch.first_line() {
        first.expect("an answer begins with a line of the protocol");
    }
    while let Some(packet) = batch.next_packet() {
        packet.expect("an answer has lines of the protocol");
    }
}

/// How often an answer is polled.
const ROUNDS: usize = 32;
