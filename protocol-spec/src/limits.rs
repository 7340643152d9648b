//! Every limit of the protocol, with its default and the reason for it.
//!
//! Spec: 08-limits.

/// The version of the protocol that this crate implements: `v` in the first line of every
/// attachment.
pub const VERSION: u32 = 1;

/// The sizes that one side accepts from the other.
///
/// Spec: 08-limits, "Negotiated limits".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one packet, its line and its raw bytes together. Defaults to 1 MiB, as in most
    /// libraries of this kind.
    pub packet: usize,
    /// Bytes of one batch: a WebSocket message or an HTTP body. Defaults to 2 MiB, so that a
    /// packet of the largest size still fits when its bytes are sent as base64.
    pub batch: usize,
}

impl Limits {
    /// The most bytes of an event name, a failure code or a token.
    pub const NAME: usize = 128;
    /// The most bytes of the first line of an attachment, including the authentication payload.
    pub const FIRST_LINE: usize = 64 * 1024;
    /// The largest number on the wire, 2^53 - 1: the largest integer that a JavaScript number
    /// represents exactly.
    pub const NUMBER: u64 = (1 << 53) - 1;
}

impl Default for Limits {
    fn default() -> Self {
        Self { packet: 1024 * 1024, batch: 2 * 1024 * 1024 }
    }
}
