//! One direction of a connection: bytes that are under way, in order.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::ending::Ending;
use crate::posts::Passed;

/// Where pieces are put on the line.
#[derive(Clone)]
pub(crate) struct Entry {
    pieces: mpsc::UnboundedSender<Piece>,
    room: Arc<Semaphore>,
}

/// Where they come out.
pub(crate) struct Exit {
    pieces: mpsc::UnboundedReceiver<Piece>,
}

/// Something on its way, and when it arrives. A piece never overtakes the one before it, because
/// the exit waits for one after the other.
struct Piece {
    due: Instant,
    content: Content,
}

enum Content {
    Bytes(Bytes, OwnedSemaphorePermit),
    /// Everything before it was delivered.
    Mark(Passed),
    End,
    Cut,
}

pub(crate) fn line() -> (Entry, Exit) {
    let (sender, pieces) = mpsc::unbounded_channel();
    (Entry { pieces: sender, room: Arc::new(Semaphore::new(ROOM)) }, Exit { pieces })
}

impl Entry {
    /// Puts bytes on the line as soon as there is room: a peer that does not read holds up the
    /// other.
    pub(crate) async fn send(&self, due: Instant, bytes: Bytes) {
        let size = bytes.len().min(ROOM) as u32;
        let room = self.room.clone().acquire_many_owned(size).await;
        let room = room.expect("the semaphore is never closed");
        self.put(due, Content::Bytes(bytes, room));
    }

    /// Has [`Exit::deliver`] call back with this when everything before it was delivered.
    pub(crate) fn mark(&self, due: Instant, mark: Passed) {
        self.put(due, Content::Mark(mark));
    }

    /// The peer ended its direction.
    pub(crate) fn end(&self, due: Instant) {
        self.put(due, Content::End);
    }

    /// The connection ends when everything before was delivered.
    pub(crate) fn cut(&self, due: Instant) {
        self.put(due, Content::Cut);
    }

    fn put(&self, due: Instant, content: Content) {
        // The exit is gone when the connection ends, and then nobody misses the piece.
        let _ = self.pieces.send(Piece { due, content });
    }
}

impl Exit {
    /// Writes what arrives until the end of the line.
    pub(crate) async fn deliver(
        mut self,
        mut out: impl AsyncWrite + Unpin,
        count: impl Fn(usize),
        marked: impl Fn(Passed),
    ) -> Result<(), Ending> {
        while let Some(piece) = self.pieces.recv().await {
            sleep_until(piece.due).await;
            match piece.content {
                Content::Bytes(bytes, _room) => {
                    out.write_all(&bytes).await.map_err(|_| Ending::Broken)?;
                    count(bytes.len());
                }
                Content::Mark(mark) => marked(mark),
                Content::End => return out.shutdown().await.map_err(|_| Ending::Broken),
                Content::Cut => return Err(Ending::MidBody),
            }
        }
        Ok(())
    }
}

/// Bytes that one direction of one connection holds at most.
const ROOM: usize = 256 * 1024;
