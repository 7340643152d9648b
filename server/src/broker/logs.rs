//! Logs: messages that are kept for a while, each with its place.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bowline_protocol::Position;
use bytes::{BufMut as _, Bytes, BytesMut};

use crate::node::random;

/// How much of a log is kept: what is more than so many messages or bytes ago, or older, is forgotten. The newest message
/// is kept whatever its size.
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
    /// A log without messages that goes on from a place.
    pub(crate) const fn at(end: Position) -> Self {
        Self { end, kept: VecDeque::new(), bytes: 0 }
    }

    /// Adds the next message, which has so many bytes in the log.
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

    /// Forgets the oldest messages down to so many bytes.
    pub(crate) fn forget_down_to(&mut self, bytes: usize) {
        while self.is_over(bytes)
            && let Some(Kept { cost, .. }) = self.kept.pop_front()
        {
            self.bytes -= cost;
        }
        self.kept.shrink_to_fit();
    }

    /// Forgets all messages. Returns how many bytes they were.
    fn clear(&mut self) -> usize {
        self.kept = VecDeque::new();
        std::mem::take(&mut self.bytes)
    }

    /// Bytes of what is kept, counting [`OVERHEAD`] for each message.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_over(&self, bytes: usize) -> bool {
        self.bytes > bytes && self.kept.len() > 1
    }

    /// What is kept behind an offset, oldest first.
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
    bounds: Bounds,
}

/// What all logs together may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) logs: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Filed {
    log: Log<Bytes>,
    keep: Keep,
    used: Instant,
}

impl Logs {
    pub(crate) fn within(bounds: Bounds) -> Self {
        Self { by_name: HashMap::new(), bytes: 0, bounds }
    }

    pub(crate) fn append(&mut self, name: &str, message: Bytes, keep: Keep) -> Position {
        let now = Instant::now();
        let (end, before, after) = {
            let log = self.log(name, now, keep);
            let (before, size) = (log.bytes, message.len());
            log.push(message, size, now, keep);
            (log.end.clone(), before, log.bytes)
        };
        self.bytes = self.bytes + after - before;
        if self.bytes > self.bounds.bytes {
            self.make_room(name, now);
        }
        end
    }

    pub(crate) fn read(&mut self, name: &str, keep: Keep) -> Slice {
        let now = Instant::now();
        let log = self.log(name, now, keep);
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

    /// Bytes of all messages that are kept.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn log(&mut self, name: &str, now: Instant, keep: Keep) -> &mut Log<Bytes> {
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= self.bounds.logs {
                self.forget_logs(now);
            }
            let log = Log::at(new_position());
            self.by_name.insert(name.to_owned(), Filed { log, keep, used: now });
        }
        let filed = self.by_name.get_mut(name).expect("it was inserted if it was not there");
        (filed.keep, filed.used) = (keep, now);
        &mut filed.log
    }

    /// Forgets the messages of the logs that were not used for longest, but not where they have ended; and last the
    /// oldest of this one.
    fn make_room(&mut self, name: &str, now: Instant) {
        for Filed { log, keep, .. } in self.by_name.values_mut() {
            log.forget_old(now, *keep);
        }
        self.bytes = self.by_name.values().map(|filed| filed.log.bytes).sum();
        let enough = self.bounds.bytes - self.bounds.bytes / 8;
        let others = self.by_name.iter_mut().filter(|(other, _)| *other != name);
        let mut others: Vec<_> = others.map(|(_, filed)| filed).collect();
        others.sort_unstable_by_key(|filed| filed.used);
        for filed in others {
            if self.bytes <= enough {
                return;
            }
            self.bytes -= filed.log.clear();
        }
        if let Some(filed) = self.by_name.get_mut(name) {
            filed.log.forget_down_to(enough);
            self.bytes = filed.log.bytes;
        }
    }

    /// Forgets logs until there is room for more: those whose time is over, then those without messages, then the others,
    /// each time those that were not used for longest.
    fn forget_logs(&mut self, now: Instant) {
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

/// Before the first message of a log that has just begun.
pub(crate) fn new_position() -> Position {
    Position { epoch: format!("{:016x}", u64::from_ne_bytes(random())), offset: 0 }
}

/// For how long it is known where a log has ended, after its last message is forgotten.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// What a message counts beside its own bytes.
pub(crate) const OVERHEAD: usize = 64;
/// Bytes before a message at most: an epoch, an offset.
const MAX_STAMP: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::{Bounds, Keep, Log, Logs, OVERHEAD, new_position, read_stamped, stamped};

    const KEEP: Keep = Keep { messages: 1000, bytes: 1_000_000, age: Duration::from_secs(10) };

    fn kept<T: Copy>(log: &Log<T>) -> Vec<(u64, T)> {
        log.after(0).map(|(at, _, said)| (at, *said)).collect()
    }

    #[test]
    fn a_log_keeps_so_many_messages_for_so_long() {
        let keep = Keep { messages: 3, ..KEEP };
        let (mut log, begin) = (Log::at(new_position()), Instant::now());
        for second in 0..5 {
            log.push(second, 10, begin + Duration::from_secs(second), keep);
        }
        assert_eq!(kept(&log), [(3, 2), (4, 3), (5, 4)]);
        assert_eq!(log.after(4).count(), 1);
        log.forget_old(begin + Duration::from_secs(13), keep);
        assert_eq!(kept(&log), [(5, 4)]);
        log.forget_old(begin + Duration::from_secs(14), keep);
        assert_eq!((kept(&log), log.begin(), log.end.offset), (Vec::new(), 5, 5));
        assert_eq!(log.bytes(), 0);
    }

    #[test]
    fn a_log_keeps_so_many_bytes_and_the_newest_message_in_any_case() {
        let keep = Keep { bytes: 3 * (100 + OVERHEAD), ..KEEP };
        let (mut log, now) = (Log::at(new_position()), Instant::now());
        (0..5).for_each(|number| log.push(number, 100, now, keep));
        assert_eq!(kept(&log), [(3, 2), (4, 3), (5, 4)]);
        log.push(5, 1000, now, keep);
        assert_eq!(kept(&log), [(6, 5)]);
        log.push(6, 10, now, keep);
        assert_eq!((kept(&log), log.bytes()), (vec![(7, 6)], 10 + OVERHEAD));
    }

    #[test]
    fn all_logs_together_keep_so_many_bytes_and_forget_what_was_not_used_for_longest() {
        let mut logs = Logs::within(Bounds { logs: 100, bytes: 100_000 });
        let message = Bytes::from(vec![b'a'; 1000]);
        for name in ["one", "two", "three", "four", "one"] {
            (0..20).for_each(|_| drop(logs.append(name, message.clone(), KEEP)));
            assert!(logs.bytes() <= 100_000);
        }
        let kept = ["one", "two", "three", "four"].map(|name| {
            let slice = logs.read(name, KEEP);
            (slice.end.offset, slice.entries.len())
        });
        // Where they have ended is known, so that those who come back learn what they have missed.
        assert_eq!(kept, [(40, 40), (20, 0), (20, 20), (20, 20)]);
        (0..200).for_each(|_| drop(logs.append("four", message.clone(), KEEP)));
        assert!(logs.bytes() <= 100_000, "{}", logs.bytes());
        assert_eq!(logs.read("four", KEEP).end.offset, 220);
    }

    #[test]
    fn there_are_no_more_logs_than_there_may_be_and_empty_ones_go_first() {
        let mut logs = Logs::within(Bounds { logs: 100, bytes: 100_000 });
        let epoch = logs.append("kept", Bytes::from_static(b"message"), KEEP).epoch;
        for number in 0..10_000 {
            logs.read(&format!("asked for {number}"), KEEP);
            assert!(logs.by_name.len() <= 100);
        }
        assert_eq!(logs.read("kept", KEEP).end.epoch, epoch);
        for number in 0..1000 {
            logs.append(&format!("said to {number}"), Bytes::from_static(b"message"), KEEP);
        }
        assert!(logs.by_name.len() <= 100);
        assert_eq!(logs.read("said to 999", KEEP).entries.len(), 1);
        assert_ne!(logs.read("kept", KEEP).end.epoch, epoch, "it was the oldest");
    }

    #[test]
    fn a_stamp_is_read_as_it_was_written_and_nothing_else_is() {
        let mut at = new_position();
        at.offset = u64::MAX;
        let message = Bytes::from_static(b"\n e \xff");
        assert_eq!(read_stamped(&stamped(&at, &message)), Some((at, message)));
        for bad in ["", "\n", "epoch\n", "epoch -1\n", "epoch 1", "epoch 1 2\n"] {
            assert_eq!(read_stamped(&Bytes::from_static(bad.as_bytes())), None, "{bad:?}");
        }
    }
}
