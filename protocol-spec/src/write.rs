//! Writes the fields of a line from left to right.
//!
//! Numbers are written without `core::fmt`: lines need no padding and no alternative forms, and
//! that code would be a tenth of the browser client.

use std::fmt;

use crate::scan::has_control_characters;

/// Writes a word and, directly after it, a number in decimal.
pub(crate) fn put_number(out: &mut impl fmt::Write, word: &str, number: u64) -> fmt::Result {
    out.write_str(word)?;
    let mut digits = [0; DIGITS];
    let digits = digits_of(number, &mut digits);
    digits.iter().try_for_each(|&digit| out.write_char(char::from(digit)))
}

/// Writes a number in decimal, into a buffer with room for any number.
pub(crate) fn digits_of(number: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let (mut at, mut left) = (DIGITS - 1, number);
    loop {
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 || at == 0 {
            break;
        }
        at -= 1;
    }
    &digits[at..]
}

/// Writes the payload at the end of a line, if there is one.
pub(crate) fn put_payload(json: &str, out: &mut impl fmt::Write) -> fmt::Result {
    if json.is_empty() {
        return Ok(());
    }
    put_line(json, out)
}

/// Writes a text that must stay on its line; fails if it does not.
pub(crate) fn put_line(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    if has_control_characters(text.as_bytes()) {
        return Err(fmt::Error);
    }
    out.write_char(' ')?;
    out.write_str(text)
}

/// The field for an empty binary payload on a text carrier.
pub(crate) const NO_BYTES: &str = "-";
/// Digits of the largest number.
pub(crate) const DIGITS: usize = u64::MAX.ilog10() as usize + 1;

#[cfg(test)]
mod tests {
    use super::put_number;

    #[test]
    fn numbers_are_plain_decimals() {
        for number in [0, 9, 10, 1_000_200, u64::MAX] {
            let mut out = String::new();
            put_number(&mut out, "c ", number).unwrap();
            assert_eq!(out, format!("c {number}"));
        }
    }
}
