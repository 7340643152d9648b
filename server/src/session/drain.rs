//! A node that drains: it serves nobody any more, and sends each client a close that states when to
//! reconnect.

use std::sync::OnceLock;
use std::time::Duration;

use bowline_protocol::{Close, CloseCode, Time};
use tokio::sync::watch;

use super::Common;
use crate::random::random;

/// Whether a node drains.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    /// Set once the node drains.
    begun: OnceLock<Begun>,
    /// Changes when the node begins to drain.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Begun {
    /// Until when clients get answers that are under way.
    until: Time,
    since: Time,
    /// Clients reconnect after `least`, and over what is left of `spread`.
    least: Duration,
    spread: Duration,
}

impl Common {
    /// From now on, every client that comes is sent away. For so long the server waits for the
    /// handlers that are at work.
    pub(crate) fn start_draining(&self, patience: Duration) {
        let (least, spread) = if self.stores_sessions() {
            (COME_BACK, self.config.resume_spread(self.registry.len()))
        } else {
            (Duration::ZERO, self.config.drain_spread)
        };
        let now = self.now();
        let begun = Begun { until: now + patience, since: now, least, spread };
        if self.drain.begun.set(begun).is_ok() {
            self.drain.changed.send_replace(());
        }
    }

    /// Waits until the node drains, and yields the close for a client.
    pub(crate) async fn drained(&self) -> Close {
        let mut changed = self.drain.changed.subscribe();
        if !self.is_draining() {
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
        self.drain_close()
    }

    /// True while clients whose handlers are at work still get their answers from a node that
    /// drains.
    pub(crate) fn awaits_answers(&self) -> bool {
        self.drain.begun.get().is_some_and(|begun| self.now() < begun.until)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain.begun.get().is_some()
    }

    /// True if the sessions outlive this process.
    pub(crate) const fn stores_sessions(&self) -> bool {
        self.config.store.is_some()
    }

    /// Sends a client away for a random while within the spread, so that not all come back to the
    /// next process in the same moment.
    pub(crate) fn drain_close(&self) -> Close {
        let (least, spread) = match self.drain.begun.get() {
            Some(Begun { since, least, spread, .. }) if self.stores_sessions() => {
                // Who has come back already is among the first of the rest.
                (*least, spread.saturating_sub(self.now() - *since))
            }
            Some(Begun { least, spread, .. }) => (*least, *spread),
            None => (Duration::ZERO, self.config.drain_spread),
        };
        let spread = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        let after = u64::from_ne_bytes(random()) % spread.max(1);
        Close::new(CloseCode::DRAINING).after(least + Duration::from_millis(after))
    }

    /// Sends a client away whose session is about to come from another process.
    pub(crate) fn come_back(&self) -> Close {
        if self.is_draining() {
            return self.drain_close();
        }
        Close::new(CloseCode::DRAINING).after(COME_BACK)
    }
}

/// How long a client waits at least that is to find its session in the next process: for this one
/// to end.
const COME_BACK: Duration = Duration::from_millis(500);
