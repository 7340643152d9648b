//! What is said while sessions are about to come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bowline_protocol::NodeId;
use bytes::Bytes;

use super::lock;
use super::wire::Message;

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
    said: Vec<Said>,
}

/// One note.
pub(super) struct Said {
    pub(super) channel: Arc<str>,
    pub(super) node: NodeId,
    pub(super) ordinal: u64,
    pub(super) message: Message,
    pub(super) bytes: Bytes,
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
            book.first = book.next();
            book.said = Vec::new();
            return self.expected.store(false, Ordering::Release);
        }
        let (message, bytes) = (message.clone(), bytes.clone());
        book.said.push(Said { channel: channel.into(), node, ordinal, message, bytes });
    }

    /// Tells all notes from a place on.
    pub(super) fn since(&self, place: u64, tell: impl FnMut(&Said)) {
        let book = lock(&self.book);
        let skipped = usize::try_from(place.saturating_sub(book.first)).unwrap_or(usize::MAX);
        book.said.iter().skip(skipped).for_each(tell);
    }
}

impl Book {
    /// The place of the next note.
    const fn next(&self) -> u64 {
        self.first + self.said.len() as u64
    }
}
