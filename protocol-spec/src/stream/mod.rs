//! Streams of items: how much a sender may send ahead, and the payloads that open and end them.
//!
//! Spec: 12-streams.

#[cfg(feature = "serde")]
mod payloads;
mod window;

#[cfg(feature = "serde")]
pub use payloads::{
    STREAM, STREAM_CANCEL, STREAM_CREDIT, STREAM_END, STREAM_INTERRUPTED, STREAM_ITEM,
    StreamCancel, StreamCredit, StreamEnd, StreamFailure, StreamOpen, StreamOpened,
};
pub use window::{ItemTooLarge, ReceiveWindow, SendWindow, Window, WindowExceeded};

use crate::Payload;

/// The size of an item in bytes, as windows count it: its JSON, unless it is `null`, and its bytes.
#[must_use]
pub fn item_size(item: &Payload) -> usize {
    let json = if &*item.json == "null" { 0 } else { item.json.len() };
    json + item.bytes.as_ref().map_or(0, bytes::Bytes::len)
}
