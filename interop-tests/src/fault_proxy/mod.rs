//! A TCP relay that misbehaves when it is told to.
//!
//! It listens on a loopback port of its own in front of one address. Every fault can be switched
//! while connections are open. Except for the faults that speak of requests, it knows nothing but
//! bytes, so a TLS connection or a WebSocket passes through like anything else.
//!
//! ```
//! use bowline_interop_tests::fault_proxy::{Cut, FaultProxy};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let proxy = FaultProxy::start(server.local_addr()?).await?;
//! let client = tokio::net::TcpStream::connect(proxy.addr()).await?;
//! proxy.wait_for(|counters| counters.accepted == 1).await;
//! assert_eq!(proxy.cut_all(Cut::Reset), 1);
//! # Ok(())
//! # }
//! ```

mod connection;
mod faults;
mod line;
mod requests;
mod shared;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub use faults::{Counters, Cut, Direction};
use shared::Shared;

/// The relay and the handle that changes its mind. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1 and relays to `target`, without any fault. Must be called
    /// in a Tokio runtime, which has to live as long as the proxy.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await?, target)
    }

    /// As [`Self::start`], on a port that the caller has bound.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start_on(listener: TcpListener, target: SocketAddr) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(target));
        shared.spawn(connection::accept(listener, shared.clone()));
        Ok(Self { addr, shared })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The `http` address of a path, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Relays connections from now on to another address: a server was restarted on another port.
    /// Open connections stay where they are.
    pub fn set_target(&self, target: SocketAddr) {
        self.shared.change(|faults| faults.target = target);
    }

    /// Ends every open connection on both sides and says how many there were. Bytes that are under
    /// way are lost.
    pub fn cut_all(&self, how: Cut) -> usize {
        self.shared.cut(how, |_| None)
    }

    /// Ends one open connection, the one at `pick` modulo their number from the oldest on, and says
    /// how many it ended: none when none was open. A seeded `pick` makes the choice repeatable.
    pub fn cut_one(&self, pick: u64, how: Cut) -> usize {
        self.shared.cut(how, |open| Some((pick % open.max(1) as u64) as usize))
    }

    /// Holds back bytes for `each_way`, plus up to `jitter` more at random, in each direction, from
    /// now on. Order is kept; bytes that are under way already keep their time. Zero turns it off.
    pub fn delay(&self, each_way: Duration, jitter: Duration) {
        self.shared.change(|faults| (faults.delay, faults.jitter) = (each_way, jitter));
    }

    /// Answers every request that has an `Upgrade` header with this status, without asking the
    /// server: the proxy that does not know WebSockets. `None` lets them through.
    ///
    /// Seen are the requests of a connection up to the first that is chunked or was let through with
    /// an `Upgrade` header; what follows one of these is no longer read as HTTP.
    pub fn refuse_upgrade(&self, status: Option<u16>) {
        self.shared.change(|faults| faults.refuse_upgrade = status);
    }

    /// Lets upgrades through from now on, and then swallows all that either peer says on their
    /// connections: the proxy that agrees to a WebSocket and does not know what to do with it.
    pub fn dead_upgrades(&self, dead: bool) {
        self.shared.change(|faults| faults.dead_upgrades = dead);
    }

    /// Swallows what comes in that direction and tells nobody: connections stay open and can still be
    /// made. Even the end of a connection is swallowed. `None` ends it for connections that lost
    /// nothing; one that did stays mute for ever, because TCP never delivers a stream with a hole.
    pub fn mute(&self, direction: Option<Direction>) {
        self.shared.change(|faults| faults.mute = direction);
    }

    /// Resets every new connection as soon as it was made. Open ones are left alone.
    pub fn refuse_connections(&self, refuse: bool) {
        self.shared.change(|faults| faults.refuse_connections = refuse);
    }

    /// Closes the connection of the next request when so many bytes of the answer's body passed
    /// (chunk headers included), once. If the body is shorter, the next answer on the same connection
    /// is the one.
    pub fn cut_mid_body(&self, after: usize) {
        self.shared.change(|faults| faults.cut_mid_body = Some(after));
    }

    /// Sends a copy of each POST request with a body of at most 64 KiB to the server once more, on a
    /// connection of its own after the request itself, and throws the answer away. Requests are seen
    /// as for [`Self::refuse_upgrade`].
    pub fn replay_posts(&self, replay: bool) {
        self.shared.change(|faults| faults.replay_posts = replay);
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.counters().open
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// Waits until the counters satisfy the condition, and returns them as they were then. Has no
    /// timeout of its own.
    pub async fn wait_for(&self, condition: impl FnMut(&Counters) -> bool) -> Counters {
        self.shared.wait_for(condition).await
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
