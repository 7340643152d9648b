//! Logs: messages that are kept for a while, each with its place.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bowline_protocol::Position;
use bytes::{BufMut as _, Bytes, BytesMut};

use crate::node::random;

/// How much of a log is kept: what is more than so many messages ago, or older, is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Messages at most.
    pub messages: usize,
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
    kept: VecDeque<(u64, Instant, T)>,
}

impl<T> Log<T> {
    /// A log without messages that goes on from a place.
    pub(crate) const fn at(end: Position) -> Self {
        Self { end, kept: VecDeque::new() }
    }

    /// Adds the next message.
    pub(crate) fn push(&mut self, message: T, at: Instant, keep: Keep) {
        self.end.offset += 1;
        self.kept.push_back((self.end.offset, at, message));
        self.forget_old(at, keep);
    }

    pub(crate) fn forget_old(&mut self, now: Instant, keep: Keep) {
        let is_old = |at: Instant| now.saturating_duration_since(at) >= keep.age;
        while let Some((_, at, _)) = self.kept.front()
            && (self.kept.len() > keep.messages || is_old(*at))
        {
            self.kept.pop_front();
        }
    }

    /// What is kept behind an offset, oldest first.
    pub(crate) fn after(&self, offset: u64) -> impl Iterator<Item = (u64, Instant, &T)> {
        let kept = self.kept.iter().map(|(offset, at, message)| (*offset, *at, message));
        kept.skip_while(move |(at, ..)| *at <= offset)
    }

    /// The offset before the oldest message that is kept.
    pub(crate) fn begin(&self) -> u64 {
        self.kept.front().map_or(self.end.offset, |(offset, ..)| offset - 1)
    }
}

/// All logs of a broker in memory.
#[derive(Debug, Default)]
pub(crate) struct Logs(HashMap<String, (Log<Bytes>, Instant)>);

impl Logs {
    pub(crate) fn append(&mut self, name: &str, message: Bytes, keep: Keep) -> Position {
        let now = Instant::now();
        let log = self.log(name, now, keep);
        log.push(message, now, keep);
        log.end.clone()
    }

    pub(crate) fn read(&mut self, name: &str, keep: Keep) -> Slice {
        let now = Instant::now();
        let log = self.log(name, now, keep);
        log.forget_old(now, keep);
        let entry = |(offset, at, message): (u64, Instant, &Bytes)| LogEntry {
            offset,
            age: now.saturating_duration_since(at),
            message: message.clone(),
        };
        Slice { end: log.end.clone(), entries: log.after(0).map(entry).collect() }
    }

    fn log(&mut self, name: &str, now: Instant, keep: Keep) -> &mut Log<Bytes> {
        if !self.0.contains_key(name) {
            self.0.retain(|_, (_, until)| *until > now);
            self.0.insert(name.to_owned(), (Log::at(new_position()), now));
        }
        let (log, until) = self.0.get_mut(name).expect("it was inserted if it was not there");
        *until = now + keep.age + REMEMBERED;
        log
    }
}

/// Before the first message of a log that has just begun.
pub(crate) fn new_position() -> Position {
    Position { epoch: format!("{:016x}", u64::from_ne_bytes(random())), offset: 0 }
}

/// For how long it is known where a log has ended, after its last message is forgotten.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes before a message at most: an epoch, an offset.
const MAX_STAMP: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::{Keep, Log, new_position, read_stamped, stamped};

    #[test]
    fn a_log_keeps_so_many_messages_for_so_long() {
        let keep = Keep { messages: 3, age: Duration::from_secs(10) };
        let (mut log, begin) = (Log::at(new_position()), Instant::now());
        for second in 0..5 {
            log.push(second, begin + Duration::from_secs(second), keep);
        }
        let kept =
            |log: &Log<u64>| log.after(0).map(|(at, _, said)| (at, *said)).collect::<Vec<_>>();
        assert_eq!(kept(&log), [(3, 2), (4, 3), (5, 4)]);
        assert_eq!(log.after(4).count(), 1);
        log.forget_old(begin + Duration::from_secs(13), keep);
        assert_eq!(kept(&log), [(5, 4)]);
        log.forget_old(begin + Duration::from_secs(14), keep);
        assert_eq!((kept(&log), log.begin(), log.end.offset), (Vec::new(), 5, 5));
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
