//! What the client sends in a stream.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bowline_protocol::{Encoded, Payload, item_size};
use bytes::Bytes;
use serde::Serialize;

use super::encode;
use crate::error::EmitError;
use crate::shared::Shared;
use crate::streams::{Room, StreamError};

/// Sends the items of a stream: see [`OpenStream::both_ways`](crate::OpenStream::both_ways).
///
/// Dropped before [`Self::finish`], it ends the items with the failure `aborted`.
pub struct StreamSender {
    shared: Arc<Shared>,
    number: u64,
}

impl StreamSender {
    pub(super) fn new(shared: &Arc<Shared>, number: u64) -> Self {
        Self { shared: Arc::clone(shared), number }
    }

    /// Sends an item as soon as the server may receive it. False if the server takes no more items:
    /// its application has read what it wants, and the stream ends with its value.
    ///
    /// # Errors
    /// When the stream has ended with an error, or the item cannot be sent.
    pub async fn send<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<bool, StreamError> {
        let item = encode(item).map_err(|error| StreamError::Encode(error.to_string()))?;
        self.send_raw(&item).await
    }

    /// As [`Self::send`], for bytes.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_bytes(&mut self, bytes: impl Into<Bytes>) -> Result<bool, StreamError> {
        self.send_raw(&Payload::default().with_bytes(bytes.into())).await
    }

    /// As [`Self::send`], for JSON with bytes beside it.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_raw(&mut self, item: &Payload) -> Result<bool, StreamError> {
        poll_fn(|cx| self.poll_send(item, cx)).await
    }

    /// The client sends no more items. The stream goes on until the server ends it.
    pub fn finish(self) {
        self.end(None);
    }

    fn poll_send(&self, item: &Payload, cx: &Context<'_>) -> Poll<Result<bool, StreamError>> {
        let size = item_size(item);
        let now = self.shared.platform.now();
        let mut guard = self.shared.lock();
        let core = &mut *guard;
        let has_room = core.engine.has_room(size);
        let room = core.streams.poll_room(self.number, size as u64, has_room, cx);
        if ready!(room)? == Room::Refused {
            return Poll::Ready(Ok(false));
        }
        let name = core.streams.sent(self.number, size as u64).expect("there is room for it");
        let packet = Encoded::event(name, item).map_err(EmitError::from);
        let sent = packet.and_then(|packet| {
            core.check_size(&packet)?;
            core.engine.emit(packet, now).map(drop).map_err(EmitError::from)
        });
        drop(guard);
        self.shared.wake.notify();
        Poll::Ready(sent.map(|()| true).map_err(|error| StreamError::Encode(error.to_string())))
    }

    fn end(&self, code: Option<&str>) {
        let now = self.shared.platform.now();
        let mut core = self.shared.lock();
        if let Some(end) = core.streams.finish(self.number, code) {
            core.emit_for_stream(end, now);
        }
        drop(core);
        self.shared.wake.notify();
    }
}

impl Drop for StreamSender {
    fn drop(&mut self) {
        self.end(Some(ABORTED));
    }
}

impl fmt::Debug for StreamSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSender").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The code of items that are not complete.
const ABORTED: &str = "aborted";
