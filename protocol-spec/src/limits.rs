//! Every limit of the protocol: a number, a default, a reason.
//!
//! Spec: 08-limits.

/// The version this crate speaks. Stated as `v` in the first line of every attachment.
pub const VERSION: u32 = 1;

/// What one side accepts from the other.
///
/// Spec: 08-limits, "Negotiated limits".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one packet: its line together with its binary payload. Defaults to 1 MiB, as most
    /// peers of this kind do.
    pub packet: usize,
    /// Bytes of one batch: a WebSocket message or an HTTP body. Defaults to 2 MiB, so that a packet
    /// of the largest size still fits when its bytes travel as base64.
    pub batch: usize,
}

impl Limits {
    /// Bytes of an event name, a failure code and a token at most.
    pub const NAME: usize = 128;
    /// Bytes of the first line of an attachment, authentication payload included.
    pub const FIRST_LINE: usize = 64 * 1024;
    /// The largest number on the wire, 2^53 - 1: what a JavaScript number holds exactly.
    pub const NUMBER: u64 = (1 << 53) - 1;
}

impl Default for Limits {
    fn default() -> Self {
        Self { packet: 1024 * 1024, batch: 2 * 1024 * 1024 }
    }
}
