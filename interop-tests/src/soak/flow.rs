//! The kinds of messages, and the order in which they come.

use serde::{Deserialize, Serialize};

/// One of the four kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// Client to server.
    EventUp,
    /// Server to client.
    EventDown,
    /// Client to server, with an answer.
    RequestUp,
    /// Server to client, with an answer.
    RequestDown,
}

impl Flow {
    pub(crate) const ALL: [Self; 4] =
        [Self::EventUp, Self::EventDown, Self::RequestUp, Self::RequestDown];

    pub(crate) const fn is_request(self) -> bool {
        matches!(self, Self::RequestUp | Self::RequestDown)
    }
}

/// The order in which the numbers of one flow arrived for the first time.
#[derive(Debug, Default, Clone)]
pub(crate) struct Order {
    /// The largest number so far.
    pub(crate) highest: u64,
    /// Numbers that came behind a larger one.
    pub(crate) reordered: u64,
}

impl Order {
    /// A number has arrived that had not arrived before.
    pub(crate) fn first(&mut self, number: u64) {
        self.reordered += u64::from(number < self.highest);
        self.highest = self.highest.max(number);
    }
}
