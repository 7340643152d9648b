//! Answers clients that try a carrier before they move their session to it.
//!
//! Spec: 02-carriers, "Trials".

#![expect(clippy::disallowed_methods, reason = "a trial's line comes later")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::rt::time::sleep;
use bowline_protocol::{Packet, write_sse_event};
use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::lines::write_control;
use crate::node::Node;

/// A stream that answers with one event and then stays open for a while, so that a proxy that waits
/// for the end of a response fails the trial.
pub(super) struct Stream {
    answer: Option<Bytes>,
    end: BoxFuture<'static, ()>,
}

impl Stream {
    /// Answers the heartbeat with this token.
    pub(super) fn new(node: &Arc<Node>, token: Box<str>) -> Self {
        let (mut line, mut event) = (BytesMut::new(), BytesMut::new());
        write_control(&Packet::Alive(token), &mut line);
        write_sse_event(0, &line, &mut event);
        let (later, node) = (sleep(node.config.handshake_timeout), Arc::clone(node));
        let end = async move {
            tokio::select! {
                () = later => {}
                _ = node.drained() => {}
            }
        };
        Self { answer: Some(event.freeze()), end: end.boxed() }
    }
}

impl MessageBody for Stream {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(answer) = self.answer.take() {
            return Poll::Ready(Some(Ok(answer)));
        }
        self.end.as_mut().poll(cx).map(|()| None)
    }
}
