//! Nanoseconds since the program began, as a number that fits into a message.

use std::sync::LazyLock;
use std::time::Instant;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn now() -> u64 {
    u64::try_from(ORIGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Writes a moment over the first bytes of a payload that has room for it.
pub(crate) fn stamp(payload: &mut [u8], at: u64) {
    if let Some(field) = payload.first_chunk_mut::<DIGITS>() {
        for (place, digit) in field.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(at >> (4 * (DIGITS - 1 - place))) as usize & 0xF];
        }
    }
}

/// Reads the moment that a payload begins with.
pub(crate) fn stamped(payload: &[u8]) -> Option<u64> {
    let field = payload.first_chunk::<DIGITS>()?;
    u64::from_str_radix(std::str::from_utf8(field).ok()?, 16).ok()
}

const DIGITS: usize = 16;
