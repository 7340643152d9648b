//! Random conversations, valid and broken, against a decoder that is slow and plain.

use bytes::Bytes;
use fastrand::Rng;

use super::super::{FrameError, FrameReader, Inbound};
use super::{drain, frame};

pub(super) const LIMIT: usize = 400;

#[test]
fn random_conversations_read_as_the_plain_decoder_reads_them() {
    let (mut whole, mut failed, mut closed) = (0, 0, 0);
    for seed in 0..20_000 {
        let mut random = Rng::with_seed(seed);
        let input = conversation(&mut random);
        let mut reader = FrameReader::new(LIMIT);
        let (mut messages, mut error) = (Vec::new(), None);
        let mut rest = &input[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(random.usize(..rest.len().min(90)) + 1);
            let chunk = Bytes::copy_from_slice(chunk);
            // Sometimes another owner holds the chunk, so that the reader has to copy it.
            let _other = one_in(&mut random, 3).then(|| chunk.clone());
            reader.push(chunk);
            let (more, fault) = drain(&mut reader);
            messages.extend(more);
            error = fault;
            rest = after;
        }
        let expected = Plain::new(&input).decode();
        assert_eq!((&messages, error), (&expected.0, expected.1), "seed {seed}");
        match error {
            Some(_) => failed += 1,
            None if matches!(messages.last(), Some(Inbound::Close(_))) => closed += 1,
            None => whole += 1,
        }
    }
    // Otherwise the generator no longer covers what it has to cover.
    assert!(whole.min(failed).min(closed) > 500, "{whole} {failed} {closed}");
}

/// Frames that mostly follow the rules, sometimes with a changed byte or a missing end.
pub(super) fn conversation(random: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    let mut open = false;
    for _ in 0..=random.usize(..10) {
        let first = match random.usize(..12) {
            0 => 0x89,
            1 => 0x8A,
            2 if one_in(random, 3) => 0x88,
            3 if one_in(random, 6) => random.u64(..) as u8,
            _ => {
                let fin = !one_in(random, 3);
                let kind = if open { 0 } else { random.usize(..2) as u8 + 1 };
                open = !fin;
                if fin { 0x80 | kind } else { kind }
            }
        };
        out.extend(frame(first, &payload(first, random)));
    }
    if one_in(random, 4) {
        let at = random.usize(..out.len());
        out[at] ^= 1 << random.usize(..8);
    }
    if one_in(random, 4) {
        out.truncate(random.usize(..out.len()) + 1);
    }
    out
}

fn payload(first: u8, random: &mut Rng) -> Vec<u8> {
    if first == 0x88 {
        let code = if one_in(random, 3) { random.usize(..5100) } else { 1000 } as u16;
        let close = [&code.to_be_bytes()[..], "tschüß".as_bytes()].concat();
        return close[..random.usize(..=close.len())].to_vec();
    }
    let longest = if first & 8 != 0 || one_in(random, 2) { 20 } else { 300 };
    let length = random.usize(..longest);
    let text = "a\u{fc}\u{20ac}\u{1F980}".repeat(30);
    let bytes = text.as_bytes();
    if one_in(random, 2) {
        return text.chars().take(length).collect::<String>().into_bytes();
    }
    let from = random.usize(..bytes.len());
    bytes[from..(from + length).min(bytes.len())].to_vec()
}

/// Reads a byte at a time, keeps everything, and decides in the order of the RFC's text.
struct Plain<'a> {
    input: &'a [u8],
    at: usize,
    messages: Vec<Inbound>,
    fragments: Vec<Vec<u8>>,
    kind: u8,
}

/// Why the decoder stopped.
enum Stop {
    NeedsMore,
    Closed,
    Failed(FrameError),
}

impl<'a> Plain<'a> {
    fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0, messages: Vec::new(), fragments: Vec::new(), kind: 0 }
    }

    fn decode(mut self) -> (Vec<Inbound>, Option<FrameError>) {
        loop {
            match self.frame() {
                Ok(()) => {}
                Err(Stop::NeedsMore | Stop::Closed) => return (self.messages, None),
                Err(Stop::Failed(error)) => return (self.messages, Some(error)),
            }
        }
    }

    fn frame(&mut self) -> Result<(), Stop> {
        let first = self.byte()?;
        let (fin, opcode) = (first >= 128, first % 16);
        let control = opcode >= 8;
        refuse_if(first / 16 % 8 != 0, FrameError::ReservedBits)?;
        refuse_if(![0, 1, 2, 8, 9, 10].contains(&opcode), FrameError::UnknownOpcode)?;
        refuse_if(control && !fin, FrameError::FragmentedControl)?;
        let begun = !self.fragments.is_empty();
        refuse_if(opcode == 0 && !begun, FrameError::NothingToContinue)?;
        refuse_if((opcode == 1 || opcode == 2) && begun, FrameError::UnfinishedMessage)?;
        let second = self.byte()?;
        refuse_if(second < 128, FrameError::Unmasked)?;
        let mut length = u64::from(second % 128);
        refuse_if(control && length > 125, FrameError::LongControl)?;
        if length > 125 {
            let bytes = if length == 126 { 2 } else { 8 };
            length = 0;
            for place in 0..bytes {
                let byte = self.byte()?;
                refuse_if(bytes == 8 && place == 0 && byte >= 128, FrameError::LengthTopBit)?;
                length = length * 256 + u64::from(byte);
            }
        }
        let before: usize = self.fragments.iter().map(Vec::len).sum();
        refuse_if(!control && length + before as u64 > LIMIT as u64, FrameError::TooLarge)?;
        let mut key = [0; 4];
        for byte in &mut key {
            *byte = self.byte()?;
        }
        let mut payload = Vec::new();
        for place in 0..length as usize {
            payload.push(self.byte()? ^ key[place % 4]);
        }
        if control { self.control(opcode, payload) } else { self.data(opcode, fin, payload) }
    }

    fn control(&mut self, opcode: u8, payload: Vec<u8>) -> Result<(), Stop> {
        match opcode {
            9 => self.messages.push(Inbound::Ping(payload.into())),
            10 => self.messages.push(Inbound::Pong),
            _ if payload.is_empty() => {
                self.messages.push(Inbound::Close(None));
                return Err(Stop::Closed);
            }
            _ => {
                refuse_if(payload.len() == 1, FrameError::ShortClose)?;
                let code = u16::from(payload[0]) * 256 + u16::from(payload[1]);
                let valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009].contains(&code)
                    || (1010..1015).contains(&code)
                    || (3000..5000).contains(&code);
                refuse_if(!valid, FrameError::CloseCode)?;
                let reason = String::from_utf8(payload[2..].to_vec());
                refuse_if(reason.is_err(), FrameError::ReasonNotUtf8)?;
                self.messages.push(Inbound::Close(Some(code)));
                return Err(Stop::Closed);
            }
        }
        Ok(())
    }

    fn data(&mut self, opcode: u8, fin: bool, payload: Vec<u8>) -> Result<(), Stop> {
        if opcode != 0 {
            self.kind = opcode;
        }
        self.fragments.push(payload);
        let all = self.fragments.concat();
        if self.kind == 1 {
            let hopeless = String::from_utf8(all.clone())
                .is_err_and(|error| fin || error.utf8_error().error_len().is_some());
            refuse_if(hopeless, FrameError::TextNotUtf8)?;
        }
        if fin {
            self.fragments.clear();
            self.messages.push(match String::from_utf8(all) {
                Ok(text) if self.kind == 1 => Inbound::Text(text.into()),
                Ok(bytes) => Inbound::Binary(bytes.into()),
                Err(error) => Inbound::Binary(error.into_bytes().into()),
            });
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.input.get(self.at).ok_or(Stop::NeedsMore)?;
        self.at += 1;
        Ok(byte)
    }
}

fn refuse_if(wrong: bool, error: FrameError) -> Result<(), Stop> {
    if wrong { Err(Stop::Failed(error)) } else { Ok(()) }
}

/// True in one of so many cases.
pub(super) fn one_in(random: &mut Rng, chances: usize) -> bool {
    random.usize(..chances) == 0
}
