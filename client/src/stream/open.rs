//! A stream that is opened when it is awaited.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Payload, STREAM, StreamOpen, Window};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::encode;
use super::items::{ItemStream, RawItemStream};
use super::sender::StreamSender;
use crate::error::{EmitError, RequestError};
use crate::platform::BoxFuture;
use crate::request::RawRequest;
use crate::shared::Shared;
use crate::streams::StreamError;

/// A stream that is opened when it is awaited: see [`Client::stream`](crate::Client::stream).
#[must_use = "a stream is opened when this is awaited"]
pub struct OpenStream<T> {
    shared: Arc<Shared>,
    name: String,
    payload: Result<Payload, EmitError>,
    window: Window,
    timeout: Duration,
    within: Option<u64>,
    item: PhantomData<fn() -> T>,
}

impl<T> OpenStream<T> {
    pub(super) fn new(
        shared: &Arc<Shared>,
        name: &str,
        payload: Result<Payload, EmitError>,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            name: name.to_owned(),
            payload,
            window: WINDOW,
            timeout: shared.options.request_timeout,
            within: shared.request_at_work(),
            item: PhantomData,
        }
    }

    /// How many items, and of how many bytes together, the server may send before the application
    /// reads them. Defaults to 256 items and 256 KiB; one item has at most half of the bytes. 1 to
    /// 65,536 items and at least 1,024 bytes: the server refuses other windows.
    pub const fn window(mut self, items: u64, bytes: u64) -> Self {
        self.window = Window { items, bytes };
        self
    }

    /// Sends bytes beside the payload.
    pub fn bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.payload = self.payload.map(|payload| payload.with_bytes(bytes.into()));
        self
    }

    /// Waits this long for the server to accept the stream. Defaults to the client's
    /// [`request_timeout`](crate::ClientBuilder::request_timeout). A stream may take any time.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens the stream, for items that are not decoded.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn raw(self) -> Result<RawItemStream, StreamError> {
        let Self { shared, name, payload, window, timeout, within, .. } = self;
        let payload = payload.map_err(RequestError::Send)?;
        let stream = shared.lock().streams.begin(window);
        // Dropped before the answer, the stream is cancelled as at any other time.
        let items = RawItemStream::new(&shared, stream);
        let json = (!payload.json.is_empty()).then(|| payload.json.to_string());
        let json = json.map(RawValue::from_string).transpose();
        let json = json.map_err(|error| StreamError::Encode(error.to_string()))?;
        let asked = encode(&StreamOpen { stream, name, window, payload: json });
        let asked = asked.map(|asked| Payload { bytes: payload.bytes, ..asked });
        let request = RawRequest::new(&shared, STREAM, asked).timeout(timeout);
        let answer = request.within(within).of_stream(stream).await;
        if let Err(error) = answer {
            let error = StreamError::from(error);
            // One that the server may still accept has to be cancelled.
            if !matches!(error, StreamError::Request(RequestError::TimedOut { sent: true })) {
                shared.lock().streams.refuse(stream, error.clone());
            }
            return Err(error);
        }
        Ok(items)
    }

    /// Opens the stream for items in both directions: what the client sends, and what it receives.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn both_ways(self) -> Result<(StreamSender, ItemStream<T>), StreamError> {
        let shared = Arc::clone(&self.shared);
        let items = self.raw().await?;
        Ok((StreamSender::new(&shared, items.number()), ItemStream::new(items)))
    }
}

impl<T: 'static> IntoFuture for OpenStream<T> {
    type Output = Result<ItemStream<T>, StreamError>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.raw().await.map(ItemStream::new) })
    }
}

impl<T> fmt::Debug for OpenStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, window, .. } = self;
        f.debug_struct("OpenStream")
            .field("name", name)
            .field("window", window)
            .finish_non_exhaustive()
    }
}

/// How much of the server's items the client receives ahead, unless set.
const WINDOW: Window = Window { items: 256, bytes: 256 * 1024 };
