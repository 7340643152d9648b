//! The cases of the Autobahn testsuite that concern a reader, by their numbers: sections 1 to 7 and
//! 10. `interop-tests/suite/tests/raw/frames.rs` checks the answers; sections 9 (load), 12 and 13
//! (compression) concern nothing in this module.
//!
//! Each case is read as a whole, and byte by byte.

use bytes::Bytes;

use super::super::{FrameReader, Inbound};
use super::{drain, frame};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
const LAST: u8 = 0x80;
/// A first byte without the bit that ends a message.
const MORE: u8 = 0x7F;

/// A case: its number, its frames, the messages that are read, and the close code with which the
/// rest is refused.
type Case = (&'static str, Vec<(u8, Vec<u8>)>, Vec<Inbound>, Option<u16>);

#[test]
fn the_cases_of_autobahn_that_concern_a_reader_hold() {
    let cases = [lengths(), pings(), reserved(), fragments(), characters(), closes()].concat();
    assert!(cases.len() > 130, "{} cases", cases.len());
    for (name, frames, messages, refused) in cases {
        let input: Vec<u8> =
            frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        let long = input.len() > 10_000;
        for chunk in [input.len(), if long { 997 } else { 1 }] {
            let mut reader = FrameReader::new(1 << 20);
            let (mut read, mut error) = (Vec::new(), None);
            for piece in input.chunks(chunk.max(1)) {
                reader.push(Bytes::copy_from_slice(piece));
                let (more, fault) = drain(&mut reader);
                read.extend(more);
                error = fault;
            }
            let code = error.map(super::super::FrameError::close_code);
            assert_eq!((&read, code), (&messages, refused), "{name}, in chunks of {chunk}");
        }
    }
}

/// 1.1 and 1.2: text and binary messages of all lengths; 10.1: a message in many fragments.
fn lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [0, 125, 126, 127, 128, 65_535, 65_536] {
        let stars = vec![b'*'; length];
        let message = Inbound::Text(String::from_utf8(stars.clone()).unwrap().into());
        cases.push(("1.1", vec![(TEXT, stars)], vec![message], None));
        let bytes = vec![0xFE; length];
        cases.push((
            "1.2",
            vec![(BINARY, bytes.clone())],
            vec![Inbound::Binary(bytes.into())],
            None,
        ));
    }
    let stars = "*".repeat(65_536);
    let mut parts: Vec<_> =
        stars.as_bytes().chunks(1_300).map(|part| (LAST & MORE, part.to_vec())).collect();
    parts[0].0 = TEXT & MORE;
    parts.last_mut().unwrap().0 = LAST;
    cases.push(("10.1.1", parts, vec![Inbound::Text(stars.into())], None));
    cases
}

/// 2: pings and pongs.
fn pings() -> Vec<Case> {
    let ping = |payload: &[u8]| Inbound::Ping(Bytes::copy_from_slice(payload));
    let (most, binary) = ([0xFE; 125], b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff");
    vec![
        ("2.1", vec![(PING, vec![])], vec![ping(b"")], None),
        ("2.2", vec![(PING, b"Hello, world!".to_vec())], vec![ping(b"Hello, world!")], None),
        ("2.3", vec![(PING, binary.to_vec())], vec![ping(binary)], None),
        ("2.4", vec![(PING, most.to_vec())], vec![ping(&most)], None),
        ("2.5", vec![(PING, vec![0xFE; 126])], vec![], Some(1002)),
        ("2.7", vec![(PONG, vec![])], vec![Inbound::Pong], None),
        ("2.8", vec![(PONG, b"unsolicited".to_vec())], vec![Inbound::Pong], None),
        (
            "2.9",
            vec![(PONG, b"unsolicited".to_vec()), (PING, b"ping".to_vec())],
            vec![Inbound::Pong, ping(b"ping")],
            None,
        ),
        (
            "2.10",
            (0..10).map(|n| (PING, vec![n])).collect(),
            (0..10).map(|n| ping(&[n])).collect(),
            None,
        ),
    ]
}

/// 3: reserved bits; 4: reserved opcodes. Each alone, and behind a message that is still read.
fn reserved() -> Vec<Case> {
    let mut cases = Vec::new();
    for bits in 1..=7_u8 {
        for kind in [TEXT, BINARY, PING, CLOSE] {
            let odd = (kind | bits << 4, b"*".to_vec());
            cases.push(("3", vec![odd.clone()], vec![], Some(1002)));
            let before = (TEXT, b"Hello".to_vec());
            cases.push(("3", vec![before, odd], vec![hello("Hello")], Some(1002)));
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let odd = (LAST | opcode, vec![]);
        cases.push(("4", vec![odd.clone()], vec![], Some(1002)));
        let before = (TEXT, b"Hello".to_vec());
        cases.push(("4", vec![before, odd, (PING, vec![])], vec![hello("Hello")], Some(1002)));
    }
    cases
}

/// 5: fragments.
fn fragments() -> Vec<Case> {
    let (first, second) = ((TEXT & MORE, b"fragment1".to_vec()), (LAST, b"fragment2".to_vec()));
    let between = (LAST & MORE, b"fragment2".to_vec());
    let ping = (PING, b"ping".to_vec());
    let pinged = Inbound::Ping(Bytes::from_static(b"ping"));
    let both = hello("fragment1fragment2");
    vec![
        ("5.1", vec![(PING & MORE, b"a".to_vec()), second.clone()], vec![], Some(1002)),
        ("5.2", vec![(PONG & MORE, b"a".to_vec()), second.clone()], vec![], Some(1002)),
        ("5.3", vec![first.clone(), second.clone()], vec![both.clone()], None),
        (
            "5.6",
            vec![first.clone(), ping.clone(), second.clone()],
            vec![pinged.clone(), both.clone()],
            None,
        ),
        ("5.9", vec![second.clone(), (TEXT, b"Hello".to_vec())], vec![], Some(1002)),
        ("5.12", vec![between.clone(), (TEXT, b"Hello".to_vec())], vec![], Some(1002)),
        (
            "5.15",
            vec![first.clone(), second.clone(), between.clone(), (TEXT, b"Hello".to_vec())],
            vec![both],
            Some(1002),
        ),
        ("5.16", vec![between.clone(), first.clone(), second.clone()], vec![], Some(1002)),
        ("5.18", vec![first.clone(), (TEXT, b"fragment2".to_vec())], vec![], Some(1002)),
        (
            "5.19",
            vec![first, ping.clone(), between.clone(), between, ping, second],
            vec![pinged.clone(), pinged, hello("fragment1fragment2fragment2fragment2")],
            None,
        ),
    ]
}

/// 6: text, whole and with a fragment for each byte.
fn characters() -> Vec<Case> {
    let mut cases = Vec::new();
    for valid in VALID {
        let bytes = valid.as_bytes();
        cases.push(("6, valid", vec![(TEXT, bytes.to_vec())], vec![hello(valid)], None));
        let parts = byte_by_byte(bytes);
        cases.push(("6, valid", parts, vec![hello(valid)], None));
    }
    for invalid in INVALID {
        cases.push(("6, invalid", vec![(TEXT, invalid.to_vec())], vec![], Some(1007)));
        cases.push(("6, invalid", byte_by_byte(invalid), vec![], Some(1007)));
    }
    // 6.4: refused before the message ends.
    let hopeless = (TEXT & MORE, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90".to_vec());
    cases.push(("6.4.1", vec![hopeless], vec![], Some(1007)));
    cases
}

/// 7: closes.
fn closes() -> Vec<Case> {
    let close = |payload: &[u8]| (CLOSE, payload.to_vec());
    let coded = |code: u16| (CLOSE, code.to_be_bytes().to_vec());
    let mut cases = vec![
        (
            "7.1.1",
            vec![(TEXT, b"Hello".to_vec()), close(b"")],
            vec![hello("Hello"), Inbound::Close(None)],
            None,
        ),
        ("7.1.2", vec![coded(1000), coded(1000)], vec![Inbound::Close(Some(1000))], None),
        (
            "7.1.3",
            vec![coded(1000), (PING, b"after".to_vec())],
            vec![Inbound::Close(Some(1000))],
            None,
        ),
        (
            "7.1.5",
            vec![(TEXT & MORE, b"fragment1".to_vec()), coded(1000), (LAST, b"fragment2".to_vec())],
            vec![Inbound::Close(Some(1000))],
            None,
        ),
        ("7.3.1", vec![close(b"")], vec![Inbound::Close(None)], None),
        ("7.3.2", vec![close(b"a")], vec![], Some(1002)),
        ("7.3.4", vec![close(b"\x03\xe8Hello")], vec![Inbound::Close(Some(1000))], None),
        (
            "7.3.5",
            vec![close(&[b"\x03\xe8", &[b'*'; 123][..]].concat())],
            vec![Inbound::Close(Some(1000))],
            None,
        ),
        ("7.3.6", vec![close(&[b"\x03\xe8", &[b'*'; 124][..]].concat())], vec![], Some(1002)),
        ("7.5.1", vec![close(b"\x03\xe8\xce\xba\xe1\xed\xa0\x80")], vec![], Some(1007)),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        cases.push(("7.7", vec![coded(code)], vec![Inbound::Close(Some(code))], None));
    }
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(("7.9", vec![coded(code)], vec![], Some(1002)));
    }
    cases
}

fn hello(text: &str) -> Inbound {
    Inbound::Text(text.into())
}

fn byte_by_byte(text: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut parts = vec![(TEXT & MORE, vec![])];
    parts.extend(text.iter().map(|byte| (LAST & MORE, vec![*byte])));
    parts.push((LAST, vec![]));
    parts
}

/// 6.1, 6.2, and of 6.5 to 6.23 the first and last character of each length, the neighbors of the
/// surrogates, and noncharacters that are allowed.
const VALID: &[&str] = &[
    "",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\0",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
];

/// 6.3, and of 6.6 to 6.21 continuations without a beginning, incomplete and overlong characters,
/// characters beyond the last, and surrogates.
const INVALID: &[&[u8]] = &[
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\x80",
    b"\xbf",
    b"\x80\xbf\x80\xbf",
    b"\xc0 ",
    b"\xce",
    b"\xe1\xbd",
    b"\xf0\x9f\xa6",
    b"\xfe",
    b"\xff",
    b"\xc0\xaf",
    b"\xc1\xbf",
    b"\xe0\x80\xaf",
    b"\xe0\x9f\xbf",
    b"\xf0\x80\x80\xaf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf8\x80\x80\x80\xaf",
    b"\xfc\x80\x80\x80\x80\xaf",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
];
