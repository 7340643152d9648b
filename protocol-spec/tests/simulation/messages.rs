//! The messages of the applications.

use bowline_protocol::{Encoded, Message, Packet, Payload};
use bytes::Bytes;

use crate::network::Network;

/// JSON of any length, absent, with bytes or without.
pub(crate) fn payload(io: &mut Network) -> Payload {
    let payload = match io.rng.below(4) {
        0 => Payload::default(),
        1 => Payload::json(format!("\"größer {}\"", "x".repeat(io.rng.below(200) as usize))),
        _ => Payload::json(format!("{{\"n\":{}}}", io.rng.below(1 << 40))),
    };
    if io.rng.chance(80) {
        return payload;
    }
    let bytes: Vec<u8> = (0..io.rng.below(40)).map(|_| io.rng.next() as u8).collect();
    payload.with_bytes(bytes.into())
}

/// The name of the volatile events of which only the latest counts. All have one key.
pub(crate) const LATEST: &str = "latest";

/// Contains its position: its own number, and that of the tracked packet before it.
pub(crate) fn volatile(id: u64, after: u64) -> Message {
    let payload = Payload::json(format!("[{id},{after}]"));
    let bytes = Bytes::copy_from_slice(&id.to_be_bytes());
    let payload = if id.is_multiple_of(4) { payload.with_bytes(bytes) } else { payload };
    let name = if id.is_multiple_of(3) { LATEST } else { "now" };
    Message { name: name.into(), payload }
}

/// A packet that stays queued for the next session.
pub(crate) fn encode(packet: &Packet) -> Encoded {
    match packet {
        Packet::Event(message) => Encoded::event(&message.name, &message.payload),
        Packet::Request(message) => Encoded::request(&message.name, &message.payload),
        _ => unreachable!("answers do not go on"),
    }
    .expect("it was encoded before")
}
