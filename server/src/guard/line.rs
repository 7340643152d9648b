//! One connection, and what is known of it.

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
    /// Since when none has been in progress, if none is.
    idle_since: Time,
    /// When actix was told that the peer says no more.
    ending: Option<Time>,
}

impl Line {
    pub(super) const fn new(socket: Socket, now: Time) -> Self {
        let socket = Some(socket);
        Self { state: Mutex::new(State { socket, requests: 0, idle_since: now, ending: None }) }
    }

    pub(super) fn begin(&self) {
        self.lock().requests += 1;
    }

    pub(super) fn end(&self, now: Time) {
        let mut state = self.lock();
        state.requests -= 1;
        state.idle_since = now;
    }

    /// The connection ends with the response that it carries now: that has its own deadlines, and the second handle would
    /// cost one more descriptor for as long as it takes.
    pub(super) fn release(&self) {
        let socket = self.lock().socket.take();
        drop(socket);
    }

    /// False if there is nothing to look after any more.
    ///
    /// A connection is first ended for reading: actix takes it for a peer that has closed, writes what it has still to
    /// write, and closes it. So nothing that is being answered is cut, and what has just arrived is still read.
    pub(super) fn sweep(&self, limits: &Limits, now: Time) -> bool {
        let mut state = self.lock();
        let Some(socket) = &state.socket else { return false };
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
