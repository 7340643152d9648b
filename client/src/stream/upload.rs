//! Bytes that are sent in a stream.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;

use super::open::OpenStream;
use super::sender::StreamSender;
use crate::platform::{BoxFuture, MaybeSend};
use crate::streams::StreamError;

/// Bytes that are sent when this is awaited: see [`Client::upload`](crate::Client::upload).
#[must_use = "nothing is sent until this is awaited"]
pub struct Upload<S, R> {
    open: OpenStream<()>,
    source: S,
    on_progress: Option<Box<dyn Progress>>,
    result: PhantomData<fn() -> R>,
}

/// A function that is called with the number of bytes sent.
trait Progress: FnMut(u64) + MaybeSend {}

impl<F: FnMut(u64) + MaybeSend> Progress for F {}

impl<S, R> Upload<S, R> {
    pub(super) const fn new(open: OpenStream<()>, source: S) -> Self {
        Self { open, source, on_progress: None, result: PhantomData }
    }

    /// Calls this function with the number of bytes that were sent so far, after each part. The
    /// server may have received less: it takes a part when its application wants it.
    pub fn on_progress(mut self, call: impl FnMut(u64) + MaybeSend + 'static) -> Self {
        self.on_progress = Some(Box::new(call));
        self
    }

    /// As [`OpenStream::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.open = self.open.timeout(timeout);
        self
    }
}

impl<S, E, R> IntoFuture for Upload<S, R>
where
    S: Stream<Item = Result<Bytes, E>> + MaybeSend + 'static,
    E: fmt::Display,
    R: DeserializeOwned + 'static,
{
    type Output = Result<R, StreamError>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { open, source, mut on_progress, .. } = self;
        Box::pin(async move {
            let (mut sender, items) = open.both_ways().await?;
            let mut source =
                pin!(source.map(|part| {
                    part.map_err(|error: E| StreamError::Source(error.to_string()))
                }));
            let mut sent = 0;
            while let Some(part) = source.next().await {
                let part = part?;
                let size = part.len() as u64;
                if !send_part(&mut sender, part).await? {
                    break;
                }
                sent += size;
                if let Some(call) = &mut on_progress {
                    call(sent);
                }
            }
            sender.finish();
            items.result().await
        })
    }
}

/// False if the server takes no more.
async fn send_part(sender: &mut StreamSender, mut part: Bytes) -> Result<bool, StreamError> {
    while !part.is_empty() {
        let item = part.split_to(part.len().min(PART));
        if !sender.send_bytes(item).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<S, R> fmt::Debug for Upload<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("open", &self.open).finish_non_exhaustive()
    }
}

/// Bytes of one item, at most.
const PART: usize = 64 * 1024;
