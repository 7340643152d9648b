//! Requests that a client makes while it handles a request of the server.
//!
//! Spec: 06-rooms-and-requests, "Requests within requests".

use std::fmt;

use crate::Limits;
use crate::scan::{cut, number};

/// A request that the handler of another request waits for. On the wire, its name contains the
/// number of the outer request: `bowline.within.7.history` is the request `history` that the
/// handler of the receiver's request 7 waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nested<'a> {
    /// The number of the receiver's own request whose handler waits.
    pub within: u64,
    /// The name that the application gave to the request.
    pub name: &'a str,
}

impl<'a> Nested<'a> {
    /// Parses the name of a request; `None` for an ordinary one.
    #[must_use]
    pub fn parse(name: &'a str) -> Option<Self> {
        let (within, name) = cut(name.strip_prefix(PREFIX)?, b'.')?;
        let within = number(within).ok().filter(|within| *within > 0)?;
        (!name.is_empty()).then_some(Self { within, name })
    }

    /// The name on the wire. The result is the inner name alone if the whole would exceed the limit
    /// of names.
    #[must_use]
    pub fn wire_name(self) -> String {
        let nested = self.to_string();
        if nested.len() > Limits::NAME { self.name.to_owned() } else { nested }
    }
}

impl fmt::Display for Nested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}.{}", self.within, self.name)
    }
}

const PREFIX: &str = "bowline.within.";

#[cfg(test)]
mod tests {
    use super::Nested;

    #[test]
    fn a_name_says_within_which_request_it_is_asked() {
        let nested = Nested { within: 7, name: "a.b" };
        assert_eq!(nested.wire_name(), "bowline.within.7.a.b");
        assert_eq!(Nested::parse("bowline.within.7.a.b"), Some(nested));
        let ordinary = [
            "a",
            "bowline.within.",
            "bowline.within.7",
            "bowline.within.7.",
            "bowline.within.07.a",
        ];
        for name in ordinary.into_iter().chain(["bowline.within.0.a", "bowline.within.x.a"]) {
            assert_eq!(Nested::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_that_has_no_room_for_it_is_sent_as_it_is() {
        let name = "x".repeat(112);
        assert_eq!(Nested { within: 9, name: &name[1..] }.wire_name().len(), 128);
        assert_eq!(Nested { within: 9, name: &name }.wire_name(), name);
    }
}
