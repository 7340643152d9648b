//! What is said while sessions are about to come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bowline_protocol::NodeId;
use bytes::Bytes;

use super::Bus;
use super::wire::Message;
use crate::locks::lock;

/// Notes of what was said, for sessions that will want to know.
#[derive(Default)]
pub(super) struct Notes {
    /// Looked at first, because it is nearly always false.
    expected: AtomicBool,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    until: Option<Instant>,
    /// The place of the first note.
    first: u64,
    said: Vec<Note>,
    size: usize,
}

/// One note.
pub(crate) struct Note {
    pub(crate) channel: Arc<str>,
    pub(crate) node: NodeId,
    pub(crate) ordinal: u64,
    pub(crate) message: Message,
    pub(crate) bytes: Bytes,
}

impl Bus {
    /// Takes notes for a while. Returns the place of the next one. What this node is about to
    /// publish is noted, or published already: the numbers are locked meanwhile.
    pub(crate) fn expect(&self, time: Duration) -> u64 {
        let _numbers = lock(&self.numbers);
        self.notes.expect(time)
    }

    pub(crate) fn is_expecting(&self) -> bool {
        self.notes.are_taken()
    }

    /// Calls `read` with all notes from a place on. False if some of them are no longer there.
    pub(crate) fn notes_since(&self, place: u64, read: impl FnMut(&Note)) -> bool {
        self.notes.since(place, read)
    }
}

impl Notes {
    /// Takes notes for a while. Returns the place of the next one.
    pub(super) fn expect(&self, time: Duration) -> u64 {
        let mut book = lock(&self.book);
        book.until = Some(Instant::now() + time);
        self.expected.store(true, Ordering::Release);
        book.next()
    }

    pub(super) fn are_taken(&self) -> bool {
        lock(&self.book).until.is_some_and(|until| until > Instant::now())
    }

    /// Writes down what was said, if a session is expected.
    pub(super) fn note(
        &self,
        channel: &str,
        node: NodeId,
        ordinal: u64,
        message: &Message,
        bytes: &Bytes,
    ) {
        if !self.expected.load(Ordering::Acquire) {
            return;
        }
        let mut book = lock(&self.book);
        if book.until.is_none_or(|until| until < Instant::now()) {
            book.forget();
            return self.expected.store(false, Ordering::Release);
        }
        let (message, bytes) = (message.clone(), bytes.clone());
        book.size += bytes.len() + channel.len() + BESIDE;
        book.said.push(Note { channel: channel.into(), node, ordinal, message, bytes });
        if book.size > MAX_SIZE {
            // A session that arrives and needs them is notified that something is missing.
            book.forget();
        }
    }

    /// Tells all notes from a place on. False if some of them are no longer there.
    pub(super) fn since(&self, place: u64, tell: impl FnMut(&Note)) -> bool {
        let book = lock(&self.book);
        let skipped = usize::try_from(place.saturating_sub(book.first)).unwrap_or(usize::MAX);
        book.said.iter().skip(skipped).for_each(tell);
        place >= book.first && book.until.is_some_and(|until| until > Instant::now())
    }
}

impl Book {
    /// The place of the next note.
    const fn next(&self) -> u64 {
        self.first + self.said.len() as u64
    }

    fn forget(&mut self) {
        // A place that was given out before is behind the first one from now on, even without a
        // note since.
        self.first = self.next() + 1;
        self.said = Vec::new();
        self.size = 0;
    }
}

/// What a note takes beside its bytes.
const BESIDE: usize = 256;
/// Bytes of notes at most.
const MAX_SIZE: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bowline_protocol::NodeId;
    use bytes::Bytes;

    use super::{MAX_SIZE, Notes};
    use crate::cluster::bus::wire::Message;

    fn note(notes: &Notes, ordinal: u64, bytes: &Bytes) {
        let node = NodeId::from_bytes([1; 6]);
        notes.note("r:room", node, ordinal, &Message::Farewell, bytes);
    }

    fn since(notes: &Notes, place: u64) -> (Vec<u64>, bool) {
        let mut numbers = Vec::new();
        let complete = notes.since(place, |said| numbers.push(said.ordinal));
        (numbers, complete)
    }

    #[test]
    fn notes_are_told_from_a_place_on() {
        let notes = Notes::default();
        note(&notes, 1, &Bytes::new());
        let first = notes.expect(Duration::from_secs(600));
        note(&notes, 2, &Bytes::new());
        let second = notes.expect(Duration::from_secs(600));
        note(&notes, 3, &Bytes::new());
        assert_eq!(since(&notes, first), (vec![2, 3], true));
        assert_eq!(since(&notes, second), (vec![3], true));
    }

    #[test]
    fn notes_have_a_limit_in_bytes_and_who_needs_those_beyond_it_learns_that_they_are_missing() {
        let notes = Notes::default();
        let early = notes.expect(Duration::from_secs(600));
        let large = Bytes::from(vec![0; 1024 * 1024]);
        for ordinal in 0..MAX_SIZE as u64 / large.len() as u64 {
            note(&notes, ordinal, &large);
        }
        assert!(!since(&notes, early).1);
        let late = notes.expect(Duration::from_secs(600));
        note(&notes, 100, &Bytes::new());
        assert_eq!(since(&notes, late), (vec![100], true));
    }

    #[test]
    fn a_session_that_comes_when_no_notes_are_taken_any_more_learns_that_they_are_missing() {
        let notes = Notes::default();
        let place = notes.expect(Duration::ZERO);
        assert_eq!(since(&notes, place), (vec![], false));
        note(&notes, 1, &Bytes::new());
        notes.expect(Duration::from_secs(600));
        assert!(!since(&notes, place).1);
    }
}
