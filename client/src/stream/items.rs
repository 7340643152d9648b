//! The items of a stream, as applications read them.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bowline_protocol::Payload;
use futures::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;

use crate::error::{DecodeError, TryRecvError};
use crate::shared::Shared;
use crate::streams::{StreamError, Taken, cost};

/// The items of a stream that are not decoded: JSON and the bytes beside it. An error is the last
/// one. Dropping it cancels the stream at the server.
pub struct RawItemStream {
    shared: Arc<Shared>,
    number: u64,
    /// The application has received how the stream has ended.
    is_over: bool,
}

/// The items of a stream, decoded: see [`Client::stream`](crate::Client::stream). An error is the
/// last one. Dropping it cancels the stream at the server.
pub struct ItemStream<T> {
    raw: RawItemStream,
    item: PhantomData<fn() -> T>,
}

impl RawItemStream {
    pub(super) fn new(shared: &Arc<Shared>, number: u64) -> Self {
        Self { shared: Arc::clone(shared), number, is_over: false }
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The next item that has arrived, without waiting: for a game loop that looks once a frame.
    ///
    /// # Errors
    /// When no item waits, and when none will come any more; [`Self::result`] tells why.
    pub fn try_recv(&mut self) -> Result<Payload, TryRecvError> {
        let taken = self.shared.lock().streams.try_item(self.number);
        if let Some(taken) = taken {
            return Ok(self.taken(taken));
        }
        let has_ended = self.shared.lock().streams.outcome(self.number).is_some();
        Err(if has_ended { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    /// Waits for the end of the stream, and drops the items that were not read. Resolves with the
    /// value that the server's application has returned.
    ///
    /// # Errors
    /// When the stream has ended in another way.
    pub async fn result(mut self) -> Result<Payload, StreamError> {
        while let Some(item) = poll_fn(|cx| self.poll_item(cx)).await {
            drop(item);
        }
        self.outcome()
    }

    fn poll_item(&mut self, cx: &Context<'_>) -> Poll<Option<Payload>> {
        let taken = self.shared.lock().streams.poll_item(self.number, cx);
        taken.map(|taken| Some(self.taken(taken?)))
    }

    /// Makes room for further items.
    fn taken(&self, Taken { item, credit }: Taken) -> Payload {
        if let Some(credit) = credit {
            let now = self.shared.platform.now();
            self.shared.lock().emit_for_stream(credit, now);
            self.shared.wake.notify();
        }
        self.shared.taken(cost(&item));
        item
    }

    fn outcome(&self) -> Result<Payload, StreamError> {
        let outcome = self.shared.lock().streams.outcome(self.number);
        outcome.unwrap_or(Err(StreamError::Closed))
    }
}

impl Stream for RawItemStream {
    type Item = Result<Payload, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_item(cx));
        self.is_over = item.is_none();
        Poll::Ready(match item {
            Some(item) => Some(Ok(item)),
            None => self.outcome().err().map(Err),
        })
    }
}

impl Drop for RawItemStream {
    fn drop(&mut self) {
        let now = self.shared.platform.now();
        let mut core = self.shared.lock();
        let (waiting, cancel) = core.streams.drop_stream(self.number);
        if let Some(cancel) = cancel {
            core.emit_for_stream(cancel, now);
        }
        drop(core);
        self.shared.taken(waiting);
        self.shared.wake.notify();
    }
}

impl<T> ItemStream<T> {
    pub(super) const fn new(raw: RawItemStream) -> Self {
        Self { raw, item: PhantomData }
    }

    /// As [`RawItemStream::result`], decoded.
    ///
    /// # Errors
    /// When the stream has ended in another way, or the value is no `R`.
    pub async fn result<R: DeserializeOwned>(self) -> Result<R, StreamError> {
        decode(&self.raw.result().await?)
    }
}

impl<T: DeserializeOwned> ItemStream<T> {
    /// As [`RawItemStream::try_recv`].
    ///
    /// # Errors
    /// As there. The item is an error if it is no `T`.
    pub fn try_recv(&mut self) -> Result<Result<T, StreamError>, TryRecvError> {
        self.raw.try_recv().map(|item| decode(&item))
    }
}

impl<T: DeserializeOwned> Stream for ItemStream<T> {
    type Item = Result<T, StreamError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.get_mut().raw.poll_next_unpin(cx));
        Poll::Ready(item.map(|item| decode(&item?)))
    }
}

pub(super) fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, StreamError> {
    serde_json::from_str(payload.json_or_null())
        .map_err(|error| StreamError::Decode(DecodeError(error.to_string())))
}

impl fmt::Debug for RawItemStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawItemStream").field("number", &self.number).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ItemStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemStream").field("number", &self.raw.number).finish_non_exhaustive()
    }
}
