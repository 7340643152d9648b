//! Whatever is read as a packet can be written, and is then read as the same packet.

#![no_main]

mod encode;

use bowline_protocol::Packet;
use bytes::Bytes;
use bytestring::ByteString;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(packet) = Packet::parse_binary(&bytes) {
        survives_writing(&packet);
        let encoded = encode::encode(&packet).expect("a binary packet is a message or an answer");
        let message = encoded.binary_message().expect("it contains bytes");
        assert_eq!(Packet::parse_binary(message).as_ref(), Ok(&packet));
    }
    if let Ok(line) = ByteString::try_from(bytes)
        && let Ok(packet) = Packet::parse(&line)
    {
        survives_writing(&packet);
    }
});

fn survives_writing(packet: &Packet) {
    let line = write(packet);
    let again = Packet::parse(&line.clone().into()).expect("what was written is readable");
    assert_eq!(&again, packet);
    assert_eq!(write(&again), line);
    if let Some(encoded) = encode::encode(packet) {
        assert_eq!(encoded.text_line(), line.as_bytes());
        let whole = encoded.binary_message().unwrap_or(encoded.text_line());
        assert_eq!(encoded.size(), whole.len());
    }
}

fn write(packet: &Packet) -> String {
    let mut line = String::new();
    packet.write_line(&mut line).expect("what was read can be written");
    line
}
