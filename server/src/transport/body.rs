//! Reads request bodies, bounded in size and in time.
//!
//! Spec: 08-limits, "HTTP bodies".

#![expect(clippy::disallowed_methods, reason = "the deadline of a body")]

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::{HttpResponse, dev, rt};
use bowline_protocol::{Batch, Close, CloseCode, Packet, ProtocolError};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use crate::node::Node;

/// A complete request body, and its first line.
pub(super) struct Body {
    pub(super) first: Packet,
    pub(super) rest: Batch,
    /// The whole body, as it was received.
    pub(super) whole: Bytes,
}

/// Reads a body and its first line.
///
/// # Errors
/// The close that answers the request.
pub(super) async fn read(node: &Node, payload: &mut dev::Payload) -> Result<Body, Close> {
    let limits = &node.config.limits;
    let whole = collect(payload, limits.batch);
    let timed = rt::time::timeout(node.config.handshake_timeout, whole);
    let body = tokio::select! {
        biased;
        body = timed => body.map_err(|_| Close::new(CloseCode::HANDSHAKE_TIMEOUT))??,
        close = given_up(node) => return Err(close),
    };
    parse(node, body)
}

/// Ready when a node that drains no longer waits for the rest of a body. It still accepts a body
/// that is arriving: the client may need an answer that is ready.
async fn given_up(node: &Node) -> Close {
    let close = node.drained().await;
    rt::time::sleep(WHEN_DRAINING).await;
    close
}

/// Reads the first line of a complete body.
///
/// # Errors
/// The close that answers the request.
pub(super) fn parse(node: &Node, whole: Bytes) -> Result<Body, Close> {
    let limits = &node.config.limits;
    let mut rest = Batch::new(whole.clone(), limits).map_err(ProtocolError::close)?;
    let first = first_line(&mut rest).map_err(ProtocolError::close)?;
    Ok(Body { first, rest, whole })
}

/// The line that begins every attachment and every body.
pub(super) fn first_line(batch: &mut Batch) -> Result<Packet, ProtocolError> {
    let missing = Err(ProtocolError::Malformed("the first line is missing"));
    batch.first_line().unwrap_or(missing)
}

async fn collect(payload: &mut dev::Payload, limit: usize) -> Result<Bytes, Close> {
    let mut chunks = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        // The client has closed the connection early, so it receives no answer.
        let chunk = chunk.map_err(|_| Close::new(CloseCode::MALFORMED))?;
        if chunks.len() + chunk.len() > limit {
            return Err(Close::new(CloseCode::TOO_LARGE));
        }
        chunks.extend_from_slice(&chunk);
    }
    *payload = dev::Payload::None;
    Ok(chunks.freeze())
}

/// Lets the connection end with an answer that was sent before the end of the request's body.
///
/// actix reads and drops the rest of a chunked body that nobody reads, for as long as bytes arrive.
/// If the body is held until the answer is written, actix sends `Connection: close` and closes.
pub(crate) fn end_with_unread(response: HttpResponse, unread: dev::Payload) -> HttpResponse {
    match unread {
        dev::Payload::H1 { .. } => {
            response.map_body(|_, body| Held { body, _unread: unread }.boxed())
        }
        _ => response,
    }
}

/// The body of an answer, and the unread rest of the request's body.
struct Held {
    body: BoxBody,
    _unread: dev::Payload,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// How long a node that drains waits for the rest of a body.
const WHEN_DRAINING: Duration = Duration::from_millis(250);
