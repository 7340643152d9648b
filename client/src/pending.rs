//! Requests without an answer yet.

use bowline_protocol::Payload;
use futures::channel::oneshot;

use crate::error::RequestError;

/// A request without an answer yet.
#[derive(Debug)]
pub(crate) struct Pending(oneshot::Sender<Outcome>);

pub(crate) type Outcome = Result<Payload, RequestError>;

impl Pending {
    /// Creates the request, and the receiver of its outcome.
    pub(crate) fn new() -> (Self, oneshot::Receiver<Outcome>) {
        let (answer, outcome) = oneshot::channel();
        (Self(answer), outcome)
    }

    pub(crate) fn resolve(self, outcome: Outcome) {
        // An error means that the caller no longer waits.
        _ = self.0.send(outcome);
    }
}
