//! A batch is read to its end, and a stream gives the same events wherever it was cut.

#![no_main]

use bowline_protocol::{Batch, Limits, ProtocolError, SseDecoder, SseEvent, write_sse_event};
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The last byte says how long the pieces are.
    let Some((&piece, data)) = data.split_last() else { return };
    let piece = usize::from(piece) + 1;
    batch(data);
    for limits in [Limits::default(), Limits { packet: 32, batch: 64 }] {
        let (whole, cut) = (decode(data, data.len(), &limits), decode(data, piece, &limits));
        if limits == Limits::default() {
            assert_eq!(whole, cut);
        } else {
            // A long line is refused as soon as it is seen, and that depends on the cut.
            assert!(whole.0.starts_with(&cut.0) || cut.0.starts_with(&whole.0));
        }
    }
    round_trip(data, piece);
});

fn batch(data: &[u8]) {
    for limits in [Limits::default(), Limits { packet: 16, batch: 4096 }] {
        let Ok(mut batch) = Batch::new(Bytes::copy_from_slice(data), &limits) else { continue };
        let read = std::iter::from_fn(|| batch.next_packet()).count();
        let newlines = data.iter().filter(|&&byte| byte == b'\n').count();
        assert!(read <= newlines + 1, "more packets than lines");
    }
}

/// A batch that goes through a stream comes out as it was, but for empty lines.
fn round_trip(data: &[u8], piece: usize) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains('\r') {
        return;
    }
    let mut stream = BytesMut::new();
    write_sse_event(7, data, &mut stream);
    let lines: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
    let expected = SseEvent { id: "7".into(), data: lines.join("\n") };
    let expected = if lines.is_empty() { Vec::new() } else { vec![expected] };
    assert_eq!(decode(&stream, piece, &Limits::default()), (expected, None));
}

fn decode(stream: &[u8], piece: usize, limits: &Limits) -> (Vec<SseEvent>, Option<ProtocolError>) {
    let (mut decoder, mut events) = (SseDecoder::new(limits), Vec::new());
    for piece in stream.chunks(piece.max(1)) {
        decoder.push(piece);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}
