//! A broker within the process whose connection can be broken for each node alone.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_server::Position;
use bowline_server::broker::{
    Broker, Deliver, Delivery, Entry, Keep, LocalBroker, Publication, Slice, Unavailable,
};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Notify, oneshot};

/// One node's way to the others.
#[derive(Debug)]
pub struct ShakyBroker {
    line: Line,
}

/// What can be done to a node's connection.
#[derive(Debug, Clone)]
pub struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: LocalBroker,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    cut: bool,
    /// Nothing goes out and nothing comes in, and nobody is told.
    silent: bool,
    /// Those that the node listens to.
    channels: BTreeSet<String>,
    /// Messages on channels that begin with this are refused, as a server without memory does.
    refused: Option<&'static str>,
    /// Messages on channels that begin with this wait.
    held: Option<&'static str>,
    waiting: VecDeque<Delivery>,
    /// Messages on channels that begin with this do not come.
    lost: Option<&'static str>,
    /// To be delivered beside what others publish.
    own: VecDeque<Delivery>,
    /// Those of one call together.
    published: Vec<Vec<Bytes>>,
    denied: usize,
    /// Entries of the directory whose keys begin with this are asked for in vain.
    stalled: Option<&'static str>,
    /// How many were.
    asked_in_vain: usize,
}

impl State {
    const fn is_out(&self) -> bool {
        self.cut || self.silent
    }
}

impl ShakyBroker {
    /// A broker, and what breaks its connection.
    #[must_use]
    pub fn new(inner: LocalBroker) -> (Self, Line) {
        let shared = Shared { inner, state: Mutex::default(), changed: Notify::new() };
        let line = Line(Arc::new(shared));
        (Self { line: line.clone() }, line)
    }
}

impl Line {
    /// Breaks the connection: nothing goes out and nothing comes in.
    pub fn cut(&self) {
        self.change(|state| {
            state.cut = true;
            state.own.push_back(Delivery::Down);
        });
    }

    /// The connection stands again.
    pub fn mend(&self) {
        self.change(|state| {
            state.cut = false;
            state.own.push_back(Delivery::Up);
        });
    }

    /// From now on nothing goes out and nothing comes in, as if the node was killed: neither it nor the others are told.
    pub fn fall_silent(&self) {
        self.change(|state| {
            state.silent = true;
            state.channels.iter().for_each(|channel| self.0.inner.unsubscribe(channel));
        });
    }

    /// Messages pass again, and still nobody is told.
    pub fn end_silence(&self) {
        self.change(|state| {
            state.channels.iter().for_each(|channel| self.0.inner.subscribe(channel, None));
            state.silent = false;
        });
    }

    /// Refuses what is published on channels that begin with this, or nothing more.
    pub fn refuse(&self, channels: Option<&'static str>) {
        self.change(|state| state.refused = channels);
    }

    /// Keeps back what comes on channels that begin with this, however old it gets: channels are late, each
    /// for itself, where a broker has several servers.
    pub fn hold(&self, channels: &'static str) {
        self.change(|state| state.held = Some(channels));
    }

    /// Loses what comes on channels that begin with this, and nothing else.
    pub fn lose(&self, channels: &'static str) {
        self.change(|state| state.lost = Some(channels));
    }

    /// Lets what was kept back come, up to and with the first message that has this in its description.
    pub fn release_to(&self, word: &str) {
        self.change(|state| {
            while let Some(delivery) = state.waiting.pop_front() {
                let found =
                    matches!(&delivery, Delivery::Message { message, .. } if has(message, word));
                state.own.push_back(delivery);
                if found {
                    return;
                }
            }
        });
    }

    /// Lets everything come.
    pub fn release(&self) {
        self.change(|state| {
            state.held = None;
            let waiting = std::mem::take(&mut state.waiting);
            state.own.extend(waiting);
        });
    }

    /// True if a message with this in its description is kept back.
    #[must_use]
    pub fn holds(&self, word: &str) -> bool {
        let state = self.lock();
        let mut waiting = state.waiting.iter();
        waiting.any(
            |delivery| matches!(delivery, Delivery::Message { message, .. } if has(message, word)),
        )
    }

    /// How many messages with this in their description the node has published.
    #[must_use]
    pub fn published(&self, word: &str) -> usize {
        self.lock().published.iter().flatten().filter(|message| has(message, word)).count()
    }

    /// As [`Self::published`], call by call.
    #[must_use]
    pub fn published_together(&self, word: &str) -> Vec<usize> {
        let state = self.lock();
        let calls = state.published.iter();
        let counts = calls.map(|call| call.iter().filter(|message| has(message, word)).count());
        counts.filter(|count| *count > 0).collect()
    }

    /// Lets those wait for ever who ask for entries of the directory whose keys begin with this.
    pub fn stall(&self, keys: &'static str) {
        self.change(|state| state.stalled = Some(keys));
    }

    /// How many wait for ever.
    #[must_use]
    pub fn asked_in_vain(&self) -> usize {
        self.lock().asked_in_vain
    }

    /// How often the directory could not be reached.
    #[must_use]
    pub fn denied(&self) -> usize {
        self.lock().denied
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.0.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what comes from others, in order with what was kept back.
    fn take(&self, delivery: Delivery) {
        self.change(|state| {
            let Delivery::Message { channel, .. } = &delivery else {
                return state.own.push_back(delivery);
            };
            let is_lost = state.lost.is_some_and(|lost| channel.starts_with(lost));
            if state.is_out() || is_lost {
            } else if state.held.is_some_and(|held| channel.starts_with(held)) {
                state.waiting.push_back(delivery);
            } else {
                state.own.push_back(delivery);
            }
        });
    }
}

impl Broker for ShakyBroker {
    fn run(&self, deliver: Deliver) -> BoxFuture<'static, ()> {
        let line = self.line.clone();
        let inner = self.line.0.inner.run(Arc::new(move |delivery| line.take(delivery)));
        let line = self.line.clone();
        let own = async move {
            loop {
                let next = line.lock().own.pop_front();
                match next {
                    Some(delivery) => deliver(delivery),
                    None => line.0.changed.notified().await,
                }
            }
        };
        async move {
            tokio::select! {
                () = inner => {}
                () = own => {}
            }
        }
        .boxed()
    }

    fn publish(&self, messages: Vec<Publication>) {
        let mut state = self.line.lock();
        if state.silent {
            return;
        }
        state.published.push(messages.iter().map(|one| one.message.clone()).collect());
        let (sent, unsent) = messages.into_iter().partition::<Vec<_>, _>(|one| {
            !state.cut && !state.refused.is_some_and(|refused| one.channel.starts_with(refused))
        });
        drop(state);
        for Publication { channel, .. } in unsent {
            self.line.change(|state| state.own.push_back(Delivery::Unsent { channel }));
        }
        self.line.0.inner.publish(sent);
    }

    fn subscribe(&self, channel: &str, effective: Option<oneshot::Sender<()>>) {
        self.line.lock().channels.insert(channel.to_owned());
        self.line.0.inner.subscribe(channel, effective);
    }

    fn unsubscribe(&self, channel: &str) {
        self.line.lock().channels.remove(channel);
        self.line.0.inner.unsubscribe(channel);
    }

    fn directory(
        &self,
        key: &str,
        change: Entry,
    ) -> BoxFuture<'static, Result<Option<Bytes>, Unavailable>> {
        let mut state = self.line.lock();
        if state.is_out() {
            state.denied += 1;
            return std::future::ready(Err(Unavailable)).boxed();
        }
        if state.stalled.is_some_and(|stalled| key.starts_with(stalled)) {
            state.asked_in_vain += 1;
            return std::future::pending().boxed();
        }
        drop(state);
        self.line.0.inner.directory(key, change)
    }

    fn append(
        &self,
        log: &str,
        message: Bytes,
        keep: Keep,
    ) -> BoxFuture<'static, Result<Position, Unavailable>> {
        if self.line.lock().is_out() {
            return std::future::ready(Err(Unavailable)).boxed();
        }
        self.line.0.inner.append(log, message, keep)
    }

    fn read(&self, log: &str, keep: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>> {
        if self.line.lock().is_out() {
            return std::future::ready(Err(Unavailable)).boxed();
        }
        self.line.0.inner.read(log, keep)
    }
}

fn has(message: &Bytes, word: &str) -> bool {
    message.windows(word.len()).any(|part| part == word.as_bytes())
}
