//! The items of a stream, in both directions, as applications hold them.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_protocol::Payload;
use bytes::Bytes;
use futures::stream::LocalBoxStream;
use futures::{Stream, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Failure, INTERNAL, INVALID_PAYLOAD};
use crate::message;
use crate::session::LiveSession;

/// The items that a client sends in a stream: an argument of the function of
/// [`BowlineBuilder::stream`](crate::BowlineBuilder::stream), and a
/// [`Stream`](futures::Stream) of them, each decoded from JSON.
///
/// The client sends ahead what
/// [`stream_window`](crate::BowlineBuilder::stream_window) allows, and more as these are taken. An
/// error is the last item: the code with which the client's source has failed, or
/// `invalid-payload`. When this is dropped before its end, the client stops sending.
///
/// Spec: 12-streams.
pub struct Items<T> {
    raw: RawItems,
    item: PhantomData<fn() -> T>,
}

/// The items that a client sends in a stream, as bytes: the parts of a file. See [`Items`].
///
/// With `tokio_util::io::StreamReader` it becomes an `AsyncRead`.
pub struct Chunks {
    raw: RawItems,
}

/// What the function of a stream returns to send items: see
/// [`BowlineBuilder::stream`](crate::BowlineBuilder::stream).
///
/// The server asks the stream for an item when the client may receive one, so a slow client makes
/// it wait. When the client cancels or its session ends, the stream is dropped.
#[must_use = "a stream's function returns it"]
pub struct ItemStream {
    items: LocalBoxStream<'static, Result<Payload, Failure>>,
}

/// The items of one stream, until this is dropped.
pub(crate) struct RawItems {
    session: Arc<LiveSession>,
    number: u64,
    is_over: bool,
}

impl<T> Items<T> {
    pub(crate) const fn new(raw: RawItems) -> Self {
        Self { raw, item: PhantomData }
    }
}

impl Chunks {
    pub(crate) const fn new(raw: RawItems) -> Self {
        Self { raw }
    }
}

impl RawItems {
    pub(crate) const fn new(session: Arc<LiveSession>, number: u64) -> Self {
        Self { session, number, is_over: false }
    }

    fn poll_next(&mut self, context: &Context<'_>) -> Poll<Option<Result<Payload, Failure>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let number = self.number;
        let item = self.session.with(|state, now| state.poll_item(number, now, context));
        self.is_over = matches!(item, Poll::Ready(None | Some(Err(_))));
        item
    }
}

impl Drop for RawItems {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.with(|state, now| state.refuse_items(self.number, now));
        }
    }
}

impl<T: DeserializeOwned> Stream for Items<T> {
    type Item = Result<T, Failure>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = self.get_mut().raw.poll_next(context);
        item.map(|item| {
            item.map(|item| {
                message::from_payload(&item?)
                    .map_err(|error| Failure::new(INVALID_PAYLOAD).with(&error.to_string()))
            })
        })
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, Failure>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = self.get_mut().raw.poll_next(context);
        item.map(|item| {
            item.map(|item| {
                item?.bytes.ok_or_else(|| {
                    Failure::new(INVALID_PAYLOAD).with(&"each item of this stream must have bytes")
                })
            })
        })
    }
}

impl ItemStream {
    /// The items of a stream, each encoded as JSON. The server ends the stream after the last one.
    pub fn new<T: Serialize>(items: impl Stream<Item = T> + 'static) -> Self {
        Self { items: items.map(|item| encode(&item, None)).boxed_local() }
    }

    /// As [`Self::new`], for items that may fail: the first error ends the stream, and the client
    /// receives it.
    pub fn fallible<T: Serialize, E: Into<Failure>>(
        items: impl Stream<Item = Result<T, E>> + 'static,
    ) -> Self {
        let encoded = items.map(|item| encode(&item.map_err(Into::into)?, None));
        Self { items: encoded.boxed_local() }
    }

    /// Items of bytes, such as the parts of a file. Each has at most half the bytes of the client's
    /// window: 128 KiB with the client libraries' defaults.
    pub fn bytes<E: Into<Failure>>(items: impl Stream<Item = Result<Bytes, E>> + 'static) -> Self {
        let encoded = items.map(|item| encode(&(), Some(item.map_err(Into::into)?)));
        Self { items: encoded.boxed_local() }
    }

    pub(crate) fn into_items(self) -> LocalBoxStream<'static, Result<Payload, Failure>> {
        self.items
    }
}

fn encode<T: Serialize>(value: &T, bytes: Option<Bytes>) -> Result<Payload, Failure> {
    message::to_payload_with(value, bytes)
        .map_err(|error| Failure::new(INTERNAL).with(&error.to_string()))
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("stream", &self.raw.number).finish_non_exhaustive()
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").field("stream", &self.raw.number).finish_non_exhaustive()
    }
}

impl fmt::Debug for ItemStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemStream").finish_non_exhaustive()
    }
}
