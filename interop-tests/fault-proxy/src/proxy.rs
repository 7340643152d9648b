//! The relay itself, and the handle that changes its faults.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::connection;
use crate::counters::Counters;
use crate::faults::{Cut, Direction, Faults, Refusal, Upgrade};
use crate::shared::Shared;

/// The relay and the handle that changes its mind. Dropping it closes the port and every
/// connection.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1 and relays to `target`, without any fault. Must be
    /// called in a Tokio runtime, which has to live as long as the proxy.
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
        self.shared.set_target(target);
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

    /// Behaves like this from now on. Open connections are included, except that a fault of a
    /// request or an upgrade is chosen when that begins.
    pub fn set(&self, faults: Faults) {
        self.shared.change(|current| *current = faults);
    }

    /// Changes some of the faults and leaves the others as they are.
    pub fn change(&self, change: impl FnOnce(&mut Faults)) {
        self.shared.change(change);
    }

    /// [`Faults::delay`] and [`Faults::jitter`]. Bytes that are under way already keep their time.
    pub fn delay(&self, each_way: Duration, jitter: Duration) {
        self.change(|faults| (faults.delay, faults.jitter) = (each_way, jitter));
    }

    /// Answers every upgrade with this status, without asking the server: the proxy that does not
    /// know WebSockets. `None` lets them through.
    pub fn refuse_upgrade(&self, status: Option<u16>) {
        let refuse = |status| Upgrade::Refuse(Refusal::Status(status));
        self.change(|faults| faults.upgrade = status.map_or(Upgrade::Pass, refuse));
    }

    /// Lets upgrades through from now on, and then swallows all that either peer says on their
    /// connections: the proxy that agrees to a WebSocket and does not know what to do with it.
    pub fn dead_upgrades(&self, dead: bool) {
        let upgrade = if dead { Upgrade::Mute(Direction::Both) } else { Upgrade::Pass };
        self.change(|faults| faults.upgrade = upgrade);
    }

    /// [`Faults::mute`].
    pub fn mute(&self, direction: Option<Direction>) {
        self.change(|faults| faults.mute = direction);
    }

    /// [`Faults::refuse_connections`].
    pub fn refuse_connections(&self, refuse: bool) {
        self.change(|faults| faults.refuse_connections = refuse);
    }

    /// [`Faults::cut_mid_body`].
    pub fn cut_mid_body(&self, after: usize) {
        self.change(|faults| faults.cut_mid_body = Some(after));
    }

    /// [`Faults::replay_posts`], at once.
    pub fn replay_posts(&self, replay: bool) {
        self.change(|faults| faults.replay_posts = replay.then_some(Duration::ZERO));
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
