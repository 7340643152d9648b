//! The application behind the tests: handlers for the [`contract`](crate::contract), and a journal of
//! what reached it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::Version;
use actix_web::web;
use bowline_server::{
    Auth, Binary, Bowline, BowlineBuilder, Close, CloseCode, Failure, Refusal, SessionId, Socket,
};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::contract::{
    AskBack, CountDown, Down, Echo, Fail, Handled, Hang, Join, KickMe, Leave, Line, Panic, Poll,
    Reverse, Said, Say, TrustFor, Up,
};

/// What reached the application, in the order it came.
#[derive(Debug, Clone)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
    versions: Arc<Mutex<BTreeSet<(String, Version)>>>,
    changed: watch::Sender<()>,
}

/// One thing that reached the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A session opened.
    Connected(SessionId),
    /// A numbered message came.
    Up(SessionId, u64),
    /// What the client presented anew was accepted.
    Refreshed(SessionId),
    /// A session ended with this code.
    Disconnected(SessionId, CloseCode),
}

impl Journal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self { entries: Arc::default(), versions: Arc::default(), changed: watch::channel(()).0 }
    }

    /// Everything so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The numbers that one session has sent, in the order they came.
    #[must_use]
    pub fn numbers(&self, session: SessionId) -> Vec<u64> {
        let of_session = |entry| match entry {
            Entry::Up(from, number) if from == session => Some(number),
            _ => None,
        };
        self.entries().into_iter().filter_map(of_session).collect()
    }

    /// The versions of HTTP in which requests for this path have come.
    #[must_use]
    pub fn versions(&self, path: &str) -> Vec<Version> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.iter().filter(|(of, _)| of == path).map(|(_, version)| *version).collect()
    }

    /// A request has come.
    pub(crate) fn hear(&self, path: &str, version: Version) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.insert((path.to_owned(), version));
    }

    /// Waits until the entries are as wanted.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&[Entry]) -> bool) -> Vec<Entry> {
        let mut changes = self.changed.subscribe();
        loop {
            let entries = self.entries();
            if wanted(&entries) {
                return entries;
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }

    fn write(&self, entry: Entry) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        self.changed.send_replace(());
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

/// The application, to be built with whatever settings a test needs. It wants a [`Journal`] as data.
pub fn builder() -> BowlineBuilder {
    Bowline::builder()
        .on_connect(connect)
        .on_refresh(refresh)
        .on_disconnect(disconnect)
        .on(Echo, |text: String| async { text })
        .on("echo-dynamic", |value: serde_json::Value| async { bowline_server::Json(value) })
        .on(Up, up)
        .on(CountDown, count_down)
        .on("down-again", |socket: Socket, number: u64| async move { socket.emit(Down, &number) })
        .on(Join, join)
        .on(Leave, |socket: Socket, room: String| async move { socket.leave(room) })
        .on(Say, say)
        .on(Poll, poll)
        .on(AskBack, ask_back)
        .on(
            Fail,
            |code: String| async move { Err::<(), _>(Failure::new(&code).with(&"as you wished")) },
        )
        .on(Reverse, reverse)
        .on("send-back", |socket: Socket, bytes: Bytes, value: serde_json::Value| async move {
            socket.emit_with("sent-back", &value, bytes)
        })
        .on(KickMe, |socket: Socket, (): ()| async move {
            let code = CloseCode::application(4501).expect("4501 is an application's code");
            socket.disconnect_with(Close::with_reason(code, "you asked"));
        })
        .on(Hang, |socket: Socket, journal: web::Data<Journal>, (): ()| {
            journal.write(Entry::Up(socket.id(), 0));
            std::future::pending::<()>()
        })
        .on(TrustFor, |socket: Socket, millis: u64| async move {
            socket.expires_in(Duration::from_millis(millis));
        })
        .on(Panic, |(): ()| async {
            if true {
                panic!("a handler that panics, on purpose")
            }
        })
}

async fn connect(
    socket: Socket,
    journal: web::Data<Journal>,
    Auth(auth): Auth<Option<String>>,
) -> Result<(), Refusal> {
    if auth.as_deref() == Some("wrong") {
        return Err("the password is wrong".into());
    }
    let slow = auth.as_deref().and_then(|auth| auth.strip_prefix("slow ")?.parse().ok());
    if let Some(millis) = slow {
        // Clients are to take it for what it is.
        sleep(Duration::from_millis(millis)).await;
    }
    journal.write(Entry::Connected(socket.id()));
    Ok(())
}

async fn refresh(
    socket: Socket,
    journal: web::Data<Journal>,
    Auth(auth): Auth<Option<String>>,
) -> Result<(), Refusal> {
    if auth.as_deref() == Some("wrong") {
        return Err("the new password is wrong".into());
    }
    journal.write(Entry::Refreshed(socket.id()));
    Ok(())
}

async fn disconnect(socket: Socket, journal: web::Data<Journal>, close: Close) {
    journal.write(Entry::Disconnected(socket.id(), close.code));
}

async fn up(socket: Socket, journal: web::Data<Journal>, number: u64) -> Handled {
    journal.write(Entry::Up(socket.id(), number));
    Handled { number, worker: format!("{:?}", std::thread::current().id()) }
}

async fn count_down(socket: Socket, through: u64) -> Result<(), Failure> {
    for number in 1..=through {
        socket.emit(Down, &number)?;
    }
    Ok(())
}

async fn join(socket: Socket, room: String) -> Result<(), Failure> {
    Ok(socket.join(room)?)
}

async fn say(socket: Socket, line: Line) -> Result<usize, Failure> {
    Ok(socket.to(&line.room).emit(Said, &line)?)
}

async fn poll(bowline: Bowline, room: String) -> Result<u64, Failure> {
    let replies = bowline.to(room).request(Down, &21).await?;
    let sum = replies.fold(0, |sum, (_, reply)| async move { sum + reply.unwrap_or(0) });
    Ok(sum.await)
}

async fn ask_back(socket: Socket, number: u64) -> Result<u64, Failure> {
    // The application's own word, with what the other end has said.
    socket
        .request(Down, &number)
        .await
        .map_err(|error| Failure::new("no-answer").with(&error.to_string()))
}

async fn reverse(bytes: Bytes, name: String) -> Binary<String> {
    Binary(name, bytes.iter().rev().copied().collect())
}
