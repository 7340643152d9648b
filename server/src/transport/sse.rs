//! Server-sent events.
//!
//! Spec: 02-carriers, "SSE".

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::{StatusCode, Version, header};
use actix_web::{HttpRequest, HttpResponse};
use bowline_protocol::{Close, CloseCode, Packet, ProtocolError, write_sse_event};
use bytes::{Bytes, BytesMut};

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use super::body::Body;
use super::check::Thinking;
use super::handshake::Handshake;
use super::lines::Lines;
use super::{edge, opening, trial};
use crate::node::Node;
use crate::session::Downlink;
use bowline_protocol::Transport;

/// Opens a stream for a client that can POST its first line.
pub(super) async fn open(
    node: &Arc<Node>,
    handshake: Option<Handshake>,
    Body { first, mut rest, .. }: Body,
) -> Result<HttpResponse, Close> {
    if let Packet::Heartbeat(token) = first {
        return Ok(respond(trial::Stream::new(node, token)));
    }
    let speaker = opening::speaker(node, first, handshake)?;
    let downlink = speaker.attach(Transport::Sse)?;
    let mut next = speaker.next;
    downlink.receive_body(&mut next, &mut rest).await.map_err(ProtocolError::close)?;
    Ok(stream(downlink))
}

/// The response that contains the events of a session.
pub(super) fn stream(downlink: Downlink) -> HttpResponse {
    respond(Events { downlink, last_number: 0, ended: false })
}

fn respond(events: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-cache, no-store, no-transform"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(edge::UNCOMPRESSED)
        .insert_header((edge::NO_BUFFERING, "no"))
        .body(events)
}

/// A stream that notifies its client to wait, and continues with this answer once it is ready.
pub(super) fn late(
    node: &Arc<Node>,
    answer: impl Future<Output = Result<HttpResponse, Close>> + 'static,
) -> HttpResponse {
    let thinking = Thinking::default();
    thinking.trigger().set(true);
    let stage = LateStage::Waiting(answer.boxed_local());
    respond(Late { node: Arc::clone(node), thinking, stage })
}

/// The body of a stream whose answer is not ready yet.
struct Late {
    node: Arc<Node>,
    thinking: Thinking,
    stage: LateStage,
}

enum LateStage {
    Waiting(LocalBoxFuture<'static, Result<HttpResponse, Close>>),
    Streaming(BoxBody),
    Ended,
}

impl MessageBody for Late {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Self { node, thinking, stage } = &mut *self;
        loop {
            match stage {
                LateStage::Ended => return Poll::Ready(None),
                LateStage::Streaming(body) => return Pin::new(body).poll_next(cx),
                LateStage::Waiting(answer) => match answer.as_mut().poll(cx) {
                    Poll::Ready(answer) => match begin(answer) {
                        Ok(body) => *stage = LateStage::Streaming(body),
                        Err(last) => {
                            *stage = LateStage::Ended;
                            return Poll::Ready(Some(Ok(last)));
                        }
                    },
                    Poll::Pending => {
                        std::task::ready!(thinking.poll_due(node, cx));
                        return Poll::Ready(Some(Ok(event(&Packet::Alive("".into())))));
                    }
                },
            }
        }
    }
}

/// The body of the answer, or the event that contains its refusal.
fn begin(answer: Result<HttpResponse, Close>) -> Result<BoxBody, Bytes> {
    let response = answer.map_err(|close| event(&Packet::Close(close)))?;
    let is_stream = response.status() == StatusCode::OK;
    let body = response.into_body();
    if is_stream {
        return Ok(body);
    }
    // A refusal is one line.
    let line = body.try_into_bytes().unwrap_or_default();
    let mut event = BytesMut::new();
    write_sse_event(0, &line, &mut event);
    Err(event.freeze())
}

fn event(packet: &Packet) -> Bytes {
    let mut event = BytesMut::new();
    write_sse_event(0, Lines::of(packet).as_bytes(), &mut event);
    event.freeze()
}

/// An HTTP/1.0 peer cannot detect the end of a stream: its client uses long polls instead.
pub(super) fn check_version(request: &HttpRequest) -> Result<(), Close> {
    if request.version() < Version::HTTP_11 {
        let reason = "streams need HTTP/1.1; use polling";
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
