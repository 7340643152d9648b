//! Base64 as the protocol needs it: RFC 4648 section 4 with padding for payloads, section 5 without
//! padding for tokens.
//!
//! Written here and not taken from a crate because it is part of the wire, stays a few hundred bytes
//! in the browser build, and must refuse every second spelling of the same bytes.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Appends the standard, padded form.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let full = bytes.len() / 3 * 3;
    out.reserve(bytes.len().div_ceil(3) * 4);
    push_groups(&bytes[..full], STANDARD, out);
    if full < bytes.len() {
        push_groups(&bytes[full..], STANDARD, out);
        out.resize(out.len() + full + 3 - bytes.len(), b'=');
    }
}

/// The URL-safe form without padding.
pub(crate) fn encode_url(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    push_groups(bytes, URL_SAFE, &mut out);
    String::from_utf8(out).expect("the alphabet is ASCII")
}

/// Reads the standard, padded form. `None` for anything that [`encode`] does not write.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').take(2).count();
    read_groups(&text[..text.len() - padding], b'+', b'/')
}

/// Reads the URL-safe form without padding into exactly `N` bytes.
pub(crate) fn decode_url<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    read_groups(text, b'-', b'_')?.try_into().ok()
}

fn push_groups(bytes: &[u8], alphabet: &[u8; 64], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        let word = word << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            out.push(alphabet[(word >> (18 - 6 * place)) as usize & 63]);
        }
    }
}

fn read_groups(text: &[u8], sixty_two: u8, sixty_three: u8) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.chunks(4) {
        let mut word = 0u32;
        for &byte in group {
            word = word << 6 | value(byte, sixty_two, sixty_three)?;
        }
        let bytes = group.len() * 6 / 8;
        let spare = group.len() * 6 - bytes * 8;
        // A lone character holds no byte, and spare bits that are set would be a second spelling.
        if bytes == 0 || word & ((1 << spare) - 1) != 0 {
            return None;
        }
        word >>= spare;
        out.extend((0..bytes).rev().map(|place| (word >> (8 * place)) as u8));
    }
    Some(out)
}

fn value(byte: u8, sixty_two: u8, sixty_three: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        _ if byte == sixty_two => 62,
        _ if byte == sixty_three => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_url, encode, encode_url};

    fn encoded(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        encode(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_examples_of_rfc_4648_section_10_round_trip() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encoded(plain.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn the_padding_does_not_depend_on_what_stands_before() {
        for before in ["", "E", "E a", "E ab "] {
            let mut out = before.as_bytes().to_vec();
            encode(b"f", &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{before}Zg=="));
        }
    }

    #[test]
    fn a_second_spelling_of_the_same_bytes_is_refused() {
        for text in
            ["Zh==", "Zm9=", "Zg", "Zg=", "Zg===", "====", "A===", "Zm 9v", "Zm9v\n", "_-8="]
        {
            assert_eq!(decode(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn tokens_round_trip_at_their_exact_length_only() {
        let bytes: [u8; 16] = std::array::from_fn(|place| (place * 37 + 251) as u8);
        let text = encode_url(&bytes);
        assert_eq!(text.len(), 22);
        assert_eq!(decode_url::<16>(text.as_bytes()), Some(bytes));
        assert_eq!(decode_url::<16>(&text.as_bytes()[1..]), None);
        assert_eq!(decode_url::<12>(text.as_bytes()), None);
    }
}
