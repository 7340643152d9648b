//! The session on HTTP: SSE or long polling down, POST up. Spec: 02-carriers, "SSE", "Polling" and
//! "POST".

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{Batch, Limits, SseDecoder};
use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use futures::stream::unfold;
use futures::{FutureExt, StreamExt};

use super::{End, Incoming, Outgoing};
use crate::builder::Options;
use crate::endpoint::Endpoint;
use crate::platform::{BoxFuture, BoxStream, HostError, Platform, Response, Target};

pub(crate) struct Http {
    platform: Arc<dyn Platform>,
    endpoint: Endpoint,
    headers: Arc<[(String, String)]>,
    limits: Limits,
    down: Downlink,
    /// The one POST in flight.
    up: Option<BoxFuture<Incoming>>,
}

enum Downlink {
    Sse(Option<BoxStream<Incoming>>),
    Polling { started: bool, poll: Option<BoxFuture<Incoming>> },
}

impl Http {
    pub(crate) fn sse(platform: &Arc<dyn Platform>, options: &Options, limits: Limits) -> Self {
        Self::new(platform, options, limits, Downlink::Sse(None))
    }

    pub(crate) fn polling(platform: &Arc<dyn Platform>, options: &Options, limits: Limits) -> Self {
        Self::new(platform, options, limits, Downlink::Polling { started: false, poll: None })
    }

    fn new(
        platform: &Arc<dyn Platform>,
        options: &Options,
        limits: Limits,
        down: Downlink,
    ) -> Self {
        Self {
            platform: Arc::clone(platform),
            endpoint: options.endpoint.clone(),
            headers: options.headers.clone(),
            limits,
            down,
            up: None,
        }
    }

    /// One POST at a time, so that bodies arrive in order and grow with the load.
    pub(crate) const fn is_ready(&self) -> bool {
        self.up.is_none()
    }

    pub(crate) const fn wants_poll(&self) -> bool {
        matches!(self.down, Downlink::Polling { started: true, poll: None })
    }

    pub(crate) fn send(&mut self, outgoing: &Outgoing) {
        match &mut self.down {
            Downlink::Sse(None) => {
                let response = self.post("sse", outgoing.body());
                self.down = Downlink::Sse(Some(sse(response, self.limits)));
            }
            Downlink::Polling { started: false, .. } => self.poll_again(outgoing.body()),
            _ => self.up = Some(self.uplink(outgoing)),
        }
    }

    pub(crate) fn poll_again(&mut self, body: Bytes) {
        let response = self.post("poll", body);
        let (platform, limit) = (Arc::clone(&self.platform), self.limits.batch);
        let poll = Box::pin(async move {
            let body = match read_answer(response.await, limit).await {
                Ok(body) => body,
                Err(end) => return Incoming::Ended(end),
            };
            if body.is_empty() {
                platform.sleep(EMPTY_PAUSE).await;
            }
            Incoming::Batch(body)
        });
        self.down = Downlink::Polling { started: true, poll: Some(poll) };
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Incoming> {
        if let Some(up) = &mut self.up
            && let Poll::Ready(answer) = up.poll_unpin(cx)
        {
            self.up = None;
            return Poll::Ready(answer);
        }
        match &mut self.down {
            Downlink::Sse(Some(stream)) if read => stream.poll_next_unpin(cx).map(|incoming| {
                incoming.unwrap_or_else(|| Incoming::Ended(End::Lost(STREAM_ENDED.to_owned())))
            }),
            Downlink::Polling { poll, .. } if read => match poll {
                Some(polling) => {
                    let incoming = std::task::ready!(polling.poll_unpin(cx));
                    *poll = None;
                    Poll::Ready(incoming)
                }
                None => Poll::Pending,
            },
            _ => Poll::Pending,
        }
    }

    fn uplink(&self, outgoing: &Outgoing) -> BoxFuture<Incoming> {
        let response = self.post("post", outgoing.body());
        let late = self.platform.sleep(POST_DEADLINE);
        let (last, limit) = (outgoing.last, self.limits.batch);
        Box::pin(async move {
            let answer = Box::pin(async move { read_answer(response.await, limit).await });
            match select(answer, late).await {
                Either::Left((Ok(body), _)) => Incoming::Answer { body, last },
                Either::Left((Err(end), _)) => Incoming::Ended(end),
                Either::Right(_) => {
                    Incoming::Ended(End::Lost("a POST was not answered".to_owned()))
                }
            }
        })
    }

    fn post(&self, route: &str, body: Bytes) -> BoxFuture<Result<Response, HostError>> {
        let target = Target { url: self.endpoint.http(route), headers: self.headers.clone() };
        self.platform.post(target, body)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("ready", &self.is_ready()).finish_non_exhaustive()
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
    match response? {
        Response { status: 200, body } => Ok(body),
        refused => Err(read_refusal(refused).await),
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

/// The body of a poll or a POST, if it is one of ours: portals and proxies also answer with 200.
async fn read_answer(response: Result<Response, HostError>, limit: usize) -> Result<Bytes, End> {
    let response = response?;
    if response.status != 200 {
        return Err(read_refusal(response).await);
    }
    let body = read_body(response.body, limit).await?;
    let first = Batch::new(body.clone(), &Limits { packet: limit, batch: limit });
    match first.map(|mut batch| batch.next_packet()) {
        Ok(None | Some(Ok(_))) => Ok(body),
        _ => Err(End::Lost("something else than the server answered".to_owned())),
    }
}

async fn read_refusal(response: Response) -> End {
    match read_body(response.body, LONGEST_REFUSAL).await {
        Ok(body) => End::from_status(response.status, body),
        Err(end) => end,
    }
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

const STREAM_ENDED: &str = "the stream ended";
/// A poll that was answered with nothing is repeated, but not in a tight loop.
const EMPTY_PAUSE: Duration = Duration::from_secs(1);
/// Long enough for a batch on a slow line, short enough for a POST that nobody will answer.
const POST_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of an error's body that are looked at.
const LONGEST_REFUSAL: usize = 64 * 1024;
