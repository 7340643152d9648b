//! WebSocket frames, just enough for load.

/// Appends one masked text frame or pong.
pub(crate) fn write(opcode: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(0x80 | opcode);
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(KEY);
    let begin = out.len();
    parts.iter().for_each(|part| out.extend_from_slice(part));
    mask(&mut out[begin..]);
}

fn mask(payload: &mut [u8]) {
    let [a, b, c, d] = KEY;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(KEY.iter().cycle()) {
        *byte ^= key;
    }
}

/// A frame of a server.
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// Bytes that it takes.
    pub(crate) size: usize,
}

/// The first frame of the input, `None` while it is not all there.
pub(crate) fn read(input: &[u8]) -> Option<Frame<'_>> {
    let (&[first, second], rest) = input.split_first_chunk()?;
    let (length, at) = match second {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    let size = at + usize::try_from(length).ok()?;
    Some(Frame { opcode: first & 0x0F, payload: input.get(at..size)?, size })
}

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// Any key will do: masking protects proxies, not peers.
const KEY: [u8; 4] = [0x5A, 0xC3, 0x17, 0x8E];

#[cfg(test)]
mod tests {
    use super::{KEY, TEXT, read, write};

    #[test]
    fn a_frame_that_was_written_is_read_again_once_it_is_whole() {
        for length in [0, 7, 125, 126, 70_000] {
            let payload = vec![b'x'; length];
            let mut bytes = Vec::new();
            write(TEXT, &[&payload[..length / 2], &payload[length / 2..]], &mut bytes);
            // As a server writes it: without the mask.
            let header = bytes.len() - length;
            bytes[header..].iter_mut().zip(KEY.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
            bytes.drain(header - KEY.len()..header);
            bytes[1] &= 0x7F;
            assert!(read(&bytes[..bytes.len() - 1]).is_none());
            let frame = read(&bytes).unwrap();
            assert_eq!((frame.opcode, frame.payload, frame.size), (TEXT, &*payload, bytes.len()));
        }
    }
}
