//! The bytes on the wire: encodes packets as messages and bodies, and parses them.

use bowline_protocol::{Batch, Limits, Packet, Transmit};
use bytes::Bytes;

use crate::network::{Network, What};

/// The unit that a carrier sends at once.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    /// A batch: a text message, a body, a piece of a stream.
    Text(Bytes),
    /// One packet with raw bytes, on carriers that have binary messages.
    Binary(Bytes),
}

/// Encodes packets for one carrier or body and keeps the same count as the receiver.
#[derive(Debug)]
pub(crate) struct Writer {
    next: u64,
    text: String,
    messages: Vec<Wire>,
}

impl Writer {
    pub(crate) const fn new(next: u64) -> Self {
        Self { next, text: String::new(), messages: Vec::new() }
    }

    /// A first line, a control packet.
    pub(crate) fn line(&mut self, packet: &Packet) {
        self.separate();
        packet.write_line(&mut self.text).expect("control packets can be written");
    }

    /// For carriers with binary messages: now and then a message ends early, and bytes are sent
    /// raw.
    pub(crate) fn message(&mut self, transmit: &Transmit, io: &mut Network) {
        if io.rng.chance(20) {
            self.end_text();
        }
        let raw = match transmit {
            Transmit::Tracked { packet, .. } | Transmit::Volatile(packet) => {
                packet.binary_message().filter(|_| io.rng.chance(80))
            }
            Transmit::Control(_) => None,
        };
        let Some(raw) = raw else { return self.text_line(transmit, io) };
        self.count(transmit, io);
        self.end_text();
        self.messages.push(Wire::Binary(raw.clone()));
    }

    /// For every carrier.
    pub(crate) fn text_line(&mut self, transmit: &Transmit, io: &mut Network) {
        self.count(transmit, io);
        match transmit {
            Transmit::Control(packet) => self.line(packet),
            Transmit::Tracked { packet, .. } | Transmit::Volatile(packet) => {
                self.separate();
                self.text
                    .push_str(std::str::from_utf8(packet.text_line()).expect("lines are text"));
            }
        }
    }

    /// The number of the next tracked packet.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Everything as messages.
    pub(crate) fn into_messages(mut self) -> Vec<Wire> {
        self.end_text();
        self.messages
    }

    /// Everything as one body.
    pub(crate) fn into_body(self) -> Bytes {
        assert!(self.messages.is_empty(), "a body holds no binary messages");
        self.text.into()
    }

    /// A confirmation on another connection may let the sender skip packets that the receiver still
    /// counts: then the sender states the position again.
    fn count(&mut self, transmit: &Transmit, io: &mut Network) {
        match transmit {
            Transmit::Tracked { number, .. } => {
                assert_eq!(*number, self.next, "a number is not the one that the reader counts");
                self.next += 1;
            }
            Transmit::Control(Packet::Position(next)) => {
                assert!(*next >= self.next, "a carrier never counts backwards");
                io.stats.count(What::Jumps);
                self.next = *next;
            }
            _ => {}
        }
    }

    fn separate(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.messages.push(Wire::Text(std::mem::take(&mut self.text).into()));
        }
    }
}

/// The packets of a message or body, all of which must be valid.
pub(crate) fn read(wire: &Wire) -> Vec<Packet> {
    match wire {
        Wire::Binary(message) => vec![Packet::parse_binary(message).expect("binary is readable")],
        Wire::Text(text) => {
            let mut batch =
                Batch::new(text.clone(), &Limits::default()).expect("a batch is readable");
            std::iter::from_fn(|| batch.next_packet()).map(|packet| packet.expect("line")).collect()
        }
    }
}

/// Gives every packet its number. `next` is the present count.
pub(crate) fn number(next: &mut u64, packet: &Packet) -> u64 {
    if let Packet::Position(position) = packet {
        *next = *position;
    }
    let number = *next;
    *next += u64::from(packet.is_tracked());
    number
}
