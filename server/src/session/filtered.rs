//! Events on their way to the client, about which a hook of the application decides.

use std::sync::Arc;
use std::task::Waker;

use bowline_protocol::{Encoded, LatestOutcome, SendError, Time};

use super::LiveSession;

impl LiveSession {
    /// Queues an event that its client may miss. False if it is dropped already.
    pub(crate) fn emit_volatile(self: &Arc<Self>, packet: &Encoded) -> bool {
        let packet = self.for_client(packet);
        packet.is_some_and(|packet| self.with(|state, _| state.core.emit_volatile(packet)))
    }

    /// Queues an event that replaces a waiting one of the same key.
    pub(crate) fn emit_latest(self: &Arc<Self>, packet: &Encoded, key: &Arc<str>) -> LatestOutcome {
        let Some(packet) = self.for_client(packet) else { return LatestOutcome::Dropped };
        self.with(|state, _| state.core.emit_latest(packet, key))
    }

    /// What the client receives instead of an event that it may miss.
    fn for_client(&self, packet: &Encoded) -> Option<Encoded> {
        if !self.common.config.filters_outbound {
            return Some(packet.clone());
        }
        self.filtered(packet).ok().flatten()
    }

    /// Puts what the hook leaves of an event into the outbox. Apart from the path without a hook, so
    /// that the compiler inlines only that.
    #[cold]
    #[inline(never)]
    pub(super) fn push_filtered(
        self: &Arc<Self>,
        now: Time,
        packet: &Encoded,
        wake: impl FnOnce(Waker),
    ) -> Result<u64, SendError> {
        match self.filtered(packet)? {
            Some(packet) => self.push_event(now, &packet, wake),
            None => Ok(0),
        }
    }

    /// What the client receives instead of this event; `None` if nothing. No lock of the session is
    /// held while the application decides.
    fn filtered(&self, packet: &Encoded) -> Result<Option<Encoded>, SendError> {
        // The node to which the session has moved decides.
        if self.look(|state| state.core.closed().is_some()) {
            return Err(SendError::Closed);
        }
        Ok(self.around.filter(self, packet))
    }
}
