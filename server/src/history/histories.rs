//! The histories of a node.

#![expect(clippy::disallowed_methods, reason = "the subscription of a log has a deadline")]

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_protocol::{Position, Recovered, SessionId, Since};
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::page::{HistoryPage, page_of};
use super::replica::{Followers, Hole, Replica, Step};
use crate::broker::{
    Appended, Bounds, Broker, DurableLogs, Keep, Logs, Once, Slice, Trimmed, Unavailable,
    read_stamped,
};
use crate::budget::Budget;
use crate::config::Config;
use crate::error::HistoryError;
use crate::locks::lock;
use crate::rooms::Rooms;
use crate::session::LiveSession;

/// Which rooms have a history, where it is stored, and who follows one here.
pub(crate) struct Histories {
    /// The prefixes of rooms with a history, and how much each keeps.
    kept: Vec<(String, Keep)>,
    store: Store,
    /// The bytes that all replicas keep together.
    copies: Arc<Budget>,
    /// How long the id of a message is known.
    once_age: Duration,
    /// By the channel of the log.
    followed: Mutex<HashMap<Arc<str>, Arc<Followed>>>,
    rooms: Arc<Rooms>,
    /// Reports messages that followers here have missed.
    report: Box<ReportGap>,
}

/// Receives the room, and how many messages the log has dropped, if that is known.
pub(crate) type ReportGap = dyn Fn(&str, Option<u64>) + Send + Sync;

/// Where the logs are.
enum Store {
    Memory(Mutex<Logs>),
    Durable(Arc<dyn DurableLogs>),
    Broker(Arc<dyn Broker>),
}

/// A room that a session follows here.
struct Followed {
    replica: Mutex<Replica>,
    followers: Arc<Followers>,
}

/// A future that reads the log.
pub(crate) type Fill = BoxFuture<'static, ()>;

impl Histories {
    pub(crate) fn new(config: &Config, rooms: Arc<Rooms>, report: Box<ReportGap>) -> Arc<Self> {
        let limit = config.history_memory_limit.unwrap_or_else(|| config.memory_limit() / 4);
        let bounds = Bounds { logs: config.max_histories, bytes: limit, ids: config.once_ids };
        let store = Store::new(config, bounds);
        let bytes = config.history_limit;
        let keep = |(rooms, keep): &(String, Keep)| (rooms.clone(), Keep { bytes, ..*keep });
        let kept = config.histories.iter().map(keep).collect();
        let copies = Arc::new(Budget::new(limit));
        let once_age = config.once_age;
        Arc::new(Self { kept, store, copies, once_age, followed: Mutex::default(), rooms, report })
    }

    pub(crate) async fn append(
        &self,
        room: &str,
        message: Bytes,
        id: Option<Uuid>,
    ) -> Result<Appended, HistoryError> {
        let keep = self.keep(room)?;
        let once = id.map(|id| Once { id, age: self.once_age });
        let channel = channel_of(room);
        match &self.store {
            Store::Broker(broker) => Ok(broker.append(&channel, message, keep, once).await?),
            Store::Memory(logs) => {
                let followed = self.followed(&channel, room, keep);
                let heard = append_here(logs, &channel, &followed, message, keep, once);
                self.finish(&channel, followed, Ok(heard)).await
            }
            Store::Durable(logs) => {
                let followed = self.followed(&channel, room, keep);
                let heard = append_durably(&**logs, &channel, &followed, message, keep, once).await;
                self.finish(&channel, followed, heard).await
            }
        }
    }

    /// Completes an append to a log of this node, successful or not.
    async fn finish(
        &self,
        channel: &str,
        followed: Arc<Followed>,
        heard: Result<(Appended, Step), Unavailable>,
    ) -> Result<Appended, HistoryError> {
        if let Ok((_, Step::Missing)) = heard {
            // The log was forgotten completely, and has started again.
            self.fill(channel, &followed).await?;
        }
        self.tidy(channel, followed);
        Ok(heard.map(|(appended, _)| appended)?)
    }

    /// Reads stored messages: at most so many, the oldest first.
    pub(crate) async fn page(
        &self,
        room: &str,
        since: &Since,
        limit: usize,
    ) -> Result<HistoryPage, HistoryError> {
        let keep = self.keep(room)?;
        Ok(page_of(self.read(&channel_of(room), keep).await?, since, limit))
    }

    /// Deletes the messages of a room up to a position, or all. Returns how many.
    pub(crate) async fn delete(
        &self,
        room: &str,
        to: Option<Position>,
    ) -> Result<u64, HistoryError> {
        let keep = self.keep(room)?;
        let channel = channel_of(room);
        let deleted = match &self.store {
            Store::Broker(broker) => return Ok(broker.trim(&channel, to, keep).await?),
            Store::Memory(logs) => lock(logs).trim(&channel, to.as_ref(), keep),
            Store::Durable(logs) => logs.trim(&channel, to, keep).await?,
        };
        let Some(Trimmed { to, count }) = deleted else { return Ok(0) };
        let followed = lock(&self.followed).get(&*channel).cloned();
        if let Some(followed) = followed {
            let mut replica = lock(&followed.replica);
            if replica.delete(to) == Step::Missing {
                // The next message reads the log.
                replica.give_up();
            }
        }
        Ok(count)
    }

    /// Makes a session follow a room, and sends it the messages since its position.
    pub(crate) async fn follow(
        &self,
        room: &str,
        session: &Arc<LiveSession>,
        since: &Since,
    ) -> Result<Recovered, HistoryError> {
        let keep = self.keep(room)?;
        let channel = channel_of(room);
        let followed = self.followed(&channel, room, keep);
        let outcome = self.follow_here(&channel, &followed, session, since).await;
        self.tidy(&channel, followed);
        outcome
    }

    async fn follow_here(
        &self,
        channel: &str,
        followed: &Followed,
        session: &Arc<LiveSession>,
        since: &Since,
    ) -> Result<Recovered, HistoryError> {
        let needs_log = lock(&followed.replica).needs_log(since);
        if needs_log {
            self.listen(channel).await?;
            self.fill(channel, followed).await?;
        }
        lock(&followed.replica).follow(&self.rooms, session, since).map_err(HistoryError::Join)
    }

    /// Accepts an appended message.
    pub(crate) fn take(self: &Arc<Self>, channel: &Arc<str>, message: &Bytes) -> Option<Fill> {
        let followed = lock(&self.followed).get(channel).cloned()?;
        let (at, message) = read_stamped(message)?;
        let mut replica = lock(&followed.replica);
        // Messages are packets, and no packet is empty.
        let step = match message.is_empty() {
            true => replica.delete(at),
            false => replica.receive(at, message),
        };
        drop(replica);
        (step == Step::Missing).then(|| self.filling(channel, followed))
    }

    /// The connection to the logs is back: reads every message of the meantime.
    pub(crate) fn take_up(self: &Arc<Self>) -> Vec<Fill> {
        let all: Vec<_> = lock(&self.followed)
            .iter()
            .map(|(channel, followed)| (Arc::clone(channel), Arc::clone(followed)))
            .collect();
        all.into_iter().map(|(channel, followed)| self.filling(&channel, followed)).collect()
    }

    /// A session has ended.
    pub(crate) fn remove(&self, session: &SessionId, rooms: &[Arc<str>]) {
        if !self.kept.is_empty() {
            rooms.iter().for_each(|room| self.unfollow(room, session));
        }
    }

    /// A session stops following a room.
    pub(crate) fn unfollow(&self, room: &str, session: &SessionId) {
        if self.keep(room).is_err() {
            return;
        }
        let channel = channel_of(room);
        let Some(followed) = lock(&self.followed).get(&*channel).cloned() else { return };
        followed.followers.remove(session);
        self.tidy(&channel, followed);
    }

    /// A session is about to move to another node. Returns the histories that it follows, and the
    /// position of each; it receives no more messages here.
    pub(crate) fn depart(&self, session: &LiveSession) -> Vec<(String, Position)> {
        if self.kept.is_empty() {
            return Vec::new();
        }
        let rooms = session.look(|state| state.rooms.clone());
        let heard = rooms.iter().filter_map(|room| {
            let channel = channel_of(room);
            let followed = lock(&self.followed).get(&*channel).cloned()?;
            // The replica sends nothing while it is locked.
            let replica = lock(&followed.replica);
            let at = followed.followers.remove(&session.id).then(|| replica.position());
            drop(replica);
            self.tidy(&channel, followed);
            Some((room.to_string(), at??))
        });
        heard.collect()
    }

    /// The histories that a session follows, and how far each was sent to its followers.
    pub(crate) fn followed_by(&self, session: &LiveSession) -> Vec<(String, Position)> {
        if self.kept.is_empty() {
            return Vec::new();
        }
        let rooms = session.look(|state| state.rooms.clone());
        let sent = rooms.iter().filter_map(|room| {
            let followed = lock(&self.followed).get(&*channel_of(room)).cloned()?;
            let replica = lock(&followed.replica);
            let at = followed.followers.contains(&session.id).then(|| replica.position())?;
            Some((room.to_string(), at?))
        });
        sent.collect()
    }

    /// Waits until messages that are appended from now on arrive here.
    async fn listen(&self, channel: &str) -> Result<(), Unavailable> {
        let Store::Broker(broker) = &self.store else { return Ok(()) };
        let (effective, is_effective) = oneshot::channel();
        broker.subscribe(channel, Some(effective));
        timeout(PATIENCE, is_effective).await.map_err(|_| Unavailable)?.map_err(|_| Unavailable)
    }

    /// Reads the log until no message is known to be missing.
    async fn fill(&self, channel: &str, followed: &Followed) -> Result<(), Unavailable> {
        let keep = lock(&followed.replica).keep();
        for _ in 0..TRIES {
            let slice = self.read(channel, keep).await?;
            let (step, hole) = lock(&followed.replica).catch_up(slice);
            if let Some(Hole(missed)) = hole {
                self.report(lock(&followed.replica).room(), missed);
            }
            if step == Step::Complete {
                return Ok(());
            }
        }
        // The log has lost its end.
        lock(&followed.replica).give_up();
        Ok(())
    }

    async fn read(&self, channel: &str, keep: Keep) -> Result<Slice, Unavailable> {
        match &self.store {
            Store::Memory(logs) => Ok(lock(logs).read(channel, keep)),
            Store::Durable(logs) => logs.read(channel, keep).await,
            Store::Broker(broker) => broker.read(channel, keep).await,
        }
    }

    fn filling(self: &Arc<Self>, channel: &Arc<str>, followed: Arc<Followed>) -> Fill {
        let (this, channel) = (Arc::clone(self), Arc::clone(channel));
        Box::pin(async move {
            if this.fill(&channel, &followed).await.is_err() {
                // It is read again when the connection is back, or with the next message.
                lock(&followed.replica).give_up();
            }
            this.tidy(&channel, followed);
        })
    }

    /// Reports messages that the log has dropped and followers here have not received.
    pub(crate) fn report(&self, room: &str, missed: Option<u64>) {
        (self.report)(room, missed);
    }

    /// The bytes of the histories in memory, and of the copies of those that are followed.
    pub(crate) fn bytes(&self) -> usize {
        let logs = match &self.store {
            Store::Memory(logs) => lock(logs).bytes(),
            Store::Durable(logs) => logs.bytes(),
            Store::Broker(_) => 0,
        };
        logs + self.copies.kept()
    }

    /// True for a room with a history.
    pub(crate) fn has(&self, room: &str) -> bool {
        self.keep(room).is_ok()
    }

    fn keep(&self, room: &str) -> Result<Keep, HistoryError> {
        let matching = self.kept.iter().filter(|(prefix, _)| room.starts_with(prefix.as_str()));
        let longest = matching.max_by_key(|(prefix, _)| prefix.len());
        longest.map(|(_, keep)| *keep).ok_or(HistoryError::NotKept)
    }

    fn followed(&self, channel: &str, room: &str, keep: Keep) -> Arc<Followed> {
        let mut all = lock(&self.followed);
        if let Some(known) = all.get(channel) {
            return Arc::clone(known);
        }
        let followers = Arc::<Followers>::default();
        let replica =
            Mutex::new(Replica::new(room, keep, Arc::clone(&followers), Arc::clone(&self.copies)));
        let new = Arc::new(Followed { replica, followers });
        all.insert(channel.into(), Arc::clone(&new));
        new
    }

    /// Removes a room that no session follows and no task uses.
    fn tidy(&self, channel: &str, followed: Arc<Followed>) {
        if followed.followers.any() {
            return;
        }
        drop(followed);
        let mut all = lock(&self.followed);
        let Some(known) = all.get_mut(channel) else { return };
        // No other task can obtain it while the map is locked.
        if Arc::get_mut(known).is_some_and(|known| !known.followers.any()) {
            all.remove(channel);
            if let Store::Broker(broker) = &self.store {
                broker.unsubscribe(channel);
            }
        }
    }
}

impl Store {
    fn new(config: &Config, bounds: Bounds) -> Self {
        if let Some(broker) = &config.broker {
            return Self::Broker(Arc::clone(broker));
        }
        let Some(logs) = &config.history_store else {
            return Self::Memory(Mutex::new(Logs::within(bounds)));
        };
        logs.bound(bounds);
        Self::Durable(Arc::clone(logs))
    }
}

fn append_here(
    logs: &Mutex<Logs>,
    channel: &str,
    followed: &Followed,
    message: Bytes,
    keep: Keep,
    once: Option<Once>,
) -> (Appended, Step) {
    // Locked before the log, so that followers receive messages in their order.
    let mut replica = lock(&followed.replica);
    let appended = lock(logs).append_once(channel, message.clone(), keep, once);
    let step = match appended.is_repeated {
        true => Step::Complete,
        false => replica.receive(appended.at.clone(), message),
    };
    (appended, step)
}

/// Followers receive the message once it is written, even if its sender does not wait any more.
async fn append_durably(
    logs: &dyn DurableLogs,
    channel: &str,
    followed: &Arc<Followed>,
    message: Bytes,
    keep: Keep,
    once: Option<Once>,
) -> Result<(Appended, Step), Unavailable> {
    let (done, outcome) = oneshot::channel();
    let (heard, said) = (Arc::clone(followed), message.clone());
    let told = move |appended: Result<Appended, Unavailable>| {
        let outcome = appended.map(|appended| {
            if appended.is_repeated {
                return (appended, Step::Complete);
            }
            let mut replica = lock(&heard.replica);
            let step = replica.receive(appended.at.clone(), said);
            if step == Step::Missing {
                // The sender reads the log, or the next message does.
                replica.give_up();
            }
            (appended, step)
        });
        let _ = done.send(outcome);
    };
    logs.append(channel, message, keep, once, Box::new(told));
    outcome.await.unwrap_or(Err(Unavailable))
}

/// The channel of a room's log. It contains no braces, which have a meaning in a Redis cluster.
fn channel_of(room: &str) -> String {
    let escaped = room.replace('%', "%25").replace('{', "%7B").replace('}', "%7D");
    format!("{CHANNEL}{escaped}")
}

/// True for a channel of appended messages.
pub(crate) fn is_channel(channel: &str) -> bool {
    channel.starts_with(CHANNEL)
}

impl fmt::Debug for Histories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histories").field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// The prefix of channels of appended messages.
const CHANNEL: &str = "h:";
/// How often the log is read for messages that should exist.
const TRIES: usize = 5;
/// How long a subscription may take.
const PATIENCE: Duration = Duration::from_secs(2);
