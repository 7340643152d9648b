//! Subscriptions to events of the server.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_protocol::Payload;
use futures::Stream;

use crate::error::TryRecvError;
use crate::inlet::{Cost as _, Inlet};
use crate::shared::Shared;

/// The events of one name, in order. Ends when the client is closed; dropping it unsubscribes.
pub struct RawEvents {
    name: String,
    inlet: Arc<Inlet>,
    shared: Arc<Shared>,
}

impl RawEvents {
    pub(crate) fn subscribe(name: &str, shared: &Arc<Shared>) -> Self {
        let inlet = Arc::new(Inlet::default());
        shared.lock().subscribe(name, Arc::clone(&inlet));
        Self { name: name.to_owned(), inlet, shared: Arc::clone(shared) }
    }

    /// The next event that has arrived, without waiting: for a game loop that looks once a frame.
    /// The client may receive more as soon as the application has read what waits here, as with the
    /// stream.
    ///
    /// # Errors
    /// When no event waits, and when none will come any more.
    pub fn try_recv(&mut self) -> Result<Payload, TryRecvError> {
        let payload = self.inlet.try_next()?;
        self.shared.taken(payload.cost());
        Ok(payload)
    }
}

impl Stream for RawEvents {
    type Item = Payload;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Payload>> {
        let payload = self.inlet.poll_next(cx);
        if let Poll::Ready(Some(payload)) = &payload {
            self.shared.taken(payload.cost());
        }
        payload
    }
}

impl Drop for RawEvents {
    fn drop(&mut self) {
        self.shared.lock().unsubscribe(&self.name, &self.inlet);
        self.shared.taken(self.inlet.abandon());
    }
}

impl fmt::Debug for RawEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawEvents").field("name", &self.name).finish_non_exhaustive()
    }
}
