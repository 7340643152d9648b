//! Where the body of a response ends. RFC 9112, section 6.3.

use crate::head::Head;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// It is over, or there was none.
    None,
    /// So many bytes are missing.
    Length(usize),
    Chunked,
    UntilEnd,
}

impl Body {
    /// The body that such a head announces. `None` for lengths nobody can read.
    pub(crate) fn after(head: &Head) -> Option<Self> {
        if matches!(head.status, 100..=199 | 204 | 304) {
            return Some(Self::None);
        }
        match (head.header("transfer-encoding"), head.header("content-length")) {
            (Some("chunked"), None) => Some(Self::Chunked),
            (None, Some(length)) => length.parse().ok().map(Self::of_length),
            (None, None) => Some(Self::UntilEnd),
            _ => None,
        }
    }

    pub(crate) fn of_length(missing: usize) -> Self {
        if missing == 0 { Self::None } else { Self::Length(missing) }
    }
}

/// The size that a chunk header with its line end says. Extensions are ignored.
pub(crate) fn chunk_size(line: &[u8]) -> Option<usize> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let digits = line.split(';').next().unwrap_or(line);
    usize::from_str_radix(digits, 16).ok()
}
