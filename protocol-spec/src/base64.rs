//! Base64 as the protocol uses it: RFC 4648 section 4 with padding for payloads, section 5 without
//! padding for tokens.
//!
//! This crate has its own implementation because the wire format depends on every detail: the
//! decoder refuses every second spelling of the same bytes, and the code takes a few hundred bytes
//! in the browser build.

use std::fmt;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Appends the standard, padded form.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let end = out.len() + bytes.len().div_ceil(3) * 4;
    out.reserve(end - out.len());
    push(bytes, STANDARD, |digit| out.push(digit));
    out.resize(end, b'=');
}

/// Writes the URL-safe form without padding.
pub(crate) fn write_url(bytes: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut written = Ok(());
    push(bytes, URL_SAFE, |digit| written = written.and_then(|()| out.write_char(digit.into())));
    written
}

/// Reads the standard, padded form. `None` for anything that [`encode`] does not write.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').take(2).count();
    let text = &text[..text.len() - padding];
    let mut out = vec![0; text.len() * 3 / 4];
    read(text, *b"+/", &mut out).then_some(out)
}

/// Reads the URL-safe form without padding into exactly `N` bytes.
pub(crate) fn decode_url<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    read(text.as_bytes(), *b"-_", &mut out).then_some(out)
}

/// Passes on six bits at a time; zeros fill the last digit.
fn push(bytes: &[u8], alphabet: &[u8; 64], mut digit: impl FnMut(u8)) {
    let (mut word, mut bits) = (0_u32, 0);
    for &byte in bytes {
        word = word << 8 | u32::from(byte);
        bits += 8;
        while bits >= 6 {
            bits -= 6;
            digit(alphabet[(word >> bits) as usize & 63]);
        }
    }
    if bits > 0 {
        digit(alphabet[(word << (6 - bits)) as usize & 63]);
    }
}

/// Fills `out`. Returns false when the text holds more or fewer bytes, another character, or spare
/// bits that are set: those would be a second spelling of the same bytes.
fn read(text: &[u8], last: [u8; 2], out: &mut [u8]) -> bool {
    if text.len() != (out.len() * 4).div_ceil(3) {
        return false;
    }
    let (mut word, mut bits) = (0_u32, 0);
    let mut free = out.iter_mut();
    for &byte in text {
        let Some(digit) = value(byte, last) else { return false };
        word = word << 6 | digit;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            if let Some(place) = free.next() {
                *place = (word >> bits) as u8;
            }
        }
    }
    word & ((1 << bits) - 1) == 0
}

fn value(byte: u8, last: [u8; 2]) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        _ if byte == last[0] => 62,
        _ if byte == last[1] => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_url, encode, write_url};

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
    fn padding_does_not_depend_on_what_stands_before() {
        for before in ["", "E", "E ", "E x"] {
            let mut out = before.as_bytes().to_vec();
            encode(b"foob", &mut out);
            assert_eq!(out, [before.as_bytes(), b"Zm9vYg=="].concat());
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
        let mut text = String::new();
        write_url(&bytes, &mut text).unwrap();
        assert_eq!(text.len(), 22);
        assert_eq!(decode_url::<16>(&text), Some(bytes));
        assert_eq!(decode_url::<16>(&text[1..]), None);
        assert_eq!(decode_url::<12>(&text), None);
    }
}
