//! Logs in a file, for one node: appended messages exist after a restart.
//!
//! Memory contains everything that is kept, and reads use memory. The file contains the same, and
//! is read once, when it is opened. One thread writes: it writes all pending jobs as one group,
//! with one fsync, and then reports each result in order. So a message whose result was reported is
//! on the disk, and a disk that refuses writes does not prevent reads.

#![expect(clippy::disallowed_methods, reason = "one thread writes histories to the file")]

mod disk;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use bowline_protocol::Position;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use tokio::sync::oneshot;

use super::durable::Told;
use super::logs::OVERHEAD;
use super::{Bounds, DurableLogs, Keep, Logs, Once, Slice, Trimmed, Unavailable};
use crate::complaints::limited;
use crate::locks::lock;
use disk::Disk;
use writer::{Job, What, Writer};

/// A file that keeps the histories of one node: see
/// [`history_store`](crate::BowlineBuilder::history_store).
///
/// It is a database of `redb`. On Unix only its owner may read it; what is in it is not encrypted.
pub struct HistoryFile {
    path: PathBuf,
    logs: Arc<Mutex<Logs>>,
    jobs: mpsc::Sender<Job>,
    /// The bytes that wait to be written.
    waiting: Arc<AtomicUsize>,
}

/// Why a file of histories cannot be opened.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    advice: &'static str,
    cause: Box<redb::Error>,
}

impl HistoryFile {
    /// Opens the file, or makes it, and reads all of it into memory; so do this before the server
    /// listens.
    ///
    /// One process has the file. If another one has it, which may be the older one that is about to
    /// end, this waits for up to 15 s. A file that is damaged is renamed to `<path>.broken`, an
    /// earlier one of that name is replaced, an `error` is logged, and the histories begin
    /// anew: followers learn that messages may be missing, and not which.
    ///
    /// # Errors
    /// When the file cannot be made, read or written, when another process has it, or when a newer
    /// version has made it. The message names the file and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let (disk, found) = disk::open(path).map_err(|cause| OpenError::new(path, cause))?;
        let begin = || Self::start(path, disk, found);
        begin().map_err(|cause| OpenError::new(path, redb::Error::Io(cause)))
    }

    fn start(path: &Path, disk: Disk, found: disk::Content) -> std::io::Result<Self> {
        let unbounded = Bounds { logs: usize::MAX, bytes: usize::MAX, ids: usize::MAX };
        let logs = Arc::new(Mutex::new(Logs::within(unbounded)));
        let waiting = Arc::<AtomicUsize>::default();
        let mut writer = Writer::new(path, disk, Arc::clone(&logs), Arc::clone(&waiting));
        writer.take_in(found);
        let (jobs, queue) = mpsc::channel();
        let named = thread::Builder::new().name("bowline-histories".to_owned());
        named.spawn(move || writer.run(&queue))?;
        Ok(Self { path: path.to_owned(), logs, jobs, waiting })
    }

    /// Passes a job to the writer, unless too much waits already.
    fn ask(&self, job: Job) {
        let size = job.size();
        if self.waiting.fetch_add(size, Relaxed).saturating_add(size) > QUEUE {
            self.waiting.fetch_sub(size, Relaxed);
            limited!(warn: "{}: the disk is too slow, messages are refused", self.path.display());
            return job.refuse();
        }
        if let Err(mpsc::SendError(job)) = self.jobs.send(job) {
            job.refuse();
        }
    }
}

impl DurableLogs for HistoryFile {
    fn bound(&self, bounds: Bounds) {
        lock(&self.logs).bound(bounds);
    }

    fn append(&self, log: &str, message: Bytes, keep: Keep, once: Option<Once>, told: Told) {
        self.ask(Job { log: log.to_owned(), keep, what: What::Append(message, once, told) });
    }

    fn read(&self, log: &str, keep: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>> {
        if let Some(slice) = lock(&self.logs).peek(log, keep) {
            return ready(Ok(slice)).boxed();
        }
        let (done, begun) = oneshot::channel();
        self.ask(Job { log: log.to_owned(), keep, what: What::Begin(done) });
        begun.map(|slice| slice.map_err(|_| Unavailable)).boxed()
    }

    fn trim(
        &self,
        log: &str,
        to: Option<Position>,
        keep: Keep,
    ) -> BoxFuture<'static, Result<Option<Trimmed>, Unavailable>> {
        let (done, outcome) = oneshot::channel();
        self.ask(Job { log: log.to_owned(), keep, what: What::Trim(to, done) });
        outcome.map(|outcome| outcome.map_err(|_| Unavailable)).boxed()
    }

    fn bytes(&self) -> usize {
        lock(&self.logs).bytes()
    }
}

impl OpenError {
    fn new(path: &Path, cause: redb::Error) -> Self {
        let advice = match &cause {
            redb::Error::DatabaseAlreadyOpen => "end the process that has it, or use another file",
            redb::Error::UpgradeRequired(_) | redb::Error::TableTypeMismatch { .. } => {
                "another version has made it: use that version, or move the file away"
            }
            _ => {
                "see that this user may read and write it and its folder, and that the disk has \
                    room"
            }
        };
        Self { path: path.to_owned(), advice, cause: Box::new(cause) }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, advice, cause } = self;
        write!(f, "the histories in {} cannot be opened: {cause}; {advice}", path.display())
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

impl From<OpenError> for std::io::Error {
    fn from(error: OpenError) -> Self {
        Self::other(error)
    }
}

impl fmt::Debug for HistoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The most bytes that may wait to be written.
const QUEUE: usize = 16 * 1024 * 1024;
