//! The bytes beside a payload.

use bytes::Bytes;

use super::FromMessage;
use crate::failure::{Failure, INVALID_PAYLOAD};
use crate::node::MessageContext;

impl FromMessage for Bytes {
    fn from_message(context: &MessageContext<'_>) -> Result<Self, Failure> {
        let bytes = context.message.payload.bytes.clone();
        bytes.ok_or_else(|| Failure::new(INVALID_PAYLOAD).with(&"the message must carry bytes"))
    }
}

impl FromMessage for Option<Bytes> {
    fn from_message(context: &MessageContext<'_>) -> Result<Self, Failure> {
        Ok(context.message.payload.bytes.clone())
    }
}
