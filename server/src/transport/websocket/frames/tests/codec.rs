//! Random conversations against a reader that others have written: the codec of actix-http.
//!
//! Both yield the same messages and refuse the same conversations for the same reason, except for
//! [`EXCEPTIONS`]. The codec yields frames; [`Codec`] adds what the codec leaves to its user (one
//! message of several frames, text that is checked frame by frame, the limit of a message, the end
//! after a close) as plainly as possible.

use actix_http::ws::{self, Frame, Item, ProtocolError};
use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use tokio_util::codec::Decoder as _;

use super::super::{FrameError, FrameReader, Inbound};
use super::differential::{LIMIT, conversation, one_in};
use super::{drain, frame};

/// Where the reader is stricter than the codec, or sooner. Spec: 02-carriers, "WebSocket".
const EXCEPTIONS: [&str; 4] = [
    "a frame is refused at the byte that breaks a rule; the codec waits for its header, or for \
        all of it",
    "a length over the limit is refused from the header; the codec waits for as many bytes",
    "of two faults in a frame the one counts that comes first in its bytes; the codec has an \
        order of its own",
    "a control frame states its length in its second byte; the codec takes short ones that state \
        it as long ones do",
];

#[test]
fn random_conversations_read_as_the_codec_of_actix_reads_them() {
    let (mut rules, mut exceptions, mut agreed) = ([0; PLACES.len()], [0; EXCEPTIONS.len()], 0);
    for seed in 0..40_000 {
        let mut random = Rng::with_seed(seed);
        let input = varied(&mut random);
        let ours = read_in_pieces(&input, &mut random);
        let mut codec = Codec::new(&input);
        let theirs = codec.read();
        let (messages, Some(error)) = ours else {
            assert_eq!((&ours.0, None), (&codec.messages, theirs), "seed {seed}");
            agreed += 1;
            continue;
        };
        let fault = Fault::of(error);
        rules[fault as usize] += 1;
        let theirs = theirs.unwrap_or_else(|| {
            exceptions[usize::from(fault == Fault::Size)] += 1;
            codec.complete()
        });
        assert_eq!(messages, codec.messages, "seed {seed}: {error}");
        exceptions[3] += usize::from(codec.has_long_form);
        if theirs != fault {
            exceptions[2] += 1;
            let (sooner, later) = (PLACES[fault as usize], PLACES[theirs as usize]);
            assert!(sooner <= later, "seed {seed}: {error}, and the codec says {theirs:?}");
        }
    }
    // Otherwise the generator no longer covers what it has to cover.
    assert!(agreed > 5_000, "{agreed} conversations without a fault");
    assert!(rules.iter().all(|count| *count > 20), "{rules:?}");
    assert!(exceptions.iter().all(|count| *count > 20), "{exceptions:?}");
}

/// The faults of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Reserved,
    Opcode,
    /// A control frame that is long or a fragment.
    Control,
    Continuation,
    Mask,
    Length,
    Size,
    Close,
    Text,
}

/// Where in a frame each fault is detected: in its first bytes, in its length, or in its payload. A
/// fragment of a control frame is detected sooner than a long one.
const PLACES: [u8; 9] = [0, 0, 1, 0, 1, 2, 3, 4, 4];

impl Fault {
    fn of(error: FrameError) -> Self {
        match error {
            FrameError::ReservedBits => Self::Reserved,
            FrameError::UnknownOpcode => Self::Opcode,
            FrameError::Unmasked => Self::Mask,
            FrameError::FragmentedControl | FrameError::LongControl => Self::Control,
            FrameError::LengthTopBit => Self::Length,
            FrameError::NothingToContinue | FrameError::UnfinishedMessage => Self::Continuation,
            FrameError::ShortClose | FrameError::CloseCode | FrameError::ReasonNotUtf8 => {
                Self::Close
            }
            FrameError::TextNotUtf8 => Self::Text,
            FrameError::TooLarge | FrameError::TooManyFragments => Self::Size,
        }
    }

    fn of_codec(error: &ProtocolError) -> Self {
        match error {
            ProtocolError::Io(_) => Self::Reserved,
            ProtocolError::InvalidOpcode(_) => Self::Opcode,
            ProtocolError::UnmaskedFrame => Self::Mask,
            // A close of one byte.
            ProtocolError::InvalidLength(1) | ProtocolError::BadOpCode => Self::Close,
            ProtocolError::InvalidLength(_) | ProtocolError::ContinuationFragment(_) => {
                Self::Control
            }
            ProtocolError::Overflow => Self::Length,
            ProtocolError::ContinuationNotStarted | ProtocolError::ContinuationStarted => {
                Self::Continuation
            }
            other => panic!("a server that reads is never told {other}"),
        }
    }
}

/// The codec, and the work of its user.
struct Codec {
    codec: ws::Codec,
    input: BytesMut,
    messages: Vec<Inbound>,
    /// A message of several frames, and whether it is text.
    begun: Option<(bool, Vec<u8>)>,
    is_closed: bool,
    /// A control frame states a short length as a long one: the last exception.
    has_long_form: bool,
}

impl Codec {
    fn new(input: &[u8]) -> Self {
        Self {
            // No frame here that is whole is larger: a limit of the codec's own concerns frames,
            // and not messages.
            codec: ws::Codec::new().max_size(1 << 20),
            input: BytesMut::from(input),
            messages: Vec::new(),
            begun: None,
            is_closed: false,
            has_long_form: false,
        }
    }

    /// Reads until the end, a close or a fault.
    fn read(&mut self) -> Option<Fault> {
        while !self.is_closed {
            let is_long = |first: u8, second: u8| first & 8 != 0 && second & 0x7F > 125;
            self.has_long_form = matches!(self.input[..], [first, second, ..] if is_long(first, second))
                && announced(&self.input).is_some_and(|length| length <= 125);
            if self.has_long_form {
                return Some(Fault::Control);
            }
            match self.codec.decode(&mut self.input) {
                Ok(Some(frame)) => {
                    if let Err(fault) = self.take(frame) {
                        return Some(fault);
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some(Fault::of_codec(&error)),
            }
        }
        None
    }

    /// The fault of a frame of which the codec waits for the rest.
    fn complete(&mut self) -> Fault {
        if announced(&self.input).is_some_and(|length| length > LIMIT as u64) {
            return Fault::Size;
        }
        self.input.extend_from_slice(&[0; 14 + LIMIT]);
        self.read().expect("what the reader refuses the codec refuses when it is complete")
    }

    fn take(&mut self, frame: Frame) -> Result<(), Fault> {
        match frame {
            Frame::Text(data) => self.finish(true, data.to_vec()),
            Frame::Binary(data) => self.finish(false, data.to_vec()),
            Frame::Continuation(Item::FirstText(data)) => self.begin(true, &data),
            Frame::Continuation(Item::FirstBinary(data)) => self.begin(false, &data),
            Frame::Continuation(Item::Continue(data)) => self.go_on(&data),
            Frame::Continuation(Item::Last(data)) => {
                self.go_on(&data)?;
                let (is_text, data) = self.begun.take().expect("the codec has seen its beginning");
                self.finish(is_text, data)
            }
            Frame::Ping(data) => self.push(Inbound::Ping(data)),
            Frame::Pong(_) => self.push(Inbound::Pong),
            Frame::Close(reason) => {
                self.is_closed = true;
                self.push(Inbound::Close(reason.map(|reason| reason.code.into())))
            }
        }
    }

    fn begin(&mut self, is_text: bool, data: &[u8]) -> Result<(), Fault> {
        self.begun = Some((is_text, Vec::new()));
        self.go_on(data)
    }

    fn go_on(&mut self, data: &[u8]) -> Result<(), Fault> {
        let (is_text, all) = self.begun.as_mut().expect("the codec has seen its beginning");
        all.extend(data);
        let text = std::str::from_utf8(all);
        if all.len() > LIMIT {
            return Err(Fault::Size);
        }
        let is_cut = text.is_err_and(|error| error.error_len().is_none());
        if *is_text && text.is_err() && !is_cut { Err(Fault::Text) } else { Ok(()) }
    }

    fn finish(&mut self, is_text: bool, data: Vec<u8>) -> Result<(), Fault> {
        if data.len() > LIMIT {
            return Err(Fault::Size);
        }
        if !is_text {
            return self.push(Inbound::Binary(data.into()));
        }
        let text = String::from_utf8(data).map_err(|_| Fault::Text)?;
        self.push(Inbound::Text(text.into()))
    }

    fn push(&mut self, message: Inbound) -> Result<(), Fault> {
        self.messages.push(message);
        Ok(())
    }
}

/// The length that a header announces, if enough of it has arrived.
fn announced(header: &[u8]) -> Option<u64> {
    match header.get(1)? & 0x7F {
        126 => Some(u16::from_be_bytes(*header.get(2..)?.first_chunk()?).into()),
        127 => Some(u64::from_be_bytes(*header.get(2..)?.first_chunk()?)),
        short => Some(short.into()),
    }
}

fn read_in_pieces(input: &[u8], random: &mut Rng) -> (Vec<Inbound>, Option<FrameError>) {
    let mut reader = FrameReader::new(LIMIT);
    let (mut messages, mut rest, mut error) = (Vec::new(), input, None);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(random.usize(..rest.len().min(60)) + 1);
        reader.push(Bytes::copy_from_slice(chunk));
        let (more, fault) = drain(&mut reader);
        messages.extend(more);
        (rest, error) = (after, fault);
    }
    (messages, error)
}

/// A conversation with rare frames: with lengths that could be shorter or are too long, and without
/// masks.
fn varied(random: &mut Rng) -> Vec<u8> {
    let mut out = if one_in(random, 2) { Vec::new() } else { whole(random) };
    if one_in(random, 2) {
        let payload = "ü€".repeat(random.usize(..20));
        let first = [0x81, 0x82, 0x01, 0x02, 0x80, 0x88, 0x89, 0x8A][random.usize(..8)];
        let mut odd = vec![first];
        let mask = if one_in(random, 12) { 0 } else { 0x80 };
        let length = match random.usize(..12) {
            0 => random.u64(..),
            1 => random.u64(..) >> random.usize(..60),
            _ => payload.len() as u64,
        };
        if one_in(random, 2) {
            odd.push(mask | 126);
            odd.extend((length as u16).to_be_bytes());
        } else {
            odd.push(mask | 127);
            odd.extend(length.to_be_bytes());
        }
        odd.extend([0; 4]);
        odd.extend(payload.bytes());
        out.extend(odd);
    }
    out.extend(conversation(random));
    out
}

/// Frames without a fault.
fn whole(random: &mut Rng) -> Vec<u8> {
    let parts = [
        frame(0x01, "ä".as_bytes()),
        frame(0x89, b"?"),
        frame(0x00, b"\xc3"),
        frame(0x8A, b""),
        frame(0x80, b"\xa4"),
        frame(0x82, &[0xff; 130]),
        frame(0x02, b""),
        frame(0x80, b"\0"),
    ];
    parts[..[0, 5, 6, 8][random.usize(..4)]].concat()
}
