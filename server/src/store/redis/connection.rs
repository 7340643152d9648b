//! The connection. It is opened when it is needed, and again when it is lost.

#![expect(clippy::disallowed_methods, reason = "a pause before another attempt to reach Redis")]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Cmd, ConnectionInfo, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::broker::{Connection, Server};

/// A way to the server.
pub(super) struct Reach {
    info: ConnectionInfo,
    pub(super) shown: String,
    prefix: String,
    link: Mutex<Option<Link>>,
    is_down: AtomicBool,
}

#[derive(Clone)]
struct Link {
    connection: Connection,
    keys: Keys,
}

/// The names of the keys of the store.
#[derive(Debug, Clone)]
pub(super) struct Keys(String);

impl Reach {
    pub(super) fn new(info: ConnectionInfo, shown: String, prefix: String) -> Self {
        Self { info, shown, prefix, link: Mutex::default(), is_down: AtomicBool::new(false) }
    }

    /// Sends a command to the server, on a new connection if the previous one is lost. The server
    /// may execute the command twice.
    ///
    /// Ends after [`PATIENCE`] and one attempt, which takes at most as long as a connection and an
    /// answer may. If the server was silent on an old connection, the command is sent on a new one
    /// in any case.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        command: impl Fn(&Keys) -> Cmd,
    ) -> io::Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            let error = match self.attempt(&command).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !error.may_pass() || (Instant::now() >= until && !error.was_old) {
                return Err(io::Error::other(error.cause));
            }
            sleep(PAUSE).await;
        }
    }

    /// Like [`Self::ask`], but sends the command once.
    pub(super) async fn ask_once<T: FromRedisValue>(
        &self,
        command: impl Fn(&Keys) -> Cmd,
    ) -> io::Result<T> {
        self.attempt(&command).await.map_err(|error| io::Error::other(error.cause))
    }

    /// An error if the server could not be reached at the last attempt.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.is_down.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(io::Error::other("it cannot be reached")),
        }
    }

    async fn attempt<T: FromRedisValue>(
        &self,
        command: &impl Fn(&Keys) -> Cmd,
    ) -> Result<T, Failure> {
        let (mut link, was_old) = self.link().await.map_err(|cause| {
            self.is_down.store(true, Ordering::Relaxed);
            Failure { cause, was_old: false }
        })?;
        let outcome = link.connection.query(&command(&link.keys)).await;
        let failed = outcome.map_err(|cause| Failure { cause, was_old });
        let is_lost = failed.as_ref().is_err_and(Failure::may_pass);
        self.is_down.store(is_lost, Ordering::Relaxed);
        if is_lost {
            *self.link.lock().await = None;
        }
        failed
    }

    /// The connection, and whether it existed before.
    async fn link(&self) -> Result<(Link, bool), RedisError> {
        let mut link = self.link.lock().await;
        if let Some(link) = &*link {
            return Ok((link.clone(), true));
        }
        let server = Server::probe(self.info.clone(), &self.prefix).await?;
        let connection = server.commands().await?;
        let new = Link { connection, keys: Keys::new(&self.prefix, server.is_cluster()) };
        Ok((link.insert(new).clone(), false))
    }
}

impl Keys {
    fn new(prefix: &str, is_cluster: bool) -> Self {
        // The braces put all keys on one server.
        Self(if is_cluster { format!("{{{prefix}:store}}") } else { format!("{prefix}:store") })
    }

    /// A key of this kind.
    pub(super) fn of(&self, kind: &str) -> String {
        format!("{}:{kind}", self.0)
    }

    /// A key of this kind for a value.
    pub(super) fn named(&self, kind: &str, name: &str) -> String {
        format!("{}:{kind}:{name}", self.0)
    }
}

/// Why an attempt failed.
struct Failure {
    cause: RedisError,
    /// The connection existed before the attempt.
    was_old: bool,
}

impl Failure {
    /// False if the server has refused the command: then it will do so again.
    fn may_pass(&self) -> bool {
        use ServerErrorKind as Kind;
        match self.cause.kind() {
            ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => true,
            ErrorKind::Server(kind) => matches!(
                kind,
                Kind::BusyLoading
                    | Kind::Moved
                    | Kind::Ask
                    | Kind::TryAgain
                    | Kind::ClusterDown
                    | Kind::MasterDown
                    | Kind::ReadOnly
            ),
            _ => false,
        }
    }
}

/// How long attempts to reach a server are repeated.
const PATIENCE: Duration = Duration::from_secs(3);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
