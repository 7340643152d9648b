//! Reads the fields of a line from left to right.

use crate::{Limits, ProtocolError};

/// The unread rest of a line; `None` at its end.
pub(crate) struct Scanner<'a>(Option<&'a str>);

impl<'a> Scanner<'a> {
    /// Starts after the first field, and returns that field.
    pub(crate) fn new(line: &'a str) -> (&'a str, Self) {
        let (first, rest) = split(line);
        (first, Self(rest))
    }

    /// The next field; an error at the end of the line.
    pub(crate) fn field(&mut self, missing: &'static str) -> Result<&'a str, ProtocolError> {
        let (field, rest) = split(self.0.ok_or(ProtocolError::Malformed(missing))?);
        self.0 = rest;
        Ok(field)
    }

    /// The next field as a name: 1 to 128 bytes.
    pub(crate) fn name(&mut self) -> Result<&'a str, ProtocolError> {
        let name = self.field("the name is missing")?;
        match name.len() {
            0 => Err(ProtocolError::Malformed("the name is empty")),
            1..=Limits::NAME => Ok(name),
            _ => Err(ProtocolError::Malformed("the name is longer than 128 bytes")),
        }
    }

    /// The next field as a number.
    pub(crate) fn number(&mut self) -> Result<u64, ProtocolError> {
        number(self.field("the number is missing")?)
    }

    /// The next `key=value`, or `None` when a payload follows, or nothing.
    pub(crate) fn key_value(&mut self) -> Option<(&'a str, &'a str)> {
        let (field, rest) = split(self.0?);
        let pair = cut(field, b'=')
            .filter(|(key, _)| key.starts_with(|c: char| c.is_ascii_lowercase()))?;
        self.0 = rest;
        Some(pair)
    }

    /// The rest of the line, usually a JSON payload; `None` at its end.
    pub(crate) const fn rest(&self) -> Option<&'a str> {
        self.0
    }

    /// Checks that the line has ended.
    pub(crate) fn end(self) -> Result<(), ProtocolError> {
        self.0
            .map_or(Ok(()), |_| Err(ProtocolError::Malformed("more follows than the type allows")))
    }
}

/// Parses a decimal number as the protocol writes it: no sign, no leading zero, at most 2^53 - 1.
pub(crate) fn number(text: &str) -> Result<u64, ProtocolError> {
    let zero_leads = text.len() > 1 && text.starts_with('0');
    let digits = |value: Option<u64>, digit: u8| match digit {
        b'0'..=b'9' => value.map(|value| value * 10 + u64::from(digit - b'0')),
        _ => None,
    };
    let fits = (1..=LONGEST).contains(&text.len()) && !zero_leads;
    match text.bytes().fold(fits.then_some(0), digits) {
        Some(number @ 0..=Limits::NUMBER) => Ok(number),
        _ => Err(ProtocolError::Malformed("not a number from 0 to 2^53-1 in plain decimals")),
    }
}

/// Parses the number of a tracked packet, at least 1.
pub(crate) fn position(text: &str) -> Result<u64, ProtocolError> {
    match number(text)? {
        0 => Err(ProtocolError::Malformed("the next number is at least 1")),
        next => Ok(next),
    }
}

/// The text before the first space, and the text after it.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    cut(text, b' ').map_or((text, None), |(first, rest)| (first, Some(rest)))
}

/// The text before the first occurrence of this ASCII character, and the text after it. The
/// standard library's search accepts any pattern, and its code is large.
pub(crate) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// True if the text contains a byte that no line may contain. There is no early exit, so that the
/// compiler can compare many bytes at once.
#[inline]
pub(crate) fn has_control_characters(text: &[u8]) -> bool {
    text.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < 0x20
}

/// Digits of the largest number.
const LONGEST: usize = Limits::NUMBER.ilog10() as usize + 1;
