//! A session on HTTP: SSE or long polling from the server, POST from the client. Spec: 02-carriers,
//! "SSE", "Polling" and "POST".

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_protocol::{Batch, Limits, SseDecoder};
use bytes::{Bytes, BytesMut};
use futures::stream::unfold;
use futures::{FutureExt, StreamExt};

use super::{Incoming, refusal};
use crate::endpoint::Endpoint;
use crate::engine::{Cause, End, Refused, Route};
use crate::headers::HeaderSource;
use crate::options::Options;
use crate::platform::{BoxFuture, BoxStream, HostError, Platform, Response};

pub(crate) struct Http {
    platform: Arc<dyn Platform>,
    endpoint: Endpoint,
    headers: HeaderSource,
    limits: Limits,
    down: Option<Downlink>,
    /// The POST in progress.
    up: Option<BoxFuture<Incoming>>,
}

enum Downlink {
    Stream(BoxStream<Incoming>),
    Poll(BoxFuture<Incoming>),
}

impl Http {
    pub(crate) fn new(platform: &Arc<dyn Platform>, options: &Options, limits: Limits) -> Self {
        Self {
            platform: Arc::clone(platform),
            endpoint: options.endpoint.clone(),
            headers: options.headers.clone(),
            limits,
            down: None,
            up: None,
        }
    }

    pub(crate) fn send(&mut self, route: Route, body: Bytes) {
        match route {
            Route::Stream => {
                let response = self.post("sse", body);
                self.down = Some(Downlink::Stream(sse(response, self.limits)));
            }
            Route::Poll => {
                let poll = self.answered("poll", body, Incoming::Polled);
                self.down = Some(Downlink::Poll(poll));
            }
            Route::Post | Route::Socket => {
                self.up = Some(self.answered("post", body, Incoming::Posted));
            }
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Incoming> {
        if let Some(up) = &mut self.up
            && let Poll::Ready(answer) = up.poll_unpin(cx)
        {
            self.up = None;
            return Poll::Ready(answer);
        }
        match &mut self.down {
            Some(Downlink::Stream(stream)) if read => stream.poll_next_unpin(cx).map(|incoming| {
                incoming.unwrap_or_else(|| Incoming::Ended(End::Lost(STREAM_ENDED.to_owned())))
            }),
            Some(Downlink::Poll(poll)) if read => {
                let incoming = std::task::ready!(poll.poll_unpin(cx));
                self.down = None;
                Poll::Ready(incoming)
            }
            _ => Poll::Pending,
        }
    }

    /// A request whose response is read as a whole.
    fn answered(
        &self,
        route: &str,
        body: Bytes,
        kind: fn(Bytes) -> Incoming,
    ) -> BoxFuture<Incoming> {
        let response = self.post(route, body);
        let limit = self.limits.batch;
        Box::pin(async move {
            read_answer(response.await, limit).await.map_or_else(Incoming::Ended, kind)
        })
    }

    fn post(&self, route: &str, body: Bytes) -> BoxFuture<Result<Response, HostError>> {
        let platform = Arc::clone(&self.platform);
        self.headers.send(self.endpoint.http(route), move |target| platform.post(target, body))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("posting", &self.up.is_some()).finish_non_exhaustive()
    }
}

enum Sse {
    Opening(BoxFuture<Result<Response, HostError>>),
    Open(BoxStream<Result<Bytes, HostError>>, SseDecoder),
    Over,
}

/// The batches of a stream, and its end.
fn sse(response: BoxFuture<Result<Response, HostError>>, limits: Limits) -> BoxStream<Incoming> {
    Box::pin(unfold(Sse::Opening(response), move |state| async move {
        let (mut body, mut decoder) = match state {
            Sse::Opening(response) => match open_stream(response.await).await {
                Ok(body) => (body, SseDecoder::new(&limits)),
                Err(end) => return Some((Incoming::Ended(end), Sse::Over)),
            },
            Sse::Open(body, decoder) => (body, decoder),
            Sse::Over => return None,
        };
        match next_batch(&mut body, &mut decoder).await {
            Ok(batch) => Some((Incoming::Batch(batch), Sse::Open(body, decoder))),
            Err(end) => Some((Incoming::Ended(end), Sse::Over)),
        }
    }))
}

async fn open_stream(
    response: Result<Response, HostError>,
) -> Result<BoxStream<Result<Bytes, HostError>>, End> {
    let response = response?;
    if response.head.status != 200 {
        return Err(read_refusal(response).await);
    }
    match &response.head.content_type {
        Some(other) if !other.starts_with("text/event-stream") => Err(not_bowline(other)),
        _ => Ok(response.body),
    }
}

async fn next_batch(
    body: &mut BoxStream<Result<Bytes, HostError>>,
    decoder: &mut SseDecoder,
) -> Result<Bytes, End> {
    loop {
        match decoder.next_event() {
            Ok(Some(event)) => return Ok(event.data.into()),
            Ok(None) => {}
            Err(error) => return Err(End::Lost(error.to_string())),
        }
        match body.next().await {
            Some(chunk) => decoder.push(&chunk?),
            None => return Err(End::Lost(STREAM_ENDED.to_owned())),
        }
    }
}

/// The body of a response to a poll or a POST, if a Bowline server sent it.
async fn read_answer(response: Result<Response, HostError>, limit: usize) -> Result<Bytes, End> {
    let response = response?;
    if response.head.status != 200 {
        return Err(read_refusal(response).await);
    }
    let body = read_body(response.body, limit).await?;
    let first = Batch::new(body.clone(), &Limits { packet: limit, batch: limit });
    match first.map(|mut batch| batch.next_packet()) {
        Ok(None | Some(Ok(_))) => Ok(body),
        _ => Err(not_bowline(response.head.content_type.as_deref().unwrap_or("something else"))),
    }
}

async fn read_refusal(response: Response) -> End {
    // The status counts, even if the body is too long or does not end.
    let body = read_body(response.body, LONGEST_REFUSAL).await.unwrap_or_default();
    refusal(&response.head, body)
}

async fn read_body(
    mut body: BoxStream<Result<Bytes, HostError>>,
    limit: usize,
) -> Result<Bytes, End> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.next().await {
        whole.extend_from_slice(&chunk?);
        if whole.len() > limit {
            return Err(End::Lost(format!("a response of more than {limit} bytes")));
        }
    }
    Ok(whole.freeze())
}

/// Portals and proxies also respond with 200.
fn not_bowline(content: &str) -> End {
    End::Refused(Refused::new(Cause::NotBowline, format!("HTTP 200 with {content}")))
}

const STREAM_ENDED: &str = "the stream ended";
/// The most bytes of an error's body that are read.
const LONGEST_REFUSAL: usize = 64 * 1024;
