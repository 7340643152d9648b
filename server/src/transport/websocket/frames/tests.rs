//! The rules of RFC 6455, one by one. `differential` compares whole conversations.

mod autobahn;
mod codec;
mod differential;

use bytes::{Bytes, BytesMut};

use super::reader::MAX_FRAGMENTS;
use super::{FrameError, FrameReader, Inbound, Opcode, frame_header, write_close, write_frame};

const FIN: u8 = 0x80;
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A masked frame; `first` is the whole first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        short @ 0..=125 => out.push(0x80 | short as u8),
        medium @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend((medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(KEY);
    out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ KEY[at % 4]));
    out
}

fn text(text: &str) -> Inbound {
    Inbound::Text(text.into())
}

fn binary(bytes: &'static [u8]) -> Inbound {
    Inbound::Binary(Bytes::from_static(bytes))
}

/// Everything that the reader yields until it needs more bytes or fails.
fn drain(reader: &mut FrameReader) -> (Vec<Inbound>, Option<FrameError>) {
    let mut messages = Vec::new();
    loop {
        match reader.next_message() {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

fn read(chunk: impl Into<Bytes>) -> (Vec<Inbound>, Option<FrameError>) {
    let mut reader = FrameReader::new(1 << 20);
    reader.push(chunk.into());
    drain(&mut reader)
}

fn refused(chunk: impl Into<Bytes>) -> FrameError {
    let (messages, error) = read(chunk);
    assert_eq!(messages, []);
    error.expect("this must be refused")
}

#[test]
fn the_examples_of_rfc_6455_section_5_7_are_read() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(hello.to_vec()), (vec![text("Hello")], None));
    let ping = [0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(ping.to_vec()), (vec![Inbound::Ping("Hello".into())], None));
}

#[test]
fn the_examples_of_rfc_6455_section_5_7_are_written() {
    let mut out = BytesMut::new();
    write_frame(Opcode::Text, b"Hello", &mut out);
    assert_eq!(&out[..], b"\x81\x05Hello");
    for (length, header) in [
        (0, &b"\x82\x00"[..]),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (256, b"\x82\x7e\x01\x00"),
        (65_535, b"\x82\x7e\xff\xff"),
        (65_536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ] {
        let mut out = BytesMut::new();
        frame_header(Opcode::Binary, length, &mut out);
        assert_eq!(&out[..], header, "{length}");
    }
}

#[test]
fn payloads_of_every_length_are_unmasked() {
    for length in (0..300).chain([65_535, 65_536, 100_003]) {
        let payload: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
        let (messages, error) = read(frame(FIN | 2, &payload));
        assert_eq!((messages, error), (vec![Inbound::Binary(payload.into())], None), "{length}");
    }
}

#[test]
fn lengths_that_could_be_shorter_are_accepted() {
    let mut medium = vec![FIN | 1, 0x80 | 126, 0, 1, 0, 0, 0, 0, b'a'];
    medium.extend([FIN | 1, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, b'b']);
    assert_eq!(read(medium), (vec![text("a"), text("b")], None));
}

#[test]
fn a_conversation_reads_the_same_wherever_it_is_cut() {
    let conversation = [
        frame(FIN | 1, "grüße".as_bytes()),
        frame(1, "ge\u{1F980}".as_bytes()[..4].into()),
        frame(FIN | 9, b"still there?"),
        frame(0, &"ge\u{1F980}".as_bytes()[4..]),
        frame(FIN, b""),
        frame(FIN | 2, &[7; 200]),
        frame(FIN | 10, b"pong"),
        frame(FIN | 8, b"\x03\xe8bye"),
    ]
    .concat();
    let expected = [
        text("grüße"),
        Inbound::Ping("still there?".into()),
        text("ge\u{1F980}"),
        binary(&[7; 200]),
        Inbound::Pong,
        Inbound::Close(Some(1000)),
    ];
    for step in 1..=conversation.len() {
        let mut reader = FrameReader::new(1 << 20);
        let mut messages = Vec::new();
        for chunk in conversation.chunks(step) {
            reader.push(Bytes::copy_from_slice(chunk));
            messages.extend(drain(&mut reader).0);
        }
        assert_eq!(messages, expected, "in pieces of {step}");
    }
    for cut in 0..=conversation.len() {
        let mut reader = FrameReader::new(1 << 20);
        let (head, tail) = conversation.split_at(cut);
        reader.push(Bytes::copy_from_slice(head));
        let mut messages = drain(&mut reader).0;
        reader.push(Bytes::copy_from_slice(tail));
        messages.extend(drain(&mut reader).0);
        assert_eq!(messages, expected, "cut at {cut}");
    }
}

#[test]
fn chunks_may_be_pushed_before_the_last_one_is_drained() {
    let mut reader = FrameReader::new(100);
    let (first, second) = (frame(FIN | 1, b"one"), frame(FIN | 1, b"two"));
    reader.push(Bytes::from(first));
    reader.push(Bytes::from(second[..3].to_vec()));
    reader.push(Bytes::from(second[3..].to_vec()));
    assert_eq!(drain(&mut reader), (vec![text("one"), text("two")], None));
}

#[test]
fn an_unmasked_frame_is_refused_at_its_second_byte() {
    assert_eq!(refused(vec![FIN | 1, 0]), FrameError::Unmasked);
}

#[test]
fn reserved_bits_and_opcodes_are_refused_at_the_first_byte() {
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(refused(vec![FIN | bit | 1]), FrameError::ReservedBits);
    }
    for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        assert_eq!(refused(vec![FIN | opcode]), FrameError::UnknownOpcode, "{opcode}");
    }
}

#[test]
fn control_frames_are_whole_and_short() {
    for opcode in [8, 9, 10] {
        assert_eq!(refused(vec![opcode]), FrameError::FragmentedControl);
        assert_eq!(refused(vec![FIN | opcode, 0x80 | 126]), FrameError::LongControl);
        assert_eq!(refused(vec![FIN | opcode, 0x80 | 127]), FrameError::LongControl);
    }
    assert_eq!(read(frame(FIN | 9, &[b'p'; 125])).1, None);
}

#[test]
fn control_frames_are_not_measured_by_the_message_limit() {
    let mut reader = FrameReader::new(4);
    reader.push([frame(1, b"1234"), frame(FIN | 9, b"ping!"), frame(FIN, b"")].concat().into());
    assert_eq!(drain(&mut reader), (vec![Inbound::Ping("ping!".into()), text("1234")], None));
}

#[test]
fn fragments_need_a_beginning_and_an_end() {
    assert_eq!(refused(vec![FIN]), FrameError::NothingToContinue);
    assert_eq!(refused(vec![0]), FrameError::NothingToContinue);
    for second in [1, 2, FIN | 1, FIN | 2] {
        let input = [frame(1, b"a"), vec![second]].concat();
        assert_eq!(refused(input), FrameError::UnfinishedMessage);
    }
    let after_the_end = [frame(1, b"a"), frame(FIN, b"b"), frame(FIN, b"c")].concat();
    assert_eq!(read(after_the_end), (vec![text("ab")], Some(FrameError::NothingToContinue)));
}

#[test]
fn an_announced_length_over_the_limit_is_refused_from_the_header_alone() {
    let mut reader = FrameReader::new(1000);
    reader.push(Bytes::from_static(&[FIN | 2, 0x80 | 126, 0x03, 0xE9]));
    assert_eq!(reader.next_message(), Err(FrameError::TooLarge));
    assert_eq!(refused(vec![FIN | 2, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255]), {
        FrameError::TooLarge
    });
    assert_eq!(refused(vec![FIN | 2, 0xFF, 0x80]), FrameError::LengthTopBit);
    let mut reader = FrameReader::new(1000);
    reader.push(frame(FIN | 2, &[0; 1000]).into());
    assert_eq!(drain(&mut reader), (vec![binary(&[0; 1000])], None));
}

#[test]
fn fragments_together_stay_within_the_limit() {
    let mut reader = FrameReader::new(10);
    reader.push([frame(2, &[0; 6]), frame(FIN, &[0; 4])].concat().into());
    assert_eq!(drain(&mut reader), (vec![binary(&[0; 10])], None));
    reader.push([frame(2, &[0; 6]), vec![0, 0x85]].concat().into());
    assert_eq!(drain(&mut reader), (vec![], Some(FrameError::TooLarge)));
}

#[test]
fn fragments_without_end_are_refused() {
    for payload in [&b""[..], b"a"] {
        let mut reader = FrameReader::new(1 << 20);
        reader.push(frame(1, payload).into());
        for _ in 1..MAX_FRAGMENTS {
            reader.push(frame(0, payload).into());
            assert_eq!(reader.next_message(), Ok(None));
        }
        reader.push(Bytes::from_static(&[FIN]));
        assert_eq!(reader.next_message(), Err(FrameError::TooManyFragments));
    }
}

#[test]
fn a_message_of_the_most_fragments_is_read() {
    let mut input = frame(2, b"");
    (2..MAX_FRAGMENTS).for_each(|_| input.extend(frame(0, b"")));
    input.extend(frame(FIN, b"end"));
    assert_eq!(read(input), (vec![binary(b"end")], None));
}

#[test]
fn text_must_be_utf_8() {
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xc0\xaf"] {
        assert_eq!(refused(frame(FIN | 1, bad)), FrameError::TextNotUtf8);
        let (head, tail) = bad.split_at(1);
        let fragments = [frame(1, head), frame(FIN, tail)].concat();
        assert_eq!(refused(fragments), FrameError::TextNotUtf8);
        assert_eq!(read(frame(FIN | 2, bad)).1, None);
    }
}

#[test]
fn text_that_cannot_become_utf_8_is_refused_before_its_last_fragment() {
    let mut reader = FrameReader::new(100);
    reader.push(frame(1, b"ok \xed").into());
    assert_eq!(reader.next_message(), Ok(None));
    reader.push(frame(0, b"\xa0").into());
    assert_eq!(reader.next_message(), Err(FrameError::TextNotUtf8));
}

#[test]
fn a_close_frame_is_checked() {
    let closed = |payload: &[u8]| read(frame(FIN | 8, payload));
    assert_eq!(closed(b""), (vec![Inbound::Close(None)], None));
    assert_eq!(closed(b"\x0f\xa0why"), (vec![Inbound::Close(Some(4000))], None));
    assert_eq!(closed(b"\x03"), (vec![], Some(FrameError::ShortClose)));
    assert_eq!(closed(b"\x03\xe8\xff"), (vec![], Some(FrameError::ReasonNotUtf8)));
    let valid = |code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    for code in (0..=6000).chain([u16::MAX]) {
        let expected = if valid(code) {
            (vec![Inbound::Close(Some(code))], None)
        } else {
            (vec![], Some(FrameError::CloseCode))
        };
        assert_eq!(closed(&code.to_be_bytes()), expected, "{code}");
    }
}

#[test]
fn nothing_is_read_after_a_close() {
    let mut reader = FrameReader::new(100);
    reader.push([frame(FIN | 8, b""), vec![0xFF]].concat().into());
    assert_eq!(drain(&mut reader), (vec![Inbound::Close(None)], None));
    reader.push(frame(FIN | 1, b"late").into());
    assert_eq!(drain(&mut reader), (vec![], None));
    assert_eq!(reader.held(), 0);
}

#[test]
fn an_error_waits_for_the_messages_before_it_and_stays() {
    let mut reader = FrameReader::new(100);
    reader.push([frame(FIN | 1, b"good"), frame(FIN | 9, b""), vec![0xFF; 50]].concat().into());
    assert_eq!(reader.next_message(), Ok(Some(text("good"))));
    assert_eq!(reader.next_message(), Ok(Some(Inbound::Ping(Bytes::new()))));
    assert_eq!(reader.next_message(), Err(FrameError::ReservedBits));
    reader.push(frame(FIN | 1, b"late").into());
    assert_eq!(reader.next_message(), Err(FrameError::ReservedBits));
    assert_eq!(reader.held(), 0);
}

#[test]
fn an_idle_reader_holds_nothing() {
    assert!(size_of::<FrameReader>() <= 64, "{}", size_of::<FrameReader>());
    let mut reader = FrameReader::new(1 << 20);
    assert_eq!(reader.held(), 0);
    for input in [
        frame(FIN | 1, &[b'a'; 5000]),
        [frame(2, &[0; 5000]), frame(FIN, &[0; 5000])].concat(),
        Vec::new(),
    ] {
        for chunk in input.chunks(1400) {
            reader.push(Bytes::copy_from_slice(chunk));
            drain(&mut reader);
        }
        assert_eq!(reader.held(), 0);
    }
}

#[test]
fn an_incomplete_frame_holds_what_was_received_and_not_what_was_announced() {
    let mut reader = FrameReader::new(1 << 30);
    let mut chunk = frame(FIN | 1, &[b'a'; 60_000]);
    chunk.extend([FIN | 2, 0xFF, 0, 0, 0, 0, 0x3F, 0, 0, 0]);
    reader.push(chunk.into());
    assert_eq!(drain(&mut reader).0.len(), 1);
    assert_eq!(reader.held(), 10);
    for received in 11..5000 {
        reader.push(Bytes::from_static(&[0]));
        assert_eq!(drain(&mut reader), (vec![], None));
        assert!(reader.held() <= 2 * received, "{} for {received}", reader.held());
    }
}

#[test]
fn an_incomplete_frame_does_not_keep_a_roomy_chunk() {
    let mut chunk = BytesMut::with_capacity(60_000);
    chunk.extend_from_slice(&[FIN | 2, 0x85]);
    let mut reader = FrameReader::new(100);
    reader.push(chunk.freeze());
    assert_eq!(reader.next_message(), Ok(None));
    assert_eq!(reader.held(), 2);
}

#[test]
fn a_reader_that_has_ended_keeps_no_fragments() {
    for last in [frame(FIN | 8, b""), frame(FIN | 1, b"")] {
        let mut reader = FrameReader::new(100);
        reader.push([frame(2, &[0; 50]), last].concat().into());
        drain(&mut reader);
        assert_eq!(reader.held(), 0);
    }
}

#[test]
fn a_chunk_with_other_owners_is_not_changed() {
    let input = frame(FIN | 2, &[1; 500]);
    let chunk = Bytes::from(input.clone());
    assert_eq!(read(chunk.clone()), (vec![binary(&[1; 500])], None));
    assert_eq!(chunk, input);
}

#[test]
fn a_close_is_written_with_as_much_of_its_reason_as_fits() {
    let mut out = BytesMut::new();
    write_close(4000, "", &mut out);
    assert_eq!(&out[..], b"\x88\x02\x0f\xa0");
    out.clear();
    let reason = format!("{}ü", "a".repeat(122));
    write_close(1000, &reason, &mut out);
    assert_eq!(&out[..4], b"\x88\x7c\x03\xe8");
    assert_eq!(&out[4..], "a".repeat(122).as_bytes());
}

#[test]
fn an_error_names_its_close_code() {
    assert_eq!(FrameError::Unmasked.close_code(), 1002);
    assert_eq!(FrameError::CloseCode.close_code(), 1002);
    assert_eq!(FrameError::TextNotUtf8.close_code(), 1007);
    assert_eq!(FrameError::ReasonNotUtf8.close_code(), 1007);
    assert_eq!(FrameError::TooLarge.close_code(), 1009);
    assert_eq!(FrameError::TooManyFragments.close_code(), 1009);
}
