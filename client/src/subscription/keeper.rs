//! Keeps a subscription: renews its grant, and subscribes again in a new session.
//!
//! Spec: 11-topics, "Subscribing".

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{
    Granted, Missing, SUBSCRIBE, Since, Subscribe, TopicEnded, TopicName, UNSUBSCRIBE,
};
use futures::channel::{mpsc, oneshot};
use futures::stream::Fuse;
use futures::{FutureExt as _, StreamExt as _, select_biased};

use super::error::SubscribeError;
use super::{decode, encode};
use crate::error::RequestError;
use crate::request::RawRequest;
use crate::shared::Shared;
use crate::status::{Status, StatusStream};
use crate::topics::{Entry, Notice, TopicItem};

/// The task of a subscription.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    timeout: Duration,
    statuses: Fuse<StatusStream>,
}

/// What happens next.
enum Next {
    /// The grant is about to expire, or has.
    Renew,
    /// The client has another session, or is about to.
    NewSession,
    /// The application has dropped the subscription.
    Dropped,
    /// The server has revoked the grant.
    Revoked(String),
    /// The client was closed.
    Closed,
}

/// How a subscription has ended.
enum End {
    /// The application has dropped it.
    Dropped,
    /// The server has refused the first request.
    Refused,
    /// The server has revoked the grant, or refused to renew it.
    ByServer(String),
    /// The client was closed.
    Closed,
}

type Notices = mpsc::UnboundedReceiver<Notice>;

impl Keeper {
    pub(super) fn new(shared: &Arc<Shared>, entry: &Arc<Entry>, timeout: Duration) -> Self {
        let statuses = shared.lock().board.watch().fuse();
        Self { shared: Arc::clone(shared), entry: Arc::clone(entry), timeout, statuses }
    }

    /// Runs until the subscription ends, for whatever reason. `first` receives the outcome of the
    /// first request.
    pub(super) async fn run(
        mut self,
        since: Since,
        first: oneshot::Sender<Result<(), SubscribeError>>,
        mut notices: Notices,
    ) {
        let ended = self.keep(since, first, &mut notices).await;
        let is_last = self.shared.lock().topics.remove(&self.entry);
        if let End::ByServer(code) = &ended {
            let code = code.as_str().into();
            self.entry.inlet.push(TopicItem::Ended { code }, &self.shared.backlog);
        }
        self.entry.inlet.end();
        if is_last && matches!(ended, End::Dropped) {
            self.unsubscribe().await;
        }
    }

    async fn keep(
        &mut self,
        since: Since,
        first: oneshot::Sender<Result<(), SubscribeError>>,
        notices: &mut Notices,
    ) -> End {
        let (mut first, mut since) = (Some(first), since);
        let mut pause = LEAST_PAUSE;
        loop {
            let next = match self.subscribe(since.clone(), notices).await {
                None => return End::Dropped,
                Some(Ok(granted)) => {
                    self.accept(&granted);
                    pause = LEAST_PAUSE;
                    if let Some(first) = first.take() {
                        // The application may have stopped waiting, and has dropped it then.
                        _ = first.send(Ok(()));
                    }
                    self.wait(&granted, notices).await
                }
                Some(Err(error)) => {
                    if let Some(first) = first.take() {
                        _ = first.send(Err(error));
                        return End::Refused;
                    }
                    if !error.is_temporary() {
                        return End::ByServer(error.code().to_string());
                    }
                    if self.pause(pause, notices).await.is_none() {
                        return End::Dropped;
                    }
                    pause = (pause * 2).min(MOST_PAUSE);
                    Next::Renew
                }
            };
            match next {
                Next::Dropped => return End::Dropped,
                Next::Closed => return End::Closed,
                Next::Revoked(code) => return End::ByServer(code),
                Next::Renew => {}
                Next::NewSession => self.report_lost(),
            }
            since = self.entry.position().map_or(Since::Now, Since::After);
        }
    }

    /// Sends the request. `None` if nobody wants the answer any more.
    async fn subscribe(
        &self,
        since: Since,
        notices: &mut Notices,
    ) -> Option<Result<Granted, SubscribeError>> {
        let topic = self.entry.name.clone();
        let since = (since != Since::Now).then_some(since);
        let payload = encode(&Subscribe { topic, since });
        let request = RawRequest::new(&self.shared, SUBSCRIBE, payload).timeout(self.timeout);
        let mut answer = std::future::IntoFuture::into_future(request).fuse();
        loop {
            select_biased! {
                answer = answer => {
                    let granted = answer.and_then(|answer| decode::<Granted>(&answer));
                    return Some(granted.map_err(SubscribeError::from));
                }
                notice = notices.next() => match notice {
                    // Of an earlier grant, which this request replaces.
                    Some(Notice::Ended(_)) => {}
                    Some(Notice::Dropped) | None => return None,
                },
            }
        }
    }

    fn accept(&self, granted: &Granted) {
        self.entry.set_may_publish(granted.publish);
        if let Some(history) = &granted.history {
            self.entry.recovered(&history.at, &self.shared.backlog);
        }
    }

    /// Waits until something is to be done about the grant.
    async fn wait(&mut self, granted: &Granted, notices: &mut Notices) -> Next {
        let session = self.shared.lock().engine.session_id();
        let life = granted.expires.map(Duration::from_millis);
        let renewal = async {
            match life {
                Some(life) => {
                    let notice = MOST_NOTICE.min(life / 4);
                    self.shared.platform.sleep(life.saturating_sub(notice)).await;
                }
                None => std::future::pending().await,
            }
        };
        let mut renewal = Box::pin(renewal.fuse());
        loop {
            select_biased! {
                notice = notices.next() => return match notice {
                    Some(Notice::Ended(code)) if code == TopicEnded::EXPIRED => Next::Renew,
                    Some(Notice::Ended(code)) => Next::Revoked(code),
                    Some(Notice::Dropped) | None => Next::Dropped,
                },
                status = self.statuses.next() => match status {
                    Some(Status::SessionLost { .. }) => return Next::NewSession,
                    Some(Status::Connected { .. }) => {
                        if self.shared.lock().engine.session_id() != session {
                            return Next::NewSession;
                        }
                    }
                    Some(Status::Closed { .. }) | None => return Next::Closed,
                    Some(_) => {}
                },
                () = renewal => return Next::Renew,
            }
        }
    }

    /// A topic without a history may have lost messages with the session.
    fn report_lost(&self) {
        if self.entry.position().is_none() {
            self.entry.inlet.push(TopicItem::Missed(Missing::Unknown), &self.shared.backlog);
        }
    }

    /// Waits before another attempt. `None` if nobody wants it any more.
    async fn pause(&self, length: Duration, notices: &mut Notices) -> Option<()> {
        let mut over = self.shared.platform.sleep(length).fuse();
        loop {
            select_biased! {
                () = over => return Some(()),
                notice = notices.next() => match notice {
                    Some(Notice::Ended(_)) => {}
                    Some(Notice::Dropped) | None => return None,
                },
            }
        }
    }

    /// Nobody of this client is subscribed any more. Without an answer the session has ended, and
    /// the subscription with it.
    async fn unsubscribe(&self) {
        let payload = encode(&TopicName { topic: self.entry.name.clone() });
        let answer: Result<_, RequestError> =
            RawRequest::new(&self.shared, UNSUBSCRIBE, payload).await;
        drop(answer);
    }
}

/// How long before its end a grant is renewed at the earliest; a quarter of its time if that is
/// less.
const MOST_NOTICE: Duration = Duration::from_secs(60);
/// The pause before another attempt after a failure that is temporary. It doubles with each.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(30);
