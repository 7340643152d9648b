//! POSTs that overtake each other, or come twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::shared::{Shared, lock};

/// The POST that is held, if one is.
#[derive(Debug, Default)]
pub(super) struct Posts {
    held: Mutex<Option<oneshot::Sender<()>>>,
}

/// What is done when a POST has passed.
#[derive(Debug)]
pub(super) enum Passed {
    /// This copy of it follows, after so long.
    Replay(Bytes, Duration),
    /// The one that is held may go.
    Release,
}

impl Posts {
    /// Holds this POST until another has passed, unless one is held already: then this one passes, and
    /// has to say so. True if it was held and overtaken.
    pub(super) async fn hold(&self, limit: Duration) -> Option<bool> {
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

    fn release(&self) {
        if let Some(held) = lock(&self.held).take() {
            // It may have waited long enough already.
            let _ = held.send(());
        }
    }
}

impl Shared {
    /// A POST has reached the server.
    pub(super) fn post_passed(self: &Arc<Self>, passed: Passed) {
        match passed {
            Passed::Replay(request, after) => self.spawn(replay(self.clone(), request, after)),
            Passed::Release => self.posts.release(),
        }
    }
}

/// Sends a request on a connection of its own, until the server begins to answer.
async fn replay(shared: Arc<Shared>, request: Bytes, after: Duration) {
    tokio::time::sleep(after).await;
    let Ok(mut server) = TcpStream::connect(shared.target()).await else { return };
    let mut answer = [0; 1024];
    if server.write_all(&request).await.is_ok()
        && server.read(&mut answer).await.is_ok_and(|read| read > 0)
    {
        shared.count(|counters| counters.replayed += 1);
    }
}
