//! Bodies of requests that bring packets: POSTs, and those that open a stream or a poll.
//!
//! Spec: 02-carriers, "POST".

use std::sync::Arc;

use bowline_protocol::{Attach, AttachError, Batch, CarrierId, Close, Packet, ProtocolError, Time};

use super::{Intake, LiveSession, State};
use crate::turn::{self, Turn};

/// What the server answers to a POST.
#[derive(Debug)]
pub(crate) struct Posted {
    /// The number of the last packet that the server has received.
    pub(crate) received: u64,
    /// The session is over.
    pub(crate) closed: Option<Close>,
}

impl LiveSession {
    /// Receives a POST: the confirmation in its first line, and its packets as far as the inbox has
    /// room. One lock, unless the body needs several turns.
    ///
    /// # Errors
    /// The close that answers the request. The session goes on, unless a packet is broken.
    pub(crate) async fn post(
        self: &Arc<Self>,
        attach: &Attach,
        body: &mut Batch,
    ) -> Result<Posted, Close> {
        let mut next = attach.next;
        loop {
            let posted = self.drive(|state, now| {
                self.check_instance(state, attach)?;
                state.confirm(attach.received, now).map_err(ProtocolError::close)?;
                let intake = self.take_body(state, &mut next, body, now);
                let intake = intake.map_err(ProtocolError::close)?;
                Ok::<_, Close>((intake != Intake::Rest).then(|| state.posted()))
            })?;
            match posted {
                Some(posted) => return Ok(posted),
                None => turn::pause().await,
            }
        }
    }

    /// Receives the packets in the body of a request that attaches a carrier, as far as the inbox
    /// has room, in turns.
    pub(super) async fn receive_body(
        self: &Arc<Self>,
        carrier: CarrierId,
        next: &mut u64,
        body: &mut Batch,
    ) -> Result<(), ProtocolError> {
        let mut receive = || {
            self.drive(|state, now| match state.receives_from(carrier) {
                true => self.take_body(state, next, body, now),
                false => Ok(Intake::Refused),
            })
        };
        while receive()? == Intake::Rest {
            turn::pause().await;
        }
        Ok(())
    }

    /// Receives what one turn allows. A body that overtook an earlier one is dropped: it is not an
    /// error, and its client sends it again.
    pub(super) fn take_body(
        &self,
        state: &mut State,
        next: &mut u64,
        body: &mut Batch,
        now: Time,
    ) -> Result<Intake, ProtocolError> {
        if *next > state.core.received() + 1 {
            return Ok(Intake::Refused);
        }
        self.receive_packets(state, next, &Turn::new(), || body.next_packet(), now)
    }

    /// An instance that has lost the session sends nothing, also while its body is being received.
    fn check_instance(&self, state: &State, attach: &Attach) -> Result<(), Close> {
        state.core.check_owner(attach.instance).map_err(|error| match error {
            // Only an attachment shows whether the session goes on from its checkpoint.
            AttachError::Stale => self.common.come_back(),
            error => error.close(),
        })
    }
}

impl State {
    /// A wrong confirmation is an error of the request and not of the session.
    fn confirm(&mut self, received: u64, now: Time) -> Result<(), ProtocolError> {
        // A confirmation is not tracked, so it has no number.
        self.core.handle_packet(0, Packet::Confirm(received), now)
    }

    fn posted(&mut self) -> Posted {
        Posted { received: self.core.state_received(), closed: self.core.closed().cloned() }
    }
}
