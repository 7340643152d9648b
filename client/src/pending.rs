//! Requests that were sent and have no answer yet.

use bowline_protocol::Payload;
use futures::channel::oneshot;

use crate::error::RequestError;

/// A request without an answer yet.
#[derive(Debug)]
pub(crate) struct Pending(oneshot::Sender<Outcome>);

pub(crate) type Outcome = Result<Payload, RequestError>;

impl Pending {
    /// A request without an answer, and where its answer comes.
    pub(crate) fn new() -> (Self, oneshot::Receiver<Outcome>) {
        let (answer, outcome) = oneshot::channel();
        (Self(answer), outcome)
    }

    pub(crate) fn resolve(self, outcome: Outcome) {
        // An error means that nobody waits any more.
        _ = self.0.send(outcome);
    }
}
