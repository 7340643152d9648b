//! One connection, and what is known of it.

use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::Time;
use socket2::Socket;

/// How long a connection may do nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Without a request in progress.
    pub(super) idle: Duration,
    /// To take what is still to be written.
    pub(super) write: Duration,
}

#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// A second handle of the connection, which ends it; `None` once that is left to others.
    socket: Option<Socket>,
    requests: usize,
    /// How many there have been.
    begun: usize,
    /// Since when none has been in progress, if none is.
    idle_since: Time,
    /// When actix was told that the peer says no more.
    ending: Option<Time>,
    /// Answers over HTTP/2 whose peer has still to take a piece, and since when.
    untaken: HashMap<StreamId, Time>,
}

/// One of the requests of a connection that carries several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StreamId(usize);

impl Line {
    pub(super) fn new(socket: Socket, now: Time) -> Self {
        let socket = Some(socket);
        let (ending, untaken) = (None, HashMap::new());
        let state = State { socket, requests: 0, begun: 0, idle_since: now, ending, untaken };
        Self { state: Mutex::new(state) }
    }

    pub(super) fn begin(&self) -> StreamId {
        let mut state = self.lock();
        state.requests += 1;
        state.begun += 1;
        StreamId(state.begun)
    }

    pub(super) fn end(&self, stream: StreamId, now: Time) {
        let mut state = self.lock();
        state.requests -= 1;
        state.idle_since = now;
        state.untaken.remove(&stream);
    }

    /// A piece of an answer over HTTP/2 was handed to actix, which waits for the window that the
    /// peer gives this answer.
    pub(super) fn handed(&self, stream: StreamId, now: Time) {
        self.lock().untaken.insert(stream, now);
    }

    /// The peer has taken the piece: actix asks for the next.
    pub(super) fn taken(&self, stream: StreamId) {
        self.lock().untaken.remove(&stream);
    }

    /// The connection ends with the response that it carries now: that has its own deadlines, and
    /// the second handle would cost one more descriptor for as long as it takes.
    pub(super) fn release(&self) {
        let socket = self.lock().socket.take();
        drop(socket);
    }

    /// False if there is nothing to look after any more.
    ///
    /// A connection is first ended for reading: actix takes it for a peer that has closed, writes
    /// what it has still to write, and closes it. So nothing that is being answered is cut, and
    /// what has just arrived is still read.
    ///
    /// One whose peer takes nothing of many answers is cut: actix waits for their windows for ever,
    /// and nobody can end one of them alone.
    pub(super) fn sweep(&self, limits: &Limits, now: Time) -> bool {
        let mut state = self.lock();
        let Some(socket) = &state.socket else { return false };
        let is_old = |since: &&Time| now - **since >= limits.write;
        if state.untaken.values().filter(is_old).count() > MAX_UNTAKEN {
            let _ = socket.shutdown(Shutdown::Both);
            state.socket = None;
            return false;
        }
        if state.requests > 0 || now - state.idle_since < limits.idle {
            return true;
        }
        let overdue = state.ending.is_some_and(|since| now - since >= limits.write);
        let how = if overdue { Shutdown::Both } else { Shutdown::Read };
        if state.ending.is_none() || overdue {
            // An error means that the connection is gone already.
            let _ = socket.shutdown(how);
            state.ending.get_or_insert(now);
        }
        if overdue {
            state.socket = None;
        }
        !overdue
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers over HTTP/2 that a peer may leave untaken for longer than the time to write. A proxy has
/// many clients on one connection, and some of them do not read.
pub(super) const MAX_UNTAKEN: usize = 16;
