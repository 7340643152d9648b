//! The state of one connection.

use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::Time;
use socket2::Socket;

/// How long a connection may be inactive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Without a request in progress.
    pub(super) idle: Duration,
    /// For the peer to read what has to be written.
    pub(super) write: Duration,
}

#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// A second handle of the connection, which ends it; `None` once it is not guarded any more.
    socket: Option<Socket>,
    requests: usize,
    /// How many requests there have been.
    begun: usize,
    /// Since when no request has been in progress, if none is.
    idle_since: Time,
    /// When the connection was ended for reading.
    ending: Option<Time>,
    /// Answers over HTTP/2 whose peer has not read a piece yet, and since when.
    untaken: HashMap<StreamId, Time>,
}

/// One of several requests on a connection.
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

    /// Actix has received a piece of an answer over HTTP/2, and waits for the flow-control window
    /// of this answer.
    pub(super) fn handed(&self, stream: StreamId, now: Time) {
        self.lock().untaken.insert(stream, now);
    }

    /// The peer has read the piece: actix polls for the next.
    pub(super) fn taken(&self, stream: StreamId) {
        self.lock().untaken.remove(&stream);
    }

    /// The connection ends with its present response, which has deadlines of its own; the second
    /// handle would cost one more descriptor until then.
    pub(super) fn release(&self) {
        let socket = self.lock().socket.take();
        drop(socket);
    }

    /// Ends an inactive connection. False if it needs no guard any more.
    ///
    /// A connection is first ended for reading: actix treats this as a peer that has closed, writes
    /// what it still has to write, and closes it. So no answer in progress is cut off, and bytes
    /// that have just arrived are still read.
    ///
    /// A connection whose peer reads nothing of many answers is cut off: actix waits for their
    /// windows forever, and cannot end one of them alone.
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
            // An error means that the connection is closed already.
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

/// How many answers over HTTP/2 a peer may leave unread for longer than the write timeout. A proxy
/// has many clients on one connection, and some of them do not read.
pub(super) const MAX_UNTAKEN: usize = 16;
