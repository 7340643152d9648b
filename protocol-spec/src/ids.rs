//! The identifiers of the protocol, each a type of its own. An invalid value cannot be constructed.
//!
//! Spec: 03-opening, "Identifiers"; 09-security, "Secrets".

#[cfg(feature = "serde")]
mod as_text;

use std::fmt;
use std::str::FromStr;

use crate::ProtocolError;
use crate::base64::{decode_url, write_url};

/// The server process that holds a session. A process generates it at each start, so it is also the
/// epoch: an id of an earlier process names a node that no longer exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId([u8; 6]);

/// The public name of a session, safe to log: `node.local`, 8 and 16 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    node: NodeId,
    local: [u8; 12],
}

/// A secret of 128 random bits: masked in `Debug`, compared in constant time.
#[derive(Clone, Copy)]
pub struct Token([u8; 16]);

/// The proof that an attaching client owns the session.
pub type Secret = Token;
/// The key that a client generates before it opens a session, so that a repeated `open` yields the
/// same session.
pub type OpenKey = Token;

/// A single-use permission to start an SSE stream, for clients that cannot send a body with that
/// request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The session that the ticket attaches to.
    pub session: SessionId,
    /// The random part.
    pub token: Token,
}

impl NodeId {
    /// Creates the id from random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }
}

impl SessionId {
    /// Creates the id from the node that holds the session, and random bytes.
    #[must_use]
    pub const fn new(node: NodeId, local: [u8; 12]) -> Self {
        Self { node, local }
    }

    /// The node that holds the session.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// The random bytes.
    #[must_use]
    pub const fn local(&self) -> &[u8; 12] {
        &self.local
    }

    /// Writes the id for the wire.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write_url(&self.node.0, out)?;
        out.write_char('.')?;
        write_url(&self.local, out)
    }
}

impl Ticket {
    pub(crate) fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        self.session.write(out)?;
        out.write_char('.')?;
        write_url(&self.token.0, out)
    }
}

impl Token {
    /// Creates the token from random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The token for the wire. The name shows readers of the calling code that the secret leaves
    /// the process.
    #[must_use]
    pub fn reveal(&self) -> String {
        let mut text = String::new();
        write_url(&self.0, &mut text).expect("writing to memory cannot fail");
        text
    }

    /// The bytes of the token, for a host that encodes it itself.
    #[must_use]
    pub const fn reveal_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for Token {
    /// Compares in the same time wherever the first difference is.
    fn eq(&self, other: &Self) -> bool {
        std::hint::black_box(u128::from_ne_bytes(self.0) ^ u128::from_ne_bytes(other.0)) == 0
    }
}

impl Eq for Token {}

impl std::hash::Hash for Token {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(masked)")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_url(&self.0, f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl FromStr for NodeId {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        decode_url(text).map(Self).ok_or(BAD_ID)
    }
}

impl FromStr for SessionId {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let (node, local) = crate::scan::cut(text, b'.').ok_or(BAD_ID)?;
        Ok(Self {
            node: NodeId(decode_url(node).ok_or(BAD_ID)?),
            local: decode_url(local).ok_or(BAD_ID)?,
        })
    }
}

impl FromStr for Token {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        decode_url(text).map(Self).ok_or(BAD_TOKEN)
    }
}

impl FromStr for Ticket {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let (session, token) = text.rsplit_once('.').ok_or(BAD_ID)?;
        Ok(Self { session: session.parse()?, token: token.parse()? })
    }
}

const BAD_ID: ProtocolError =
    ProtocolError::Malformed("a session id is 8 and 16 base64url characters with a dot between");
const BAD_TOKEN: ProtocolError =
    ProtocolError::Malformed("a key or secret is 22 base64url characters (128 bits)");

#[cfg(test)]
mod tests {
    use super::{NodeId, SessionId, Ticket, Token};

    #[test]
    fn identifiers_round_trip_and_secrets_stay_out_of_debug() {
        let session = SessionId::new(NodeId::from_bytes([1; 6]), [2; 12]);
        let ticket = Ticket { session, token: Token::from_bytes([0xff; 16]) };
        assert_eq!(session.to_string().parse(), Ok(session));
        assert_eq!(ticket.to_string().parse::<Ticket>().unwrap().token, ticket.token);
        assert!(!format!("{ticket:?}").contains("____"), "{ticket:?}");
        assert_ne!(Token::from_bytes([0; 16]), Token::from_bytes([1; 16]));
    }
}
