//! The status of a client, for programs that show it or wait for it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{Close, CloseCode};
use futures::Stream;
use futures::task::AtomicWaker;

use bowline_protocol::Transport;

/// The status of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not connected yet: [`Client::connect`](crate::Client::connect) starts it.
    Idle,
    /// The client is trying a transport.
    Connecting {
        /// The transport.
        transport: Transport,
    },
    /// The server has sent its welcome.
    Connected {
        /// The transport.
        transport: Transport,
        /// True if the session was resumed, false if it is new.
        resumed: bool,
    },
    /// Every transport has failed: the next round of attempts starts later.
    Waiting {
        /// The time until then.
        retry_in: Duration,
    },
    /// The server no longer has the session. By default the client opens a new one next.
    SessionLost {
        /// The reason.
        code: CloseCode,
        /// How many packets the server had confirmed.
        confirmed: u64,
        /// How many packets were sent and not confirmed: the server may or may not have handled
        /// them.
        unknown: u64,
    },
    /// The client has ended.
    Closed {
        /// The reason; [`CloseCode::NORMAL`] when the application closed the client.
        code: CloseCode,
        /// The reason that the server sent: JSON, empty when there is none. For
        /// [`CloseCode::NO_CARRIER`] the [`Cause`](crate::Cause) as a JSON string, such as
        /// `"not-found"`.
        reason: Box<str>,
    },
}

/// Counters since the client was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Welcomes after the first one.
    pub reconnects: u64,
    /// Welcomes that resumed the session without loss.
    pub resumes: u64,
    /// Sessions that could not be resumed.
    pub sessions_lost: u64,
    /// Welcomes on another transport than the one before.
    pub transport_switches: u64,
    /// Volatile events that were dropped before they were sent.
    pub dropped_volatile: u64,
}

/// The changes of a client's [`Status`], starting with the present one.
///
/// A reader that is slower than the changes receives the latest one, and every
/// [`SessionLost`](Status::SessionLost). Ends after [`Closed`](Status::Closed).
#[derive(Debug)]
pub struct StatusStream(Arc<Watch>);

/// The status and its watchers.
#[derive(Debug)]
pub(crate) struct Board {
    current: Status,
    watchers: Vec<Weak<Watch>>,
}

#[derive(Debug, Default)]
struct Watch {
    changes: Mutex<Changes>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Changes {
    queue: VecDeque<Status>,
    ended: bool,
}

impl Status {
    /// True while the client is connected.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    /// True when the client has ended.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

impl From<Close> for Status {
    fn from(close: Close) -> Self {
        Self::Closed { code: close.code, reason: close.reason().into() }
    }
}

impl Board {
    pub(crate) const fn new() -> Self {
        Self { current: Status::Idle, watchers: Vec::new() }
    }

    pub(crate) const fn current(&self) -> &Status {
        &self.current
    }

    pub(crate) fn set(&mut self, status: Status) {
        if self.current == status {
            return;
        }
        self.watchers.retain(|watch| watch.upgrade().map(|watch| watch.push(&status)).is_some());
        self.current = status;
    }

    pub(crate) fn watch(&mut self) -> StatusStream {
        let watch = Arc::new(Watch::default());
        watch.push(&self.current);
        // Before the list grows: a client may watch often and change its status seldom.
        if self.watchers.len() == self.watchers.capacity() {
            self.watchers.retain(|watch| watch.strong_count() > 0);
        }
        self.watchers.push(Arc::downgrade(&watch));
        StatusStream(watch)
    }
}

impl Watch {
    fn push(&self, status: &Status) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let replaceable = !matches!(changes.queue.back(), Some(Status::SessionLost { .. }));
        if replaceable && !matches!(status, Status::SessionLost { .. }) {
            changes.queue.pop_back();
        }
        changes.queue.push_back(status.clone());
        if changes.queue.len() > LONGEST {
            changes.queue.pop_front();
        }
        drop(changes);
        self.waker.wake();
    }
}

impl Stream for StatusStream {
    type Item = Status;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Status>> {
        self.0.waker.register(cx.waker());
        let mut changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        match changes.queue.pop_front() {
            Some(status) => {
                changes.ended = status.is_closed();
                Poll::Ready(Some(status))
            }
            None if changes.ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// The most entries that an unread stream stores while the client loses session after session.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::{Board, CloseCode, Duration, Status, Transport};

    #[test]
    fn a_slow_reader_sees_the_latest_and_every_lost_session() {
        let mut board = Board::new();
        let mut stream = board.watch();
        let lost =
            Status::SessionLost { code: CloseCode::SESSION_EXPIRED, confirmed: 1, unknown: 2 };
        let connecting = Status::Connecting { transport: Transport::Sse };
        let waiting = Status::Waiting { retry_in: Duration::from_secs(1) };
        for status in [&connecting, &waiting, &lost, &connecting, &waiting] {
            board.set(status.clone());
        }
        let mut next = || stream.next().now_or_never();
        assert_eq!(next(), Some(Some(waiting.clone())));
        assert_eq!(next(), Some(Some(lost)));
        assert_eq!(next(), Some(Some(waiting)));
        assert_eq!(next(), None);
    }

    #[test]
    fn streams_that_were_dropped_are_forgotten() {
        let mut board = Board::new();
        let kept = board.watch();
        (0..10_000).for_each(|_| drop(board.watch()));
        assert!(board.watchers.len() < 10, "{}", board.watchers.len());
        drop(kept);
    }

    #[test]
    fn the_stream_ends_after_closed() {
        let mut board = Board::new();
        let mut stream = board.watch();
        let closed = Status::Closed { code: CloseCode::NORMAL, reason: "".into() };
        board.set(closed.clone());
        assert_eq!(stream.next().now_or_never(), Some(Some(closed)));
        assert_eq!(stream.next().now_or_never(), Some(None));
    }
}
