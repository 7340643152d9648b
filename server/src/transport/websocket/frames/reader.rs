//! Assembles the frames of a client into messages.

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::{
    FIN, FrameError, LENGTH, LENGTH_16, LENGTH_64, MASKED, MAX_CONTROL, OPCODE, Opcode, RESERVED,
};

/// Turns the bytes of a client into messages, in order, and refuses what violates RFC 6455.
///
/// Call [`Self::next_message`] until it has no more after every [`Self::push`]: then the reader
/// holds at most one incomplete frame and one incomplete message, together no more than the limit
/// (and no more than about twice what was really received). Between messages it holds no memory at
/// all.
pub(crate) struct FrameReader {
    max_message: usize,
    /// The bytes that were received and not read yet: between calls none, or the beginning of a
    /// frame.
    input: Input,
    /// The fragments so far. Boxed, because it is rarely there.
    fragments: Option<Box<Fragments>>,
    phase: Phase,
}

/// What a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inbound {
    Text(ByteString),
    Binary(Bytes),
    /// Requires a pong with the same bytes.
    Ping(Bytes),
    Pong,
    /// The code, if the client named one. Nothing comes after it.
    Close(Option<u16>),
}

impl FrameReader {
    /// A reader that accepts messages of at most `max_message` bytes.
    pub(crate) fn new(max_message: usize) -> Self {
        Self { max_message, input: Input::default(), fragments: None, phase: Phase::Open }
    }

    /// Adds the bytes that were received next.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if self.phase != Phase::Open {
            return;
        }
        match &mut self.input {
            Input::Shared(unread) if unread.is_empty() => self.input = Input::Shared(chunk),
            Input::Shared(unread) => {
                let mut input = BytesMut::with_capacity(unread.len() + chunk.len());
                input.extend_from_slice(unread);
                input.extend_from_slice(&chunk);
                self.input = Input::Own(input);
            }
            Input::Own(input) => input.extend_from_slice(&chunk),
        }
    }

    /// The bytes that were received after the last message.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.input
    }

    /// True if there is nothing to read until more bytes are pushed.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Open && self.input.is_empty()
    }

    /// True if a message has begun and not ended.
    pub(crate) const fn has_fragments(&self) -> bool {
        self.fragments.is_some()
    }

    /// The next whole message, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// The fault of the client, after every message before it, and again at every later call.
    pub(crate) fn next_message(&mut self) -> Result<Option<Inbound>, FrameError> {
        loop {
            match self.phase {
                Phase::Open => {}
                Phase::Closed => return Ok(None),
                Phase::Failed(error) => return Err(error),
            }
            match self.next_frame() {
                Ok(None) => return Ok(None),
                Ok(Some(Step::Fragment)) => {}
                Ok(Some(Step::Message(message))) => {
                    if matches!(message, Inbound::Close(_)) {
                        self.end(Phase::Closed);
                    }
                    return Ok(Some(message));
                }
                Err(error) => self.end(Phase::Failed(error)),
            }
        }
    }

    fn next_frame(&mut self) -> Result<Option<Step>, FrameError> {
        let Some((header, payload)) = self.take_frame()? else {
            self.input.own();
            return Ok(None);
        };
        match header.opcode {
            Opcode::Close => close(&payload).map(Inbound::Close),
            Opcode::Ping => Ok(Inbound::Ping(payload)),
            Opcode::Pong => Ok(Inbound::Pong),
            opcode if header.fin && self.fragments.is_none() => {
                message(opcode == Opcode::Text, payload)
            }
            opcode => return self.add_fragment(opcode, header.fin, &payload).map(Some),
        }
        .map(|message| Some(Step::Message(message)))
    }

    /// Cuts a whole frame from the input and unmasks its payload.
    fn take_frame(&mut self) -> Result<Option<(Header, Bytes)>, FrameError> {
        let Some(header) = Header::read(&self.input, self.fragments.as_deref(), self.max_message)?
        else {
            return Ok(None);
        };
        if self.input.len() - header.size < header.length {
            return Ok(None);
        }
        let payload = self.input.take(&header);
        Ok(Some((header, payload)))
    }

    fn add_fragment(
        &mut self,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
    ) -> Result<Step, FrameError> {
        let text = opcode == Opcode::Text;
        let fragments = self.fragments.get_or_insert_with(|| Box::new(Fragments::new(text)));
        fragments.add(payload)?;
        if !fin {
            return Ok(Step::Fragment);
        }
        let whole = self.fragments.take().expect("a fragment was just added");
        message(whole.text, whole.data.freeze()).map(Step::Message)
    }

    /// Bytes of memory that the reader keeps alive, as far as it can know.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let fragments = self.fragments.as_ref().map_or(0, |begun| begun.data.capacity());
        self.input.held() + fragments
    }

    fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.input = Input::default();
        self.fragments = None;
    }
}

/// Bytes that were received.
enum Input {
    /// A chunk whose buffer another owner may still use. A frame is copied while it is unmasked.
    Shared(Bytes),
    /// Bytes that arrived in more than one chunk. A frame is unmasked in place.
    Own(BytesMut),
}

impl Input {
    /// Removes the next frame, which has arrived completely, and unmasks its payload.
    fn take(&mut self, header: &Header) -> Bytes {
        let size = header.size + header.length;
        match self {
            Self::Shared(chunk) => {
                let payload = unmasked(&chunk[header.size..size], header.key);
                chunk.advance(size);
                // An empty rest must not keep the chunk in memory.
                if chunk.is_empty() {
                    *self = Self::default();
                }
                payload
            }
            Self::Own(input) => {
                let mut payload = input.split_to(size);
                payload.advance(header.size);
                unmask(&mut payload, header.key);
                // From here on the buffer is the payload's as well.
                let rest = std::mem::take(input).freeze();
                *self = if rest.is_empty() { Self::default() } else { Self::Shared(rest) };
                payload.freeze()
            }
        }
    }

    /// Moves an incomplete frame to a buffer of its own: one byte must not keep a large chunk
    /// alive.
    fn own(&mut self) {
        match self {
            Self::Shared(rest) if rest.is_empty() => {}
            Self::Shared(rest) => *self = Self::Own(BytesMut::from(&**rest)),
            Self::Own(_) => {}
        }
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        match self {
            Self::Shared(chunk) => chunk.len(),
            Self::Own(input) => input.capacity(),
        }
    }
}

impl Default for Input {
    fn default() -> Self {
        Self::Shared(Bytes::new())
    }
}

impl std::ops::Deref for Input {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Shared(chunk) => chunk,
            Self::Own(input) => input,
        }
    }
}

/// The phase of the conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
    Failed(FrameError),
}

/// The result of one frame.
enum Step {
    Fragment,
    Message(Inbound),
}

/// A message that has begun and not ended.
struct Fragments {
    text: bool,
    count: usize,
    data: BytesMut,
    /// The bytes of a text that are known to be complete characters.
    checked: usize,
}

impl Fragments {
    fn new(text: bool) -> Self {
        Self { text, count: 0, data: BytesMut::new(), checked: 0 }
    }

    fn add(&mut self, payload: &[u8]) -> Result<(), FrameError> {
        self.count += 1;
        self.data.extend_from_slice(payload);
        if self.text { self.check() } else { Ok(()) }
    }

    /// Refuses bytes that no continuation can make valid text. The last character may still be
    /// incomplete.
    fn check(&mut self) -> Result<(), FrameError> {
        match std::str::from_utf8(&self.data[self.checked..]) {
            Ok(_) => self.checked = self.data.len(),
            Err(error) if error.error_len().is_some() => return Err(FrameError::TextNotUtf8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }
}

/// The header of a frame that is allowed here and within the limits.
struct Header {
    fin: bool,
    opcode: Opcode,
    length: usize,
    key: [u8; 4],
    /// Bytes of the header itself.
    size: usize,
}

impl Header {
    /// `None` while it is incomplete. Every byte is checked as soon as it arrives, so the reader
    /// neither waits for nor keeps what follows a wrong one.
    fn read(
        input: &[u8],
        begun: Option<&Fragments>,
        max_message: usize,
    ) -> Result<Option<Self>, FrameError> {
        let Some(&first) = input.first() else { return Ok(None) };
        let (fin, opcode) = (first & FIN != 0, opcode(first, begun)?);
        let Some(&second) = input.get(1) else { return Ok(None) };
        check_second(second, opcode)?;
        let Some((length, at)) = length(input, second)? else { return Ok(None) };
        if !opcode.is_control() {
            let before = begun.map_or(0, |fragments| fragments.data.len());
            if length > (max_message - before) as u64 {
                return Err(FrameError::TooLarge);
            }
        }
        let Some(&key) = input[at..].first_chunk() else { return Ok(None) };
        Ok(Some(Self { fin, opcode, length: length as usize, key, size: at + key.len() }))
    }
}

fn opcode(first: u8, begun: Option<&Fragments>) -> Result<Opcode, FrameError> {
    if first & RESERVED != 0 {
        return Err(FrameError::ReservedBits);
    }
    let opcode = Opcode::from_bits(first & OPCODE).ok_or(FrameError::UnknownOpcode)?;
    match (opcode, begun) {
        _ if opcode.is_control() => {
            if first & FIN == 0 {
                return Err(FrameError::FragmentedControl);
            }
        }
        (Opcode::Continuation, None) => return Err(FrameError::NothingToContinue),
        (Opcode::Continuation, Some(fragments)) => {
            if fragments.count == MAX_FRAGMENTS {
                return Err(FrameError::TooManyFragments);
            }
        }
        (_, Some(_)) => return Err(FrameError::UnfinishedMessage),
        (_, None) => {}
    }
    Ok(opcode)
}

fn check_second(second: u8, opcode: Opcode) -> Result<(), FrameError> {
    if second & MASKED == 0 {
        return Err(FrameError::Unmasked);
    }
    if opcode.is_control() && usize::from(second & LENGTH) > MAX_CONTROL {
        return Err(FrameError::LongControl);
    }
    Ok(())
}

/// The length of the payload and where the masking key begins.
fn length(input: &[u8], second: u8) -> Result<Option<(u64, usize)>, FrameError> {
    let rest = &input[2..];
    Ok(match second & LENGTH {
        LENGTH_16 => rest.first_chunk().map(|bytes| (u16::from_be_bytes(*bytes).into(), 4)),
        LENGTH_64 => {
            if rest.first().is_some_and(|top| top & 0x80 != 0) {
                return Err(FrameError::LengthTopBit);
            }
            rest.first_chunk().map(|bytes| (u64::from_be_bytes(*bytes), 10))
        }
        short => Some((short.into(), 2)),
    })
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let wide = wide(key);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// Like [`unmask`], into a buffer of its own.
fn unmasked(payload: &[u8], key: [u8; 4]) -> Bytes {
    let wide = wide(key);
    let (words, rest) = payload.as_chunks();
    let mut last = [0; WORD];
    last[..rest.len()].copy_from_slice(rest);
    // The padding of the last word is removed below.
    let words = words.iter().chain((!rest.is_empty()).then_some(&last));
    let mut unmasked = Vec::with_capacity(payload.len().div_ceil(WORD));
    unmasked.extend(words.map(|word| (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes()));
    let mut unmasked = unmasked.into_flattened();
    unmasked.truncate(payload.len());
    unmasked.into()
}

/// A masking key, as often as it fits into a word.
fn wide([a, b, c, d]: [u8; 4]) -> u64 {
    u64::from_ne_bytes([a, b, c, d, a, b, c, d])
}

const WORD: usize = size_of::<u64>();

fn message(text: bool, payload: Bytes) -> Result<Inbound, FrameError> {
    if text {
        let text = ByteString::try_from(payload).map_err(|_| FrameError::TextNotUtf8)?;
        Ok(Inbound::Text(text))
    } else {
        Ok(Inbound::Binary(payload))
    }
}

fn close(payload: &[u8]) -> Result<Option<u16>, FrameError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(FrameError::ShortClose) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(FrameError::CloseCode);
    }
    std::str::from_utf8(reason).map_err(|_| FrameError::ReasonNotUtf8)?;
    Ok(Some(code))
}

/// The most fragments of one message. An empty fragment adds no bytes, so with a limit on bytes
/// alone a client could keep the server busy with one message forever.
pub(super) const MAX_FRAGMENTS: usize = 1024;
