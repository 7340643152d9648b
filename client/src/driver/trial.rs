//! A trial beside the current carrier: checks whether another transport would work. Spec:
//! 02-carriers, "Trials".

use std::task::{Context, Poll};

use bowline_protocol::{Batch, Limits, Packet, Transmit};
use bytes::Bytes;

use crate::carrier::{Carrier, Incoming};
use crate::engine::{End, Outgoing, QUESTION, Route, Transport};
use crate::shared::Shared;

#[derive(Debug)]
pub(super) struct Trial {
    carrier: Carrier,
    asked: bool,
}

impl Trial {
    pub(super) fn begin(transport: Transport, shared: &Shared) -> Self {
        if transport == Transport::WebSocket {
            return Self::of(Carrier::socket(shared));
        }
        let carrier = Carrier::send(None, Route::Stream, &question(), shared);
        Self { carrier, asked: true }
    }

    /// A trial that continues a WebSocket which is still opening.
    pub(super) const fn of(carrier: Carrier) -> Self {
        Self { carrier, asked: false }
    }

    pub(super) fn into_carrier(self) -> Carrier {
        self.carrier
    }

    /// Ready when the trial has a result.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        loop {
            match std::task::ready!(self.carrier.poll(cx, true)) {
                Incoming::Batch(body) if is_answer(&body) => return Poll::Ready(Ok(())),
                Incoming::Ready if !self.asked => {
                    self.asked = true;
                    self.carrier.write(&question());
                }
                Incoming::Ready => {}
                Incoming::Ended(end) => return Poll::Ready(Err(end)),
                _ => return Poll::Ready(Err(End::Lost("something else answered".to_owned()))),
            }
        }
    }
}

fn question() -> Outgoing {
    let heartbeat = Packet::Heartbeat(QUESTION.into());
    Outgoing { line: None, packets: vec![Transmit::Control(heartbeat)] }
}

fn is_answer(body: &Bytes) -> bool {
    let batch = Batch::new(body.clone(), &Limits::default());
    let first = batch.ok().and_then(|mut batch| batch.next_packet());
    matches!(first, Some(Ok(Packet::Alive(_))))
}
