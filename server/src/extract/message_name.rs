//! The name of a message.

use super::FromMessage;
use crate::failure::Failure;
use crate::node::MessageContext;

/// The name of the message that a handler handles: for the handler of all names without one of
/// their own, [`BowlineBuilder::on_any`](crate::BowlineBuilder::on_any). The client chooses it: 1
/// to 128 bytes without spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageName(pub String);

impl FromMessage for MessageName {
    fn from_message(context: &MessageContext<'_>) -> Result<Self, Failure> {
        Ok(Self(context.message.name.to_string()))
    }
}
