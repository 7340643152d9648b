//! A subscription, as applications hold it.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{Encoded, Position, Since, TopicName, UNSUBSCRIBE};
use futures::Stream;
use futures::channel::{mpsc, oneshot};

use super::error::SubscribeError;
use super::keeper::Keeper;
use super::{GrantSource, encode};
use crate::error::TryRecvError;
use crate::inlet::Cost as _;
use crate::platform::{BoxFuture, MaybeSend, MaybeSync};
use crate::shared::Shared;
use crate::topics::{Entry, Notice, TopicItem};

/// A subscription that begins when it is awaited: see
/// [`Client::subscribe`](crate::Client::subscribe).
#[must_use = "a client subscribes when this is awaited"]
pub struct Subscribe {
    shared: Arc<Shared>,
    topic: String,
    since: Since,
    timeout: Duration,
    grant: Option<GrantSource>,
}

impl Subscribe {
    pub(crate) fn new(shared: &Arc<Shared>, topic: String) -> Self {
        let timeout = shared.options.request_timeout;
        Self { shared: Arc::clone(shared), topic, since: Since::Now, timeout, grant: None }
    }

    /// Receives stored messages from this position on, if the topic has a history. Defaults to
    /// [`Since::Now`]. A second subscription of a client to a topic receives none: the session
    /// has them already.
    pub fn since(self, since: Since) -> Self {
        Self { since, ..self }
    }

    /// Subscribes with a grant that the server's application has signed: `BowlineBuilder::topic_key`.
    pub fn grant(self, grant: impl Into<String>) -> Self {
        let grant = grant.into();
        self.grant_with(move || {
            let grant = grant.clone();
            async move { Ok::<_, String>(grant) }
        })
    }

    /// As [`Self::grant`], for grants that expire: calls `source` for the grant before each
    /// request, also before the grant expires. When it fails, the client tries again later.
    pub fn grant_with<F, Fut, E>(mut self, source: F) -> Self
    where
        F: Fn() -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<String, E>> + MaybeSend + 'static,
        E: fmt::Display,
    {
        self.grant = Some(Box::new(move || {
            let grant = source();
            Box::pin(async move { grant.await.map_err(|error| error.to_string()) })
        }));
        self
    }

    /// Waits this long for the server's answer. Defaults to the client's
    /// [`request_timeout`](crate::ClientBuilder::request_timeout).
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { shared, topic, since, timeout, grant } = self;
        let (notices, receiver) = mpsc::unbounded();
        let entry = Entry::new(topic, notices);
        if let Since::After(at) = &since {
            entry.begin_at(at.clone());
        }
        shared.lock().topics.add(&entry);
        let (granted, answer) = oneshot::channel();
        let keeper = Keeper::new(&shared, &entry, timeout, grant);
        let subscription = Subscription { shared: Arc::clone(&shared), entry };
        shared.platform.spawn(Box::pin(keeper.run(since, granted, receiver)));
        // Dropped before the answer, the subscription unsubscribes as at any other time.
        Box::pin(async move {
            answer.await.unwrap_or(Err(SubscribeError::Closed)).map(|()| subscription)
        })
    }
}

/// A subscription to a topic or a pattern: a stream of its messages, in order. Ends after
/// [`TopicItem::Ended`], and when the client is closed. Dropping it unsubscribes.
///
/// What waits here counts for the client's
/// [`backlog_limit`](crate::ClientBuilder::backlog_limit), beyond which the client stops reading.
pub struct Subscription {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
}

impl Subscription {
    /// The topic, or the pattern.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.entry.name
    }

    /// The position of the last message that the client has received, if the topic has a history:
    /// for a later subscription with [`Since::After`].
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.entry.position()
    }

    /// True while the grant allows the client to publish to the topic.
    #[must_use]
    pub fn may_publish(&self) -> bool {
        self.entry.may_publish()
    }

    /// The next item that has arrived, without waiting: for a game loop that looks once a frame.
    ///
    /// # Errors
    /// When no item waits, and when none will come any more.
    pub fn try_recv(&mut self) -> Result<TopicItem, TryRecvError> {
        let item = self.entry.inlet.try_next()?;
        self.shared.taken(item.cost());
        Ok(item)
    }

    /// Sends the request if this was the client's last subscription of its name. Nobody waits for
    /// the answer: without one the session has ended, and the subscription with it.
    fn unsubscribe(&self) {
        let name = TopicName { topic: self.entry.name.clone() };
        let payload = encode(&name).unwrap_or_default();
        let packet = Encoded::request(UNSUBSCRIBE, &payload);
        let now = self.shared.platform.now();
        let mut core = self.shared.lock();
        // Under one lock: what subscribes to the same name next sends its request behind this one.
        if core.topics.remove(&self.entry)
            && let Ok(packet) = packet
        {
            let deadline = now + self.shared.options.request_timeout;
            // A closed client has no subscriptions; one whose outbox is full keeps this one until
            // its session ends, and ignores what arrives for it.
            if let Ok(request) = core.engine.send(packet, Some(deadline), false, now) {
                core.topics.leave(request, self.entry.name.clone());
            }
        }
        drop(core);
        self.shared.wake.notify();
    }
}

impl Stream for Subscription {
    type Item = TopicItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<TopicItem>> {
        let item = self.entry.inlet.poll_next(cx);
        if let Poll::Ready(Some(item)) = &item {
            self.shared.taken(item.cost());
        }
        item
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.unsubscribe();
        // Without a receiver the subscription has ended already.
        _ = self.entry.notices.unbounded_send(Notice::Dropped);
        self.shared.taken(self.entry.inlet.abandon());
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, since, .. } = self;
        f.debug_struct("Subscribe")
            .field("topic", topic)
            .field("since", since)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("topic", &self.entry.name).finish_non_exhaustive()
    }
}
