//! POSTs that overtake each other, or come twice.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::lock::lock;

/// The POST that is held, if one is.
#[derive(Debug, Default)]
pub(crate) struct Posts {
    held: Mutex<Option<oneshot::Sender<()>>>,
}

/// What is done when a POST has passed.
#[derive(Debug)]
pub(crate) enum Passed {
    /// This copy of it follows, after so long.
    Replay(Bytes, Duration),
    /// The one that is held may go.
    Release,
}

impl Posts {
    /// Holds this POST until another has passed, unless one is held already: then this one passes,
    /// and has to say so. True if it was held and overtaken.
    pub(crate) async fn hold(&self, limit: Duration) -> Option<bool> {
        let release = {
            let mut held = lock(&self.held);
            if held.as_ref().is_some_and(|held| !held.is_closed()) {
                return None;
            }
            let (sender, release) = oneshot::channel();
            *held = Some(sender);
            release
        };
        Some(tokio::time::timeout(limit, release).await.is_ok())
    }

    /// Lets the held POST go.
    pub(crate) fn release(&self) {
        if let Some(held) = lock(&self.held).take() {
            // It may have waited long enough already.
            let _ = held.send(());
        }
    }
}
