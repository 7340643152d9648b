//! The shared form of a packet.

use bowline_protocol::{Encoded, Packet};

/// `None` for packets that are never shared.
pub fn encode(packet: &Packet) -> Option<Encoded> {
    let encoded = match packet {
        Packet::Event(message) => Encoded::event(&message.name, &message.payload),
        Packet::Request(message) => Encoded::request(&message.name, &message.payload),
        Packet::Volatile(message) => Encoded::volatile(&message.name, &message.payload),
        Packet::Reply(request, payload) => Encoded::reply(*request, payload),
        Packet::Failure(request, failure) => Encoded::failure(*request, failure),
        _ => return None,
    };
    Some(encoded.expect("what was read can be written"))
}
