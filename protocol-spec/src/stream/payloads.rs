//! The payloads of the requests and events of streams.

use serde::{Deserialize, Serialize};

use super::Window;

/// The name of the request that opens a stream: a [`StreamOpen`], answered with [`StreamOpened`].
pub const STREAM: &str = "bowline.stream";
/// The name of the events that are items, up to the number of the stream.
pub const STREAM_ITEM: &str = "bowline.item.";
/// The name of the event by which a receiver allows its peer to send more: a [`StreamCredit`].
pub const STREAM_CREDIT: &str = "bowline.credit";
/// The name of the event after which no item follows: a [`StreamEnd`].
pub const STREAM_END: &str = "bowline.end";
/// The name of the event by which a receiver refuses further items: a [`StreamCancel`].
pub const STREAM_CANCEL: &str = "bowline.cancel";

/// The code of a failure: the session has moved, and the work on the stream did not move with it.
pub const STREAM_INTERRUPTED: &str = "interrupted";

/// A stream that the client opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOpen<T> {
    /// Its number, which no other stream of the session has.
    pub stream: u64,
    /// What the application calls such streams.
    pub name: String,
    /// How much of the server's items the client receives ahead.
    pub window: Window,
    /// For the application; `None` is the value `null`.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub payload: Option<T>,
}

/// A stream that the server has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOpened {
    /// How much of the client's items the server receives ahead; `None` if it receives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// How many items a receiver has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCredit {
    /// The number of the stream.
    pub stream: u64,
    /// Since the stream was opened.
    pub taken: u64,
}

/// The end of the client's items, or of the stream if it is the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEnd<T> {
    /// The number of the stream.
    pub stream: u64,
    /// What the server's application has returned; `None` is the value `null`.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub payload: Option<T>,
    /// Why it ends before it is complete.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub failure: Option<StreamFailure<T>>,
}

/// Why a stream ends before it is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFailure<T> {
    /// A short word that programs compare.
    pub code: String,
    /// Details; `None` is the value `null`.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub payload: Option<T>,
}

/// A stream of which a receiver takes no more items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCancel {
    /// The number of the stream.
    pub stream: u64,
}
