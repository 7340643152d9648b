//! The writer: one thread, which writes all pending jobs as one group.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bowline_protocol::Position;
use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::OVERHEAD;
use super::disk::{Content, Disk, Found, FoundId, Group, Row};
use crate::broker::durable::Told;
use crate::broker::logs::written::Restored;
use crate::broker::logs::{deleted_to, new_position};
use crate::broker::{Appended, Keep, Logs, Once, Slice, Trimmed, Unavailable};
use crate::complaints::limited;
use crate::locks::lock;

/// A job for a log.
pub(super) struct Job {
    pub(super) log: String,
    pub(super) keep: Keep,
    pub(super) what: What,
}

pub(super) enum What {
    Append(Bytes, Option<Once>, Told),
    /// Creates a log that was read and does not exist.
    Begin(oneshot::Sender<Slice>),
    /// Deletes the messages up to a place, or all; the sender is dropped if the disk refuses.
    Trim(Option<Position>, oneshot::Sender<Option<Trimmed>>),
}

/// Writes to the disk, then to the logs in memory, to which nothing else appends.
pub(super) struct Writer {
    path: PathBuf,
    disk: Disk,
    logs: Arc<Mutex<Logs>>,
    waiting: Arc<AtomicUsize>,
    /// What the disk contains, and how often a bound was reached when it was last compared with
    /// memory.
    written: HashMap<String, Written>,
    compared: u64,
}

/// What the disk contains of a log: all messages after this offset, in this epoch.
struct Written {
    epoch: String,
    begin: u64,
}

/// What the disk contains and memory has dropped: messages up to this offset, or the whole log.
pub(super) enum Forgotten {
    UpTo(u64),
    All,
}

impl Job {
    /// The bytes that the job uses while it waits.
    pub(super) fn size(&self) -> usize {
        let message = if let What::Append(message, ..) = &self.what { message.len() } else { 0 };
        message + self.log.len() + OVERHEAD
    }

    pub(super) fn refuse(self) {
        if let What::Append(.., told) = self.what {
            told(Err(Unavailable));
        }
    }
}

impl Writer {
    pub(super) fn new(
        path: &Path,
        disk: Disk,
        logs: Arc<Mutex<Logs>>,
        waiting: Arc<AtomicUsize>,
    ) -> Self {
        let (written, compared) = (HashMap::new(), u64::MAX);
        Self { path: path.to_owned(), disk, logs, waiting, written, compared }
    }

    /// Loads what the disk contained when it was opened.
    pub(super) fn take_in(&mut self, Content { logs: found, ids }: Content) {
        let now = Instant::now();
        let ago = |age: Duration| now.checked_sub(age).unwrap_or(now);
        let mut logs = lock(&self.logs);
        for Found { log, row, begin, messages } in found {
            let Row { end, used, keep } = row;
            self.written.insert(log.clone(), Written { epoch: end.epoch.clone(), begin });
            let said = |(offset, at, message)| (offset, ago(since(at)), message);
            let messages = messages.into_iter().map(said).collect();
            logs.restore(&log, Restored { end, keep, used: ago(since(used)), messages });
        }
        for FoundId { log, id, until, at } in ids {
            let left = Duration::from_millis(until.saturating_sub(self::now()));
            logs.restore_id(&log, id, at, now + left);
        }
    }

    /// Runs until no sender is left.
    pub(super) fn run(mut self, queue: &mpsc::Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut group = vec![first];
            group.extend(queue.try_iter().take(GROUP));
            let size: usize = group.iter().map(Job::size).sum();
            self.serve(group);
            self.waiting.fetch_sub(size, Relaxed);
        }
    }

    /// Writes a group, then reports the results.
    pub(super) fn serve(&mut self, jobs: Vec<Job>) {
        let places = self.places(&jobs);
        let outcome = self.write(&jobs, &places);
        if let Err(error) = &outcome {
            limited!(warn: "histories are not written to {}: {error}", self.path.display());
        }
        for (job, place) in jobs.into_iter().zip(places) {
            let Job { log, keep, what } = job;
            match what {
                // A log that is not written yet can be read all the same.
                What::Begin(done) => {
                    let slice = lock(&self.logs).read_at(&log, &place.at, keep);
                    let _ = done.send(slice);
                }
                What::Append(.., told) if outcome.is_err() => told(Err(Unavailable)),
                What::Trim(..) if outcome.is_err() => {}
                What::Trim(to, done) => {
                    let _ = done.send(lock(&self.logs).trim_at(&log, &place.at, to.as_ref(), keep));
                }
                What::Append(.., told) if place.is_repeated => told(Ok(place)),
                What::Append(message, once, told) => {
                    let mut logs = lock(&self.logs);
                    logs.append_at(&log, &place.at, message, keep);
                    logs.remember(&log, once, &place.at);
                    drop(logs);
                    told(Ok(place));
                }
            }
        }
    }

    /// The position of each log after each job; of a repeated message that of the first one.
    fn places(&self, jobs: &[Job]) -> Vec<Appended> {
        let mut logs = lock(&self.logs);
        let mut ends: HashMap<&str, Position> = HashMap::new();
        let mut firsts: HashMap<(&str, Uuid), Position> = HashMap::new();
        let place = |job| {
            let Job { log, what, .. }: &Job = job;
            let once = if let What::Append(_, once, _) = what { *once } else { None };
            let id = once.map(|once| (log.as_str(), once.id));
            let known = id.and_then(|id| firsts.get(&id).cloned());
            if let Some(at) = known.or_else(|| logs.first(log, once)) {
                return Appended { at, is_repeated: true };
            }
            let end = || logs.span(log).map_or_else(new_position, |(_, end)| end.clone());
            let at = ends.entry(log).or_insert_with(end);
            at.offset += u64::from(matches!(what, What::Append(..)));
            firsts.extend(id.map(|id| (id, at.clone())));
            Appended { at: at.clone(), is_repeated: false }
        };
        jobs.iter().map(place).collect()
    }

    fn write(&mut self, jobs: &[Job], places: &[Appended]) -> Result<(), redb::Error> {
        let mut group = Group::new(now(), lock(&self.logs).id_limit());
        let new = jobs.iter().zip(places).filter(|(_, place)| !place.is_repeated);
        for (job, Appended { at, .. }) in new {
            group.rows.insert(&job.log, (at, job.keep));
            if let What::Append(message, once, _) = &job.what {
                group.messages.push((&job.log, at.offset, message));
                group.ids.extend(once.map(|once| (&*job.log, once, at)));
            }
        }
        let (mut forgotten, compared) = self.forgotten(&group);
        forgotten.extend(deleted(&mut group, jobs, places));
        self.disk.write(&group, &forgotten)?;
        self.compared = compared;
        for (log, forgotten) in forgotten {
            match (forgotten, self.written.get_mut(&log)) {
                (Forgotten::UpTo(to), Some(written)) => written.begin = to.max(written.begin),
                _ => drop(self.written.remove(&log)),
            }
        }
        for (log, (at, _)) in group.rows {
            if !self.written.contains_key(log) {
                let written = Written { epoch: at.epoch.clone(), begin: 0 };
                self.written.insert(log.to_owned(), written);
            }
        }
        Ok(())
    }

    /// What memory has dropped of the logs of this group, or of all logs if a bound of all was
    /// reached since.
    fn forgotten(&self, group: &Group<'_>) -> (Vec<(String, Forgotten)>, u64) {
        let logs = lock(&self.logs);
        let reached = logs.reached();
        let stale = |log: &String, written: &Written| {
            let (begin, in_memory) =
                logs.span(log).map_or((0, None), |(begin, end)| (begin, Some(end)));
            let end = group.rows.get(log.as_str()).map(|(at, _)| *at).or(in_memory);
            let is_same = end.is_some_and(|end| end.epoch == written.epoch);
            match (is_same, begin > written.begin) {
                (false, _) => Some((log.clone(), Forgotten::All)),
                (true, true) => Some((log.clone(), Forgotten::UpTo(begin))),
                (true, false) => None,
            }
        };
        let forgotten = if reached == self.compared {
            let touched = group.rows.keys().filter_map(|log| self.written.get_key_value(*log));
            touched.filter_map(|(log, written)| stale(log, written)).collect()
        } else {
            self.written.iter().filter_map(|(log, written)| stale(log, written)).collect()
        };
        (forgotten, reached)
    }
}

/// What the jobs of a group delete: of each log the messages up to an offset. Those that the same
/// group appends before are not written at all.
fn deleted(
    group: &mut Group<'_>,
    jobs: &[Job],
    places: &[Appended],
) -> impl Iterator<Item = (String, Forgotten)> + use<> {
    let mut last: HashMap<String, u64> = HashMap::new();
    for (Job { log, what, .. }, place) in jobs.iter().zip(places) {
        if let What::Trim(to, _) = what
            && let Some(to) = deleted_to(&place.at, to.as_ref())
        {
            let offset = last.entry(log.clone()).or_default();
            *offset = to.offset.max(*offset);
        }
    }
    if !last.is_empty() {
        let is_kept = |log: &str, offset| last.get(log).is_none_or(|to| offset > *to);
        group.messages.retain(|(log, offset, _)| is_kept(log, *offset));
    }
    last.into_iter().map(|(log, to)| (log, Forgotten::UpTo(to)))
}

/// Milliseconds by the system's clock, which continues while no process runs.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn since(at: u64) -> Duration {
    Duration::from_millis(now().saturating_sub(at))
}

/// The most jobs of one group, beside its first.
const GROUP: usize = 4096;
