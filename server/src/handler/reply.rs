//! What a handler may return.

use bowline_protocol::{Dynamic, Encoded, Payload};
use bytes::Bytes;
use serde::Serialize;

use crate::complaints::{Quoted, limited};
use crate::failure::{Failure, INTERNAL};
use crate::message;

/// What a handler returns to answer with a reply of type `R`.
///
/// For an [`Event`](crate::Event) these are its reply type, [`Binary`] of it, and `Result`s of
/// either with any error that becomes a [`Failure`]. For a name that is a string, whose reply type
/// is [`Dynamic`], they are `()`, [`Json`], [`Binary`] of it and `Result`s of these.
#[diagnostic::on_unimplemented(
    message = "a handler of this name cannot return `{Self}`",
    label = "not a reply of type `{R}`",
    note = "for a name that is a string return `()`, `Json(value)`, `Binary(Json(value), bytes)` \
        or a `Result` of one of these"
)]
pub trait IntoReply<R> {
    /// The payload of the reply, or the failure that the caller receives instead.
    ///
    /// # Errors
    /// When the handler failed or its reply cannot be encoded as JSON.
    fn into_reply(self) -> Result<Payload, Failure>;

    /// The same as the packet that answers a request. `None` when the message was an event: the
    /// reply is not encoded then.
    ///
    /// # Errors
    /// As [`Self::into_reply`].
    #[doc(hidden)]
    fn into_answer(self, request: Option<u64>) -> Result<Option<Encoded>, Failure>
    where
        Self: Sized,
    {
        let payload = self.into_reply()?;
        let answer = request.map(|request| Encoded::reply(request, &payload));
        answer.transpose().map_err(|error| unsendable(&error))
    }
}

/// A reply of any type, for handlers of names that are strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// A reply with bytes beside its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary<T>(pub T, pub Bytes);

impl<R: Serialize> IntoReply<R> for R {
    fn into_reply(self) -> Result<Payload, Failure> {
        write(&self, None)
    }

    fn into_answer(self, request: Option<u64>) -> Result<Option<Encoded>, Failure> {
        answer(&self, request)
    }
}

impl<R: Serialize> IntoReply<R> for Binary<R> {
    fn into_reply(self) -> Result<Payload, Failure> {
        write(&self.0, Some(self.1))
    }
}

impl<R: Serialize, E: Into<Failure>> IntoReply<R> for Result<R, E> {
    fn into_reply(self) -> Result<Payload, Failure> {
        write(&self.map_err(Into::into)?, None)
    }

    fn into_answer(self, request: Option<u64>) -> Result<Option<Encoded>, Failure> {
        answer(&self.map_err(Into::into)?, request)
    }
}

impl<R: Serialize, E: Into<Failure>> IntoReply<R> for Result<Binary<R>, E> {
    fn into_reply(self) -> Result<Payload, Failure> {
        let Binary(value, bytes) = self.map_err(Into::into)?;
        write(&value, Some(bytes))
    }
}

impl IntoReply<Dynamic> for () {
    fn into_reply(self) -> Result<Payload, Failure> {
        Ok(Payload::default())
    }
}

impl<T: Serialize> IntoReply<Dynamic> for Json<T> {
    fn into_reply(self) -> Result<Payload, Failure> {
        write(&self.0, None)
    }

    fn into_answer(self, request: Option<u64>) -> Result<Option<Encoded>, Failure> {
        answer(&self.0, request)
    }
}

impl<T: Serialize> IntoReply<Dynamic> for Binary<Json<T>> {
    fn into_reply(self) -> Result<Payload, Failure> {
        write(&self.0.0, Some(self.1))
    }
}

impl<E: Into<Failure>> IntoReply<Dynamic> for Result<(), E> {
    fn into_reply(self) -> Result<Payload, Failure> {
        self.map(|()| Payload::default()).map_err(Into::into)
    }
}

impl<T: Serialize, E: Into<Failure>> IntoReply<Dynamic> for Result<Json<T>, E> {
    fn into_reply(self) -> Result<Payload, Failure> {
        write(&self.map_err(Into::into)?.0, None)
    }

    fn into_answer(self, request: Option<u64>) -> Result<Option<Encoded>, Failure> {
        answer(&self.map_err(Into::into)?.0, request)
    }
}

impl<T: Serialize, E: Into<Failure>> IntoReply<Dynamic> for Result<Binary<Json<T>>, E> {
    fn into_reply(self) -> Result<Payload, Failure> {
        self.map_err(Into::into)?.into_reply()
    }
}

fn write<T: Serialize>(value: &T, bytes: Option<Bytes>) -> Result<Payload, Failure> {
    message::to_payload_with(value, bytes).map_err(|error| unsendable(&error))
}

fn answer<T: Serialize>(value: &T, request: Option<u64>) -> Result<Option<Encoded>, Failure> {
    let Some(request) = request else { return Ok(None) };
    let packet = message::to_reply(request, value).map_err(|error| unsendable(&error))?;
    packet.map(Some).map_err(|error| unsendable(&error))
}

fn unsendable(error: &dyn std::error::Error) -> Failure {
    limited!("a handler's reply cannot be sent: {}", Quoted(error));
    Failure::new(INTERNAL)
}
