//! Server-sent events.
//!
//! Spec: 02-carriers, "SSE".

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::{Version, header};
use actix_web::{HttpRequest, HttpResponse};
use bowline_protocol::{Close, CloseCode, Packet, ProtocolError, write_sse_event};
use bytes::{Bytes, BytesMut};

use super::body::Body;
use super::handshake::Handshake;
use super::lines::Lines;
use super::{Transport, edge, opening, post, trial};
use crate::message;
use crate::node::Node;
use crate::session::Downlink;

/// Opens a stream for a client that can POST its first line.
pub(super) fn open(
    node: &Arc<Node>,
    handshake: Option<Handshake>,
    Body { first, mut rest, .. }: Body,
) -> Result<HttpResponse, Close> {
    if let Packet::Heartbeat(token) = first {
        return Ok(respond(trial::Stream::new(node, token)));
    }
    let speaker = opening::speaker(node, first, handshake)?;
    let downlink = speaker.attach(Transport::Sse)?;
    if let Some(mut next) = post::in_sequence(&speaker.session, speaker.next) {
        let taken = downlink.receive(&mut next, || rest.next_packet());
        taken.map_err(ProtocolError::close)?;
    }
    Ok(stream(downlink))
}

/// The response that carries the events of a session.
pub(super) fn stream(downlink: Downlink) -> HttpResponse {
    respond(Events { downlink, last_number: 0, ended: false })
}

fn respond(events: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-cache, no-store, no-transform"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // Compression would hold events back until a block is full.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header((edge::NO_BUFFERING, "no"))
        .body(events)
}

/// A stream to an HTTP/1.0 peer has no end that it could see: its client takes long polls instead.
pub(super) fn check_version(request: &HttpRequest) -> Result<(), Close> {
    if request.version() < Version::HTTP_11 {
        let reason = message::json_text("streams need HTTP/1.1; use polling");
        return Err(Close::with_reason(CloseCode::INTERNAL, reason));
    }
    Ok(())
}

/// The body of the response: one event for each batch.
#[derive(Debug)]
struct Events {
    downlink: Downlink,
    last_number: u64,
    ended: bool,
}

impl MessageBody for Events {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut lines = Lines::after(self.last_number);
        let drained = std::task::ready!(self.downlink.poll_drain(cx, &mut lines));
        self.last_number = lines.last_number();
        self.ended = drained.is_err() || lines.is_closed();
        if let Err(gone) = drained {
            lines.write_gone(gone);
        }
        let mut event = BytesMut::new();
        if !lines.as_bytes().is_empty() {
            write_sse_event(lines.last_number(), lines.as_bytes(), &mut event);
        }
        Poll::Ready((!event.is_empty()).then(|| Ok(event.freeze())))
    }
}
