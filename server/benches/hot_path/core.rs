//! The protocol alone.

use std::ops::ControlFlow;

use bowline_protocol::{
    Attachment, Batch, Encoded, Limits, Packet, Payload, Session, SessionConfig, SessionEvent, Time,
};
use bytes::Bytes;

/// Reads batches.
pub(crate) fn read(count: u32) {
    let body = Bytes::from(vec!["q echo \"abcdefghijklmnopqrstuvwxyz012345\""; LINES].join("\n"));
    let limits = Limits::default();
    for _ in 0..count {
        let mut batch = Batch::new(body.clone(), &limits).expect("it is text");
        while let Some(packet) = batch.next_packet() {
            std::hint::black_box(packet.expect("it is well-formed"));
        }
    }
}

/// Writes replies.
pub(crate) fn write(count: u32) {
    let payload = Payload::json("\"abcdefghijklmnopqrstuvwxyz012345\"");
    for step in 0..u64::from(count) {
        for line in 0..LINES as u64 {
            let reply = Encoded::reply(step * LINES as u64 + line + 1, &payload);
            std::hint::black_box(reply.expect("it is JSON"));
        }
    }
}

/// Takes requests, answers them, transmits the answers and has them confirmed.
pub(crate) fn session(count: u32) {
    let mut session = Session::new(SessionConfig::server(), 1, Time::ZERO);
    let attachment = Attachment { counter: 1, ..Attachment::default() };
    let carrier = session.attach(attachment, Time::ZERO).expect("the counter is new");
    let request = Packet::parse(&"q echo 1".into()).expect("it is well-formed");
    let payload = Payload::json("1");
    let mut received = 0;
    for step in 0..u64::from(count) {
        let now = Time::from_millis(step);
        for _ in 0..LINES {
            received += 1;
            session.handle_packet(received, request.clone(), now).expect("it is the next one");
            while let Some(event) = session.poll_event() {
                let SessionEvent::Message { number, .. } = event else { continue };
                let reply = Encoded::reply(number, &payload).expect("it is JSON");
                session.reply(reply, now).expect("there is room");
            }
        }
        let any = session.drain(carrier, now, |transmit| {
            std::hint::black_box(transmit);
            ControlFlow::Continue(())
        });
        assert_eq!(any, Ok(true), "there are answers");
        session.handle_packet(0, Packet::Confirm(received), now).expect("all were sent");
    }
}

const LINES: usize = 16;
