//! Random conversations, valid and broken, against a decoder that is slow and plain.

use bytes::Bytes;

use super::super::{FrameError, FrameReader, Inbound};
use super::{drain, frame};

pub(super) const LIMIT: usize = 400;

#[test]
fn random_conversations_read_as_the_plain_decoder_reads_them() {
    let (mut whole, mut failed, mut closed) = (0, 0, 0);
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let input = conversation(&mut random);
        let mut reader = FrameReader::new(LIMIT);
        let (mut messages, mut error) = (Vec::new(), None);
        let mut rest = &input[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(random.below(rest.len().min(90)) + 1);
            let chunk = Bytes::copy_from_slice(chunk);
            // Held by somebody else, now and then: then it must be copied.
            let _other = random.one_in(3).then(|| chunk.clone());
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
    // Otherwise the generator no longer reaches what it is there for.
    assert!(whole.min(failed).min(closed) > 500, "{whole} {failed} {closed}");
}

/// Frames that mostly follow the rules, sometimes with a changed byte or a missing end.
pub(super) fn conversation(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    let mut open = false;
    for _ in 0..=random.below(10) {
        let first = match random.below(12) {
            0 => 0x89,
            1 => 0x8A,
            2 if random.one_in(3) => 0x88,
            3 if random.one_in(6) => random.next() as u8,
            _ => {
                let fin = !random.one_in(3);
                let kind = if open { 0 } else { random.below(2) as u8 + 1 };
                open = !fin;
                if fin { 0x80 | kind } else { kind }
            }
        };
        out.extend(frame(first, &payload(first, random)));
    }
    if random.one_in(4) {
        let at = random.below(out.len());
        out[at] ^= 1 << random.below(8);
    }
    if random.one_in(4) {
        out.truncate(random.below(out.len()) + 1);
    }
    out
}

fn payload(first: u8, random: &mut Random) -> Vec<u8> {
    if first == 0x88 {
        let code = if random.one_in(3) { random.below(5100) } else { 1000 } as u16;
        let close = [&code.to_be_bytes()[..], "tschüß".as_bytes()].concat();
        return close[..random.below(close.len() + 1)].to_vec();
    }
    let longest = if first & 8 != 0 || random.one_in(2) { 20 } else { 300 };
    let length = random.below(longest);
    let text = "a\u{fc}\u{20ac}\u{1F980}".repeat(30);
    let bytes = text.as_bytes();
    if random.one_in(2) {
        return text.chars().take(length).collect::<String>().into_bytes();
    }
    let from = random.below(bytes.len());
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

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(super) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}
