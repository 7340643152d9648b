//! The state of the carrier that serves, or is about to serve.

use bowline_protocol::{CarrierId, Time};

use super::Transport;

#[derive(Debug)]
pub(super) struct Service {
    pub(super) transport: Transport,
    pub(super) began: Time,
    /// The host is opening a WebSocket.
    pub(super) opening: bool,
    /// The carrier is ready to send: the WebSocket is open and has sent everything, or no POST is
    /// in progress.
    pub(super) ready: bool,
    /// A long poll or the stream is in progress.
    pub(super) receiving: bool,
    /// The attachment, once the first line was sent.
    pub(super) attachment: Option<CarrierId>,
    /// When the first line was sent.
    pub(super) greeted: Time,
    pub(super) welcomed: Option<Time>,
    /// When there was traffic last, in either direction.
    pub(super) active: Time,
    /// When an attempt without a welcome fails.
    pub(super) give_up: Time,
    /// The number of the last tracked packet received on this carrier.
    pub(super) received: u64,
    /// The number of the last tracked packet in the POST in progress.
    pub(super) posted: u64,
    /// When the response to the POST is due.
    pub(super) answer_by: Time,
    /// When to send the next poll, or the first line again; the origin means at once.
    pub(super) poll_at: Time,
    /// When the server must have sent something.
    pub(super) prove_by: Time,
    /// When to send again the packets that the server refused.
    pub(super) retransmit_at: Time,
    /// How often in a row that was necessary.
    pub(super) retransmits: u32,
    pub(super) probe: Probe,
}

/// The measurement of the round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    Done,
    Wanted,
    Sent(Time),
}

impl Service {
    pub(super) const fn new(transport: Transport, began: Time, give_up: Time) -> Self {
        Self {
            transport,
            began,
            opening: false,
            ready: transport.is_http(),
            receiving: false,
            attachment: None,
            greeted: began,
            welcomed: None,
            active: began,
            give_up,
            received: 0,
            posted: 0,
            answer_by: Time::NEVER,
            poll_at: Time::ZERO,
            prove_by: Time::NEVER,
            retransmit_at: Time::NEVER,
            retransmits: 0,
            probe: Probe::Done,
        }
    }

    /// A carrier that a trial has found to work: an open WebSocket, or a stream that can be opened.
    pub(super) const fn proven(transport: Transport, began: Time, give_up: Time) -> Self {
        Self { opening: true, ready: true, ..Self::new(transport, began, give_up) }
    }

    /// True if it is a WebSocket that takes long to open: it may still open.
    pub(super) fn is_slow(&self, now: Time) -> bool {
        self.opening && !self.ready && self.attachment.is_none() && self.give_up <= now
    }

    /// True if it is an accepted WebSocket whose welcome may still arrive.
    pub(super) fn is_unwelcome(&self, now: Time) -> bool {
        let is_open = self.transport == Transport::WebSocket && self.attachment.is_some();
        is_open && self.welcomed.is_none() && now < self.give_up
    }

    /// Why this carrier is dead, if it is.
    pub(super) fn dead(&self, attached: bool, now: Time) -> Option<&'static str> {
        let silent = self.attachment.is_some() && !attached;
        let unproven = self.prove_by <= now;
        if silent || unproven || (self.welcomed.is_none() && self.give_up <= now) {
            Some("the server is silent")
        } else if self.answer_by <= now {
            Some("a POST was not answered")
        } else {
            None
        }
    }

    pub(super) fn next_deadline(&self) -> Time {
        let mut first = self.answer_by.min(self.prove_by).min(self.retransmit_at);
        if self.poll_at > Time::ZERO {
            first = first.min(self.poll_at);
        }
        if self.welcomed.is_none() { first.min(self.give_up) } else { first }
    }

    /// A probe in progress suffices: its answer could not be distinguished from the answer to a
    /// second one.
    pub(super) const fn want_probe(&mut self) {
        if !matches!(self.probe, Probe::Sent(_)) {
            self.probe = Probe::Wanted;
        }
    }

    /// True when the next long poll should be sent.
    pub(super) fn wants_poll(&self, now: Time) -> bool {
        self.transport == Transport::Polling
            && self.attachment.is_some()
            && !self.receiving
            && self.poll_at <= now
    }
}
