//! Requests to many sessions at once, and what withdraws a request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{AnswerError, Encoded, Payload, SessionId};
use tokio::sync::mpsc;

use crate::session::{self, AtWork, LiveSession, Waiting};

/// Where the answers to a request to many go: who answered, and what.
pub(crate) type Answers = mpsc::UnboundedSender<(SessionId, Result<Payload, AnswerError>)>;

/// Sends a request to each of these sessions. What is returned withdraws the requests when it is
/// dropped.
pub(crate) fn ask(
    members: Vec<Arc<LiveSession>>,
    packet: &Encoded,
    timeout: Duration,
    answers: &Answers,
) -> HashMap<SessionId, Forget> {
    let mut open = HashMap::with_capacity(members.len());
    for session in members {
        let waiting = Waiting::Many(session.id, answers.clone());
        if let Ok(request) = session.request(packet.clone(), timeout, waiting) {
            open.insert(session.id, Forget::new(session, request));
        } else {
            // Nobody may want to know any more.
            let _ = answers.send((session.id, Err(AnswerError::SessionLost { sent: false })));
        }
    }
    open
}

/// Forgets a request whose future was dropped, so that its answer is dropped too when it comes.
#[derive(Debug)]
pub(crate) struct Forget {
    session: Arc<LiveSession>,
    request: u64,
    /// Who waits for the answer, if it is a handler of the same session.
    handler: Option<AtWork>,
    is_over: bool,
}

impl Forget {
    pub(crate) const fn new(session: Arc<LiveSession>, request: u64) -> Self {
        Self { session, request, handler: None, is_over: false }
    }

    /// There is nothing to forget any more.
    pub(crate) fn disarm(mut self) {
        self.is_over = true;
    }

    /// Whoever polls now waits for the answer.
    pub(crate) fn is_polled(&mut self) {
        let handler = session::at_work().filter(|handler| handler.session() == self.session.id);
        if handler != self.handler {
            self.handler = handler;
            self.session.with(|state, _| state.waits(self.request, handler));
        }
    }
}

impl Drop for Forget {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.with(|state, _| state.forget_request(self.request));
        }
    }
}
