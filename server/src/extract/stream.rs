//! What the function of a stream can ask for.

use std::sync::Arc;

use super::FromMessage;
use crate::complaints::limited;
use crate::failure::{Failure, INTERNAL};
use crate::handles::{Chunks, Items, RawItems};
use crate::node::StreamContext;

/// What the function of a stream can extract: all of [`FromMessage`], and [`Items`] or [`Chunks`]
/// with what the client sends.
#[diagnostic::on_unimplemented(
    message = "a stream's function cannot extract `{Self}`",
    label = "not to be had from a stream",
    note = "the payload comes last; before it the function can extract `Items<T>`, `Chunks`, \
        `Socket`, `Bowline`, `web::Data<T>`, `Ext<T>`, `Bytes` and `Option<Bytes>`"
)]
pub trait FromStream: Sized {
    /// Extracts the value.
    ///
    /// # Errors
    /// The failure that the client receives.
    fn from_stream(context: &StreamContext<'_>) -> Result<Self, Failure>;
}

impl<T: FromMessage> FromStream for T {
    fn from_stream(context: &StreamContext<'_>) -> Result<Self, Failure> {
        Self::from_message(&context.message)
    }
}

impl<T> FromStream for Items<T> {
    fn from_stream(context: &StreamContext<'_>) -> Result<Self, Failure> {
        raw(context).map(Self::new)
    }
}

impl FromStream for Chunks {
    fn from_stream(context: &StreamContext<'_>) -> Result<Self, Failure> {
        raw(context).map(Self::new)
    }
}

fn raw(context: &StreamContext<'_>) -> Result<RawItems, Failure> {
    let (session, number) = (context.message.session.session, context.number);
    let window = session.common.config.stream_window;
    if !session.with(|state, _| state.receive_items(number, window)) {
        let name = &context.message.message.name;
        limited!("the function of the stream {name:?} has Items or Chunks twice");
        return Err(Failure::new(INTERNAL));
    }
    Ok(RawItems::new(Arc::clone(session), number))
}
