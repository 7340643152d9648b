//! Requests without an answer yet.

use bowline_protocol::Payload;
use futures::channel::oneshot;

use crate::error::RequestError;

/// A request without an answer yet.
#[derive(Debug)]
pub(crate) struct Pending {
    answer: oneshot::Sender<Outcome>,
    /// The stream that it opens.
    pub(crate) stream: Option<u64>,
}

pub(crate) type Outcome = Result<Payload, RequestError>;

impl Pending {
    /// Creates the request, and the receiver of its outcome.
    pub(crate) fn new(stream: Option<u64>) -> (Self, oneshot::Receiver<Outcome>) {
        let (answer, outcome) = oneshot::channel();
        (Self { answer, stream }, outcome)
    }

    pub(crate) fn resolve(self, outcome: Outcome) {
        // An error means that the caller no longer waits.
        _ = self.answer.send(outcome);
    }
}
