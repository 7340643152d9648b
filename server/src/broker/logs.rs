//! Logs: messages that are kept for a while, each with its position.

mod ids;
#[cfg(test)]
mod tests;
#[cfg(feature = "history-file")]
pub(super) mod written;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bowline_protocol::Position;
use bytes::{BufMut as _, Bytes, BytesMut};

use crate::random::random;
use ids::Ids;
pub use ids::{Appended, Once};

/// How much of a log is kept: what is more than so many messages or bytes ago, or older, is
/// forgotten. The newest message is kept whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Messages at most.
    pub messages: usize,
    /// Bytes at most, counting 64 for each message beside its own.
    pub bytes: usize,
    /// How long.
    pub age: Duration,
}

/// What is kept of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The place of its newest message, kept or not.
    pub end: Position,
    /// What is kept, oldest first.
    pub entries: Vec<LogEntry>,
}

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place in the log.
    pub offset: u64,
    /// How long ago it was appended.
    pub age: Duration,
    /// The message.
    pub message: Bytes,
}

/// Messages that were deleted from a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trimmed {
    /// The place of the last one.
    pub(crate) to: Position,
    pub(crate) count: u64,
}

/// An appended message as it is sent to those who listen.
#[must_use]
pub fn stamped(at: &Position, message: &[u8]) -> Bytes {
    let stamp = format!("{} {}\n", at.epoch, at.offset);
    let mut out = BytesMut::with_capacity(stamp.len() + message.len());
    out.put_slice(stamp.as_bytes());
    out.put_slice(message);
    out.freeze()
}

/// Where an appended message stands, and the message; `None` for bytes that are none.
#[must_use]
pub fn read_stamped(bytes: &Bytes) -> Option<(Position, Bytes)> {
    let end = bytes.iter().take(MAX_STAMP).position(|&byte| byte == b'\n')?;
    let (epoch, offset) = std::str::from_utf8(&bytes[..end]).ok()?.split_once(' ')?;
    let at = Position { epoch: epoch.to_owned(), offset: offset.parse().ok()? };
    Some((at, bytes.slice(end + 1..)))
}

/// A log in memory.
#[derive(Debug)]
pub(crate) struct Log<T> {
    pub(crate) end: Position,
    kept: VecDeque<Kept<T>>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept<T> {
    offset: u64,
    at: Instant,
    cost: usize,
    message: T,
}

impl<T> Log<T> {
    /// A log without messages that continues at a position.
    pub(crate) const fn at(end: Position) -> Self {
        Self { end, kept: VecDeque::new(), bytes: 0 }
    }

    /// Adds the next message, which counts this many bytes in the log.
    pub(crate) fn push(&mut self, message: T, size: usize, at: Instant, keep: Keep) {
        self.end.offset += 1;
        let cost = size + OVERHEAD;
        self.bytes += cost;
        self.kept.push_back(Kept { offset: self.end.offset, at, cost, message });
        self.forget_old(at, keep);
    }

    pub(crate) fn forget_old(&mut self, now: Instant, keep: Keep) {
        let is_old = |at: Instant| now.saturating_duration_since(at) >= keep.age;
        while let Some(Kept { at, cost, .. }) = self.kept.front()
            && (self.kept.len() > keep.messages || self.is_over(keep.bytes) || is_old(*at))
        {
            self.bytes -= cost;
            self.kept.pop_front();
        }
    }

    /// Drops the oldest messages until this many bytes are left.
    pub(crate) fn forget_down_to(&mut self, bytes: usize) {
        while self.is_over(bytes)
            && let Some(Kept { cost, .. }) = self.kept.pop_front()
        {
            self.bytes -= cost;
        }
        self.kept.shrink_to_fit();
    }

    /// Drops the messages up to an offset. Returns how many.
    pub(crate) fn forget_to(&mut self, offset: u64) -> u64 {
        let mut count = 0;
        while let Some(Kept { cost, .. }) = self.kept.front().filter(|kept| kept.offset <= offset) {
            self.bytes -= cost;
            self.kept.pop_front();
            count += 1;
        }
        count
    }

    /// Drops all messages. Returns how many bytes they had.
    fn clear(&mut self) -> usize {
        self.kept = VecDeque::new();
        std::mem::take(&mut self.bytes)
    }

    /// The bytes that are kept, counting [`OVERHEAD`] for each message.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_over(&self, bytes: usize) -> bool {
        self.bytes > bytes && self.kept.len() > 1
    }

    /// The messages that are kept after an offset, oldest first.
    pub(crate) fn after(&self, offset: u64) -> impl Iterator<Item = (u64, Instant, &T)> {
        let kept = self.kept.iter().map(|kept| (kept.offset, kept.at, &kept.message));
        kept.skip_while(move |(at, ..)| *at <= offset)
    }

    /// The offset before the oldest message that is kept.
    pub(crate) fn begin(&self) -> u64 {
        self.kept.front().map_or(self.end.offset, |kept| kept.offset.saturating_sub(1))
    }
}

/// All logs of a broker in memory.
#[derive(Debug)]
pub(crate) struct Logs {
    by_name: HashMap<String, Filed>,
    bytes: usize,
    ids: Ids,
    bounds: Bounds,
    /// How often a bound of all logs was reached.
    reached: u64,
}

/// The limits of all logs together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) logs: usize,
    pub(crate) bytes: usize,
    /// Ids of messages that were appended once.
    pub(crate) ids: usize,
}

#[derive(Debug)]
struct Filed {
    log: Log<Bytes>,
    keep: Keep,
    used: Instant,
}

impl Logs {
    pub(crate) fn within(bounds: Bounds) -> Self {
        let (by_name, ids) = (HashMap::new(), Ids::within(bounds.ids));
        Self { by_name, bytes: 0, ids, bounds, reached: 0 }
    }

    pub(crate) fn append(&mut self, name: &str, message: Bytes, keep: Keep) -> Position {
        self.append_to(name, message, keep, new_position)
    }

    /// As [`Self::append`], unless a message was appended with this id.
    pub(crate) fn append_once(
        &mut self,
        name: &str,
        message: Bytes,
        keep: Keep,
        once: Option<Once>,
    ) -> Appended {
        if let Some(at) = self.first(name, once) {
            return Appended { at, is_repeated: true };
        }
        let at = self.append(name, message, keep);
        self.remember(name, once, &at);
        Appended { at, is_repeated: false }
    }

    /// The place of the message that was appended with this id.
    pub(crate) fn first(&mut self, name: &str, once: Option<Once>) -> Option<Position> {
        self.ids.find(name, once?.id, Instant::now())
    }

    pub(crate) fn remember(&mut self, name: &str, once: Option<Once>, at: &Position) {
        if let Some(Once { id, age }) = once {
            self.ids.insert(name, id, at.clone(), Instant::now() + age);
        }
    }

    fn append_to(
        &mut self,
        name: &str,
        message: Bytes,
        keep: Keep,
        new: impl FnOnce() -> Position,
    ) -> Position {
        let now = Instant::now();
        let (end, before, after) = {
            let log = self.log(name, now, keep, new);
            let (before, size) = (log.bytes, message.len());
            log.push(message, size, now, keep);
            (log.end.clone(), before, log.bytes)
        };
        self.bytes = self.bytes + after - before;
        if self.bytes > self.bounds.bytes {
            self.make_room(Some(name), now);
        }
        end
    }

    /// What is kept of a log. One that there is not begins.
    pub(crate) fn read(&mut self, name: &str, keep: Keep) -> Slice {
        self.read_from(name, keep, new_position)
    }

    fn read_from(&mut self, name: &str, keep: Keep, new: impl FnOnce() -> Position) -> Slice {
        let now = Instant::now();
        let log = self.log(name, now, keep, new);
        let before = log.bytes;
        log.forget_old(now, keep);
        let freed = before - log.bytes;
        let entry = |(offset, at, message): (u64, Instant, &Bytes)| LogEntry {
            offset,
            age: now.saturating_duration_since(at),
            message: message.clone(),
        };
        let slice = Slice { end: log.end.clone(), entries: log.after(0).map(entry).collect() };
        self.bytes -= freed;
        slice
    }

    /// Deletes the messages up to a place, or all. `None` if that place is in another epoch.
    pub(crate) fn trim(
        &mut self,
        name: &str,
        to: Option<&Position>,
        keep: Keep,
    ) -> Option<Trimmed> {
        self.trim_from(name, to, keep, new_position)
    }

    fn trim_from(
        &mut self,
        name: &str,
        to: Option<&Position>,
        keep: Keep,
        new: impl FnOnce() -> Position,
    ) -> Option<Trimmed> {
        let log = self.log(name, Instant::now(), keep, new);
        let to = deleted_to(&log.end, to)?;
        let before = log.bytes;
        let count = log.forget_to(to.offset);
        let freed = before - log.bytes;
        self.bytes -= freed;
        Some(Trimmed { to, count })
    }

    /// The bytes of all messages that are kept.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn log(
        &mut self,
        name: &str,
        now: Instant,
        keep: Keep,
        new: impl FnOnce() -> Position,
    ) -> &mut Log<Bytes> {
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= self.bounds.logs {
                self.forget_logs(now);
            }
            let log = Log::at(new());
            self.by_name.insert(name.to_owned(), Filed { log, keep, used: now });
        }
        let filed = self.by_name.get_mut(name).expect("it was inserted if it was not there");
        (filed.keep, filed.used) = (keep, now);
        &mut filed.log
    }

    /// Drops the messages of the logs that were not used for longest, but not their positions; and
    /// last the oldest of this one.
    fn make_room(&mut self, name: Option<&str>, now: Instant) {
        self.reached += 1;
        for Filed { log, keep, .. } in self.by_name.values_mut() {
            log.forget_old(now, *keep);
        }
        self.bytes = self.by_name.values().map(|filed| filed.log.bytes).sum();
        let enough = self.bounds.bytes - self.bounds.bytes / 8;
        let others = self.by_name.iter_mut().filter(|(other, _)| Some(other.as_str()) != name);
        let mut others: Vec<_> = others.map(|(_, filed)| filed).collect();
        others.sort_unstable_by_key(|filed| filed.used);
        for filed in others {
            if self.bytes <= enough {
                return;
            }
            self.bytes -= filed.log.clear();
        }
        if let Some(filed) = name.and_then(|name| self.by_name.get_mut(name)) {
            filed.log.forget_down_to(enough);
            self.bytes = filed.log.bytes;
        }
    }

    /// Removes logs until there is room for more: those that have expired, then those without
    /// messages, then the others, each time those that were not used for longest.
    fn forget_logs(&mut self, now: Instant) {
        self.reached += 1;
        self.by_name.retain(|_, filed| now < filed.used + filed.keep.age + REMEMBERED);
        let enough = self.bounds.logs - self.bounds.logs / 8 - 1;
        let excess = self.by_name.len().saturating_sub(enough);
        let order = |filed: &Filed| (filed.log.bytes > 0, filed.used);
        let mut all: Vec<_> =
            self.by_name.iter().map(|(name, filed)| (order(filed), name.clone())).collect();
        all.sort_unstable();
        for (_, name) in all.into_iter().take(excess) {
            self.by_name.remove(&name);
        }
        self.bytes = self.by_name.values().map(|filed| filed.log.bytes).sum();
    }
}

/// The place up to which a log that ends here deletes messages: all of them without a place, none
/// if that place is in another epoch.
pub(crate) fn deleted_to(end: &Position, to: Option<&Position>) -> Option<Position> {
    let Some(to) = to else { return Some(end.clone()) };
    let offset = to.offset.min(end.offset);
    (to.epoch == end.epoch).then(|| Position { epoch: end.epoch.clone(), offset })
}

/// The position before the first message of a new log.
pub(crate) fn new_position() -> Position {
    Position { epoch: format!("{:016x}", u64::from_ne_bytes(random())), offset: 0 }
}

/// How long the end of a log is known after its last message is dropped.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// The bytes that a message counts beside its own.
pub(crate) const OVERHEAD: usize = 64;
/// The most bytes before a message: an epoch, an offset.
const MAX_STAMP: usize = 64;
