//! Values: hashes of chunks.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf as _, Bytes};

use super::connection::Reach;
use super::scripts;
use super::signs::{Claim, Signs};
use super::thread::{Hand, Pending};
use crate::store::place::{self, Removed};

/// A value that is being written: one chunk is being sent while the next is filled.
pub(super) struct Unfinished {
    hand: Hand,
    signs: Arc<Signs>,
    claim: Arc<Claim>,
    chunk: Vec<u8>,
    chunks: u32,
    pending: Option<Pending<u64>>,
    is_whole: bool,
}

impl Unfinished {
    pub(super) fn new(hand: Hand, signs: &Arc<Signs>, name: String) -> Self {
        let (signs, claim) = (Arc::clone(signs), Arc::new(Claim::new(name)));
        let chunk = Vec::with_capacity(CHUNK);
        Self { hand, signs, claim, chunk, chunks: 0, pending: None, is_whole: false }
    }

    fn shared(&self) -> (Arc<Reach>, Arc<Claim>) {
        (Arc::clone(self.signs.reach()), Arc::clone(&self.claim))
    }

    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.settle()?;
        let ((reach, claim), number) = (self.shared(), self.chunks);
        self.chunks += 1;
        let write = async move {
            reach.ask(|keys| scripts::write(keys, &claim.name, number, &chunk)).await
        };
        self.pending = Some(self.hand.begin(write));
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        self.pending.take().map_or(Ok(0), Pending::wait).map(drop)
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let some = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..some]);
        if self.chunk.len() == CHUNK {
            self.send()?;
        }
        Ok(some)
    }

    /// Chunks are sent when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl place::Unfinished for Unfinished {
    fn finish(
        mut self: Box<Self>,
        before: Option<&dyn place::Claimed>,
    ) -> io::Result<Box<dyn place::Claimed>> {
        if !self.chunk.is_empty() {
            self.send()?;
        }
        self.settle()?;
        // Never both exist: one of them is older.
        before.map(place::Claimed::remove).transpose()?;
        let ((reach, claim), chunks) = (self.shared(), self.chunks);
        let finish =
            async move { reach.ask::<u64>(|keys| scripts::finish(keys, &claim, chunks)).await };
        if self.hand.begin(finish).wait()? == 0 {
            return Err(io::Error::other("it has lost a part of what was written"));
        }
        self.is_whole = true;
        let (hand, signs, claim) = (self.hand.clone(), &self.signs, Arc::clone(&self.claim));
        Ok(Box::new(Claimed::of(hand, signs, claim, chunks)))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_whole {
            // It expires by itself, if this command fails.
            let (reach, claim) = self.shared();
            self.hand.begin(async move {
                reach.ask_once::<u64>(|keys| scripts::abandon(keys, &claim.name)).await
            });
        }
    }
}

/// A value that no other process reads until this is dropped.
pub(super) struct Claimed {
    hand: Hand,
    signs: Arc<Signs>,
    claim: Arc<Claim>,
    chunks: u32,
    is_taken: AtomicBool,
}

impl Claimed {
    /// `None` if another process has it, or had it.
    pub(super) fn new(hand: Hand, signs: &Arc<Signs>, name: &str) -> io::Result<Option<Self>> {
        let claim = Arc::new(Claim::new(name.to_owned()));
        let (reach, asked) = (Arc::clone(signs.reach()), Arc::clone(&claim));
        let outcome = hand
            .begin(async move { reach.ask(|keys| scripts::claim(keys, &asked)).await })
            .wait()?;
        Ok(match outcome {
            scripts::GONE | scripts::CLAIMED => None,
            chunks => {
                let chunks = u32::try_from(chunks).map_err(io::Error::other)?;
                Some(Self::of(hand, signs, claim, chunks))
            }
        })
    }

    fn of(hand: Hand, signs: &Arc<Signs>, claim: Arc<Claim>, chunks: u32) -> Self {
        signs.claims(Claim::clone(&claim));
        let (signs, is_taken) = (Arc::clone(signs), AtomicBool::new(false));
        Self { hand, signs, claim, chunks, is_taken }
    }

    fn chunk(&self, number: u32) -> Option<Pending<Option<Vec<u8>>>> {
        let (reach, claim) = (Arc::clone(self.signs.reach()), Arc::clone(&self.claim));
        let read = async move { reach.ask(|keys| scripts::read(keys, &claim.name, number)).await };
        (number < self.chunks).then(|| self.hand.begin(read))
    }
}

impl place::Claimed for Claimed {
    fn reader(&self) -> Box<dyn Read + '_> {
        let (chunk, next) = (Bytes::new(), 1);
        Box::new(Reader { claimed: self, chunk, pending: self.chunk(0), next })
    }

    fn remove(&self) -> io::Result<Removed> {
        self.signs.no_longer_claims(&self.claim);
        let (reach, claim) = (Arc::clone(self.signs.reach()), Arc::clone(&self.claim));
        let take = async move { reach.ask::<u64>(|keys| scripts::take(keys, &claim)).await };
        if self.hand.begin(take).wait()? == 0 {
            self.signs.are_outdated();
            return Ok(Removed::Theirs);
        }
        self.is_taken.store(true, Ordering::Release);
        Ok(Removed::Ours)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.signs.no_longer_claims(&self.claim);
        let (claim, is_taken) = (Arc::clone(&self.claim), *self.is_taken.get_mut());
        let signs = Arc::clone(&self.signs);
        let last = self.hand.begin(async move {
            if is_taken {
                return signs.reach().ask_once(|keys| scripts::forget(keys, &claim.name)).await;
            }
            signs.release(&claim).await
        });
        if !is_taken {
            // The next process may be waiting already. Otherwise the claim expires by itself.
            let _ = last.wait();
        }
    }
}

impl fmt::Debug for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claimed").field("name", &self.claim.name).finish_non_exhaustive()
    }
}

/// Receives one chunk while the previous one is read.
struct Reader<'a> {
    claimed: &'a Claimed,
    chunk: Bytes,
    pending: Option<Pending<Option<Vec<u8>>>>,
    /// The number of the chunk after the one that is being received.
    next: u32,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty()
            && let Some(pending) = self.pending.take()
        {
            let chunk = pending.wait()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.chunk = chunk.into();
            self.pending = self.claimed.chunk(self.next);
            self.next += 1;
        }
        let some = into.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut into[..some]);
        Ok(some)
    }
}

/// The bytes of a chunk, except the last one.
const CHUNK: usize = 1024 * 1024;
