//! The format of a file of stored sessions. Numbers are big-endian.
//!
//! ```text
//! header   "BOWLINE\n" version(2) length(2) | written(8) sessions(4) application | check(4)
//! record   kind(1) length(4) check-of-content(4) check-of-these-9-bytes(4) | content
//! ```
//!
//! The header is the same in all versions, so every build can report what it cannot read. `written`
//! is in milliseconds since 1970; `sessions` is how many there are at most. Each record has its own
//! checks (CRC-32): a reader skips a damaged one, and continues after it if its length is intact.
//! The last record states that the file is complete.

use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// The version that this build writes and reads.
pub(crate) const VERSION: u16 = 1;

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u16,
    /// Milliseconds since 1970.
    pub(crate) written: u64,
    /// The most sessions in the file.
    pub(crate) sessions: u32,
    pub(crate) application: String,
}

/// The end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) sessions: u32,
    /// The application emitted something to sessions that had been removed already.
    pub(crate) has_missed: bool,
}

/// The next item of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A session as it was when its process ended.
    Session(Bytes),
    /// A session as it was some time before: its client may know more.
    Stale(Bytes),
    /// A record that is damaged.
    Damaged,
    /// The end; `None` if the file is cut, or damaged so that later records cannot be found.
    End(Option<End>),
}

/// Why a file cannot be read at all.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Io(io::Error),
    /// It does not begin like such a file.
    Foreign,
    /// The header is damaged.
    Damaged,
}

/// Writes a file.
pub(crate) struct Writer<W> {
    out: W,
    bytes: u64,
    sessions: u32,
}

/// Reads a file.
pub(crate) struct Reader<R> {
    from: R,
}

impl Header {
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<u64> {
        let mut bytes = MAGIC.to_vec();
        let length = u16::try_from(FIXED + self.application.len()).map_err(io::Error::other)?;
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.written.to_be_bytes());
        bytes.extend(self.sessions.to_be_bytes());
        bytes.extend(self.application.as_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        out.write_all(&bytes)?;
        Ok(bytes.len() as u64)
    }

    fn read(from: &mut impl Read) -> Result<Self, Unreadable> {
        let mut bytes = vec![0; MAGIC.len() + 4];
        from.read_exact(&mut bytes).map_err(cut)?;
        if bytes[..MAGIC.len()] != MAGIC {
            return Err(Unreadable::Foreign);
        }
        let version = u16::from_be_bytes([bytes[8], bytes[9]]);
        let length = usize::from(u16::from_be_bytes([bytes[10], bytes[11]]));
        let begin = bytes.len();
        bytes.resize(begin + length + 4, 0);
        from.read_exact(&mut bytes[begin..]).map_err(cut)?;
        let (checked, check) = bytes.split_at(begin + length);
        let body = &checked[begin..];
        if crc32fast::hash(checked).to_be_bytes() != check || body.len() < FIXED {
            return Err(Unreadable::Damaged);
        }
        let (written, rest) = body.split_at(8);
        let (sessions, application) = rest.split_at(4);
        Ok(Self {
            version,
            written: written.try_into().map_or(0, u64::from_be_bytes),
            sessions: sessions.try_into().map_or(0, u32::from_be_bytes),
            application: String::from_utf8_lossy(application).into_owned(),
        })
    }
}

impl<W: Write> Writer<W> {
    pub(crate) fn begin(mut out: W, header: &Header) -> io::Result<Self> {
        let bytes = header.write(&mut out)?;
        Ok(Self { out, bytes, sessions: 0 })
    }

    pub(crate) fn session(&mut self, content: &[u8], is_stale: bool) -> io::Result<()> {
        self.sessions += 1;
        self.record(if is_stale { STALE } else { SESSION }, content)
    }

    pub(crate) fn end(mut self, has_missed: bool) -> io::Result<W> {
        let mut content = self.sessions.to_be_bytes().to_vec();
        content.push(u8::from(has_missed));
        self.record(END, &content)?;
        Ok(self.out)
    }

    /// Bytes written so far.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) const fn sessions(&self) -> u32 {
        self.sessions
    }

    fn record(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let mut head = vec![kind];
        head.extend(u32::try_from(content.len()).map_err(io::Error::other)?.to_be_bytes());
        head.extend(crc32fast::hash(content).to_be_bytes());
        head.extend(crc32fast::hash(&head).to_be_bytes());
        self.bytes += (head.len() + content.len()) as u64;
        self.out.write_all(&head)?;
        self.out.write_all(content)
    }
}

impl<R: Read> Reader<R> {
    pub(crate) fn open(mut from: R) -> Result<(Header, Self), Unreadable> {
        let header = Header::read(&mut from)?;
        Ok((header, Self { from }))
    }

    /// The next item. Nothing follows an end.
    pub(crate) fn next(&mut self) -> Item {
        loop {
            let mut head = [0; HEAD];
            let Ok(()) = self.from.read_exact(&mut head) else { return Item::End(None) };
            let word = |at: usize| {
                u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
            };
            if crc32fast::hash(&head[..9]) != word(9) {
                return Item::End(None);
            }
            let Some(content) = self.content(word(1)) else { return Item::End(None) };
            if crc32fast::hash(&content) != word(5) {
                return Item::Damaged;
            }
            match (head[0], &content[..]) {
                (SESSION, _) => return Item::Session(content.into()),
                (STALE, _) => return Item::Stale(content.into()),
                (END, [a, b, c, d, missed]) => {
                    let sessions = u32::from_be_bytes([*a, *b, *c, *d]);
                    return Item::End(Some(End { sessions, has_missed: *missed != 0 }));
                }
                // A record of a later build of the same version.
                _ => {}
            }
        }
    }

    /// Allocates for the bytes that exist, not for the length that the file states.
    fn content(&mut self, length: u32) -> Option<Vec<u8>> {
        let length = u64::from(length);
        let mut content = Vec::with_capacity(usize::try_from(length.min(EXPECTED)).ok()?);
        self.from.by_ref().take(length).read_to_end(&mut content).ok()?;
        (content.len() as u64 == length).then_some(content)
    }
}

/// Milliseconds since 1970.
pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn cut(error: io::Error) -> Unreadable {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Unreadable::Damaged,
        _ => Unreadable::Io(error),
    }
}

const MAGIC: [u8; 8] = *b"BOWLINE\n";
/// The bytes of a header's body before the application.
const FIXED: usize = 12;
/// The bytes before the content of a record.
const HEAD: usize = 13;
/// The buffer of a record that states more than this grows while it is read.
const EXPECTED: u64 = 1024 * 1024;

const SESSION: u8 = 1;
const END: u8 = 2;
/// Builds without checkpoints skip these records as unknown.
const STALE: u8 = 3;

#[cfg(test)]
mod tests {
    use super::{End, Header, Item, Reader, Unreadable, VERSION, Writer};

    fn header() -> Header {
        let application = "/bowline".to_owned();
        Header { version: VERSION, written: 1_700_000_000_000, sessions: 3, application }
    }

    fn file() -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), &header()).unwrap();
        for content in [&b"one"[..], b"", b"three"] {
            writer.session(content, false).unwrap();
        }
        writer.end(true).unwrap()
    }

    fn read(file: &[u8]) -> Vec<Item> {
        let Ok((_, mut reader)) = Reader::open(file) else { return Vec::new() };
        let mut items = Vec::new();
        loop {
            items.push(reader.next());
            if let Some(Item::End(_)) = items.last() {
                return items;
            }
        }
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let file = file();
        assert_eq!(Reader::open(&file[..]).unwrap().0, header());
        let session = |content: &'static [u8]| Item::Session(content.into());
        let end = Item::End(Some(End { sessions: 3, has_missed: true }));
        assert_eq!(read(&file), [session(b"one"), session(b""), session(b"three"), end]);
        assert!(matches!(Reader::open(&b"#!/bin/sh\necho"[..]), Err(Unreadable::Foreign)));
    }

    #[test]
    fn after_any_damage_a_record_is_exact_or_absent() {
        let (file, whole) = (file(), read(&file()));
        for end in 0..file.len() {
            let items = read(&file[..end]);
            let records = items.len().saturating_sub(1);
            assert_eq!(items[..records], whole[..records], "cut at {end}");
            assert!(items.last().is_none_or(|last| *last == Item::End(None)), "cut at {end}");
        }
        for bit in 0..file.len() * 8 {
            let mut broken = file.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let items = read(&broken);
            assert_ne!(items, whole, "bit {bit}");
            let known = |item: &Item| {
                whole.contains(item) || matches!(item, Item::Damaged | Item::End(None))
            };
            assert!(items.iter().all(known), "bit {bit}: {items:?}");
        }
    }
}
