//! What one peer of a connection says.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::ending::Ending;
use crate::faults::Direction;
use crate::life::Life;
use crate::shared::Shared;

/// Reads one peer, and forgets what it says while it is muted.
pub(crate) struct Source<'a, R> {
    shared: &'a Shared,
    life: &'a Life,
    direction: Direction,
    read: R,
    buffer: BytesMut,
    has_a_hole: bool,
}

impl<'a, R: AsyncRead + Unpin> Source<'a, R> {
    pub(crate) fn new(shared: &'a Shared, life: &'a Life, direction: Direction, read: R) -> Self {
        Self { shared, life, direction, read, buffer: BytesMut::new(), has_a_hole: false }
    }

    /// From now on nothing comes from it.
    pub(crate) const fn silence(&mut self) {
        self.has_a_hole = true;
    }

    /// The next bytes, or `None` at the end. Never returns when that end is swallowed.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Ending> {
        loop {
            self.buffer.reserve(READ);
            let read = self.read.read_buf(&mut self.buffer).await;
            let bytes = self.buffer.split().freeze();
            self.shared.count(|counters| counters.bytes_received += bytes.len());
            self.life.touch();
            self.has_a_hole |= self.shared.is_muted(self.direction);
            match read {
                Ok(0) | Err(_) if self.has_a_hole => std::future::pending().await,
                Ok(read) if self.has_a_hole => {
                    self.shared.count(|counters| counters.bytes_muted += read);
                }
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(bytes)),
                Err(_) => return Err(Ending::Broken),
            }
        }
    }
}

/// Bytes that are read at once.
const READ: usize = 16 * 1024;
