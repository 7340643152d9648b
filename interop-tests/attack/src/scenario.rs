//! What an attack is: what it is given, and what it holds afterwards.

use std::any::Any;
use std::path::PathBuf;

use bowline_processes::RedisServer;
use futures::future::LocalBoxFuture;

use crate::check::Check;

/// One row.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Settings of the server, as its words.
    pub(crate) settings: &'static [&'static str],
    /// Mebibytes that the server may have at most beyond what it had before.
    pub(crate) peak: f64,
    /// The server ends in two seconds with the peers still there.
    pub(crate) ends: bool,
    pub(crate) attack: for<'a> fn(&'a Attack) -> LocalBoxFuture<'a, Result<Held, String>>,
}

/// What an attack knows.
pub(crate) struct Attack {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) short: bool,
    /// What the server has written to its log so far, in bytes.
    pub(crate) log: PathBuf,
    pub(crate) redis: Option<RedisServer>,
}

/// What an attack holds when it is over, and what it has found out besides.
#[derive(Default)]
pub(crate) struct Held {
    _connections: Vec<Box<dyn Any + Send>>,
    pub(crate) checks: Vec<Check>,
}

impl Attack {
    /// The number, or the smaller one of a short run.
    pub(crate) const fn scaled(&self, whole: usize, short: usize) -> usize {
        if self.short { short } else { whole }
    }
}

impl Held {
    pub(crate) fn connections<T: Send + 'static>(connections: Vec<T>) -> Self {
        let boxed = connections.into_iter().map(|one| Box::new(one) as Box<dyn Any + Send>);
        Self { _connections: boxed.collect(), checks: Vec::new() }
    }

    pub(crate) fn checks(checks: Vec<Check>) -> Self {
        Self { _connections: Vec::new(), checks }
    }
}

/// The word of a server that shares a Redis with others.
pub(crate) const REDIS: &str = "redis";
