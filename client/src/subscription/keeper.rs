//! Keeps a subscription: renews its grant, and subscribes again in a new session.
//!
//! Spec: 11-topics, "Subscribing".

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Granted, SUBSCRIBE, Since, Subscribe, TopicEnded};
use futures::channel::{mpsc, oneshot};
use futures::stream::Fuse;
use futures::{FutureExt as _, StreamExt as _, select_biased};

use super::error::SubscribeError;
use super::{GrantSource, decode, encode};
use crate::error::RequestError;
use crate::platform::BoxFuture;
use crate::request::RawRequest;
use crate::shared::Shared;
use crate::status::{Status, StatusStream};
use crate::topics::{Entry, Notice, TopicItem};

/// The task of a subscription.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    timeout: Duration,
    grant: Option<GrantSource>,
    statuses: Fuse<StatusStream>,
    /// The engine's number of the session in which the client has sent the last request.
    epoch: u64,
    /// The number of the server's request whose handler awaits the first answer.
    within: Option<u64>,
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
    /// The first request has failed.
    Refused,
    /// The server has revoked the grant, or refused to renew it.
    ByServer(String),
    /// The client was closed.
    Closed,
}

type Notices = mpsc::UnboundedReceiver<Notice>;

impl Keeper {
    pub(super) fn new(
        shared: &Arc<Shared>,
        entry: &Arc<Entry>,
        timeout: Duration,
        grant: Option<GrantSource>,
    ) -> Self {
        let within = shared.request_at_work();
        let mut core = shared.lock();
        let (statuses, epoch) = (core.board.watch().fuse(), core.engine.epoch());
        drop(core);
        let (shared, entry) = (Arc::clone(shared), Arc::clone(entry));
        Self { shared, entry, timeout, grant, statuses, epoch, within }
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
        if !matches!(ended, End::Refused) {
            self.shared.lock().topics.remove(&self.entry);
        }
        if let End::ByServer(code) = &ended {
            let code = code.as_str().into();
            self.entry.inlet.push(TopicItem::Ended { code }, &self.shared.backlog);
        }
        self.entry.inlet.end();
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
                    self.entry.grant(&granted, &since, &self.shared.backlog);
                    pause = LEAST_PAUSE;
                    if let Some(first) = first.take() {
                        // The application may have stopped waiting, and has dropped it then.
                        _ = first.send(Ok(()));
                    }
                    self.wait(&granted, notices).await
                }
                Some(Err(error)) => {
                    self.notify_others(&error);
                    if let Some(first) = first.take() {
                        return self.refuse(first, error);
                    }
                    if self.shared.lock().board.current().is_closed() {
                        return End::Closed;
                    }
                    if matches!(error, SubscribeError::Request(RequestError::SessionLost { .. })) {
                        self.report_lost();
                        since = self.since();
                        continue;
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
            since = self.since();
        }
    }

    /// From where the next request continues.
    fn since(&self) -> Since {
        self.entry.position().map_or(Since::Now, Since::After)
    }

    /// The first request has failed.
    fn refuse(
        &self,
        first: oneshot::Sender<Result<(), SubscribeError>>,
        error: SubscribeError,
    ) -> End {
        // The server may still grant what it has not answered in time: the subscription, which the
        // application does not receive, unsubscribes when it is dropped.
        if !matches!(error, SubscribeError::Request(RequestError::TimedOut { sent: true })) {
            self.shared.lock().topics.remove(&self.entry);
        }
        _ = first.send(Err(error));
        End::Refused
    }

    /// A refusal ends the grant of the session, which other subscriptions of this name share.
    fn notify_others(&self, error: &SubscribeError) {
        if !matches!(error, SubscribeError::Request(_) | SubscribeError::Closed) {
            self.shared.lock().topics.renew_others(&self.entry);
        }
    }

    /// Sends the request. `None` if nobody wants the answer any more.
    async fn subscribe(
        &mut self,
        since: Since,
        notices: &mut Notices,
    ) -> Option<Result<Granted, SubscribeError>> {
        let topic = self.entry.name.clone();
        let since = (since != Since::Now).then_some(since);
        let grant = match &self.grant {
            Some(grant) => match grant().await {
                Ok(grant) => Some(grant),
                Err(error) => return Some(Err(SubscribeError::Grant(error))),
            },
            None => None,
        };
        let payload = encode(&Subscribe { topic, since, grant });
        let request = RawRequest::new(&self.shared, SUBSCRIBE, payload).timeout(self.timeout);
        let request = request.within(self.within.take());
        self.epoch = self.shared.lock().engine.epoch();
        let mut answer = std::future::IntoFuture::into_future(request).fuse();
        loop {
            select_biased! {
                answer = answer => {
                    let granted = answer.and_then(|answer| decode::<Granted>(&answer));
                    return Some(granted.map_err(SubscribeError::from));
                }
                notice = notices.next() => match notice {
                    // Of an earlier grant, which this request replaces.
                    Some(Notice::Ended(_) | Notice::Renew) => {}
                    Some(Notice::Dropped) | None => return None,
                },
            }
        }
    }

    /// Waits until something is to be done about the grant.
    async fn wait(&mut self, granted: &Granted, notices: &mut Notices) -> Next {
        let granted_at = self.shared.platform.now();
        let mut renewal = self.renewal(granted).fuse();
        loop {
            select_biased! {
                notice = notices.next() => match notice {
                    Some(Notice::Renew) => return Next::Renew,
                    Some(Notice::Ended(code)) if code == TopicEnded::EXPIRED => {
                        let passed = self.shared.platform.now() - granted_at;
                        let left = LEAST_INTERVAL.saturating_sub(passed);
                        renewal = self.shared.platform.sleep(left).fuse();
                    }
                    Some(Notice::Ended(code)) => return Next::Revoked(code),
                    Some(Notice::Dropped) | None => return Next::Dropped,
                },
                status = self.statuses.next() => match status {
                    Some(Status::Closed { .. }) | None => return Next::Closed,
                    Some(_) => {
                        if self.shared.lock().engine.epoch() != self.epoch {
                            return Next::NewSession;
                        }
                    }
                },
                () = renewal => return Next::Renew,
            }
        }
    }

    /// Resolves when the client renews this grant.
    fn renewal(&self, granted: &Granted) -> BoxFuture<()> {
        let Some(life) = granted.expires.map(Duration::from_millis) else {
            return Box::pin(std::future::pending());
        };
        let notice = MOST_NOTICE.min(life / 4);
        self.shared.platform.sleep(life.saturating_sub(notice).max(LEAST_INTERVAL))
    }

    /// A topic without a history may have lost messages with the session.
    fn report_lost(&self) {
        self.entry.report_lost(&self.shared.backlog);
    }

    /// Waits before another attempt. `None` if nobody wants it any more.
    async fn pause(&self, length: Duration, notices: &mut Notices) -> Option<()> {
        let mut over = self.shared.platform.sleep(length).fuse();
        loop {
            select_biased! {
                () = over => return Some(()),
                notice = notices.next() => match notice {
                    Some(Notice::Ended(_) | Notice::Renew) => {}
                    Some(Notice::Dropped) | None => return None,
                },
            }
        }
    }
}

/// How long before its end a grant is renewed at the earliest; a quarter of its time if that is
/// less.
const MOST_NOTICE: Duration = Duration::from_secs(60);
/// How long after an answer a grant is renewed at the earliest, however soon it expires.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
/// The pause before another attempt after a failure that is temporary. It doubles with each.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(30);
