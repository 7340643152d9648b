//! The application's function for streams of a name.

use std::future::{Future, poll_fn};
use std::sync::Arc;

use bowline_protocol::{Dynamic, Payload};
use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::{IntoReply, invalid_payload};
use crate::extract::FromStream;
use crate::failure::Failure;
use crate::handles::ItemStream;
use crate::message;
use crate::node::{StreamContext, StreamHandlers, Streaming};
use crate::session::LiveSession;

/// An async function that serves the streams of one name. See
/// [`BowlineBuilder::stream`](crate::BowlineBuilder::stream).
#[diagnostic::on_unimplemented(
    message = "this is no function of a stream",
    label = "not such a function",
    note = "it is an async function whose last argument is the payload, `(): ()` if there is \
        none, behind any extractors: `Items<T>` or `Chunks`, `Socket`, `Bowline`, `web::Data<T>`, \
        `Ext<T>`, `Bytes`",
    note = "it returns an `ItemStream`, or a value as a handler does: `()`, `Json(value)`, \
        `Binary(Json(value), bytes)`, or a `Result` of one of these"
)]
pub trait StreamHandler<Args, R>: Send + Sync + 'static {
    /// Begins to serve a stream.
    ///
    /// # Errors
    /// The failure that the client receives instead of the stream.
    fn call(&self, context: StreamContext<'_>) -> Result<Streaming, Failure>;
}

/// What the function of a stream may return: an [`ItemStream`], whose items the server sends, or a
/// value with which the stream ends, as a handler returns it; or a `Result` of one of these.
///
/// `R` tells the two apart, and is inferred.
#[diagnostic::on_unimplemented(
    message = "a stream's function cannot return `{Self}`",
    label = "neither items nor a value",
    note = "return an `ItemStream`, or `()`, `Json(value)`, `Binary(Json(value), bytes)`, or a \
        `Result` of one of these"
)]
pub trait IntoStream<R> {
    /// Sends the items, if there are any, and yields the value with which the stream ends.
    #[doc(hidden)]
    fn into_end(self, outlet: Outlet) -> LocalBoxFuture<'static, Result<Payload, Failure>>;
}

/// The kind of functions that return items.
#[derive(Debug)]
pub enum SendsItems {}

/// The kind of functions that return a value.
#[derive(Debug)]
pub enum ReturnsValue {}

/// Where a stream's items go.
#[derive(Debug)]
pub struct Outlet {
    session: Arc<LiveSession>,
    number: u64,
}

impl Outlet {
    /// Waits until the client may receive an item.
    async fn room(&self) {
        poll_fn(|cx| self.session.with(|state, _| state.poll_room(self.number, cx))).await;
    }

    async fn send(&self, item: &Payload) -> Result<(), Failure> {
        let sent = poll_fn(|cx| {
            self.session.with(|state, now| state.poll_send_item(self.number, item, now, cx))
        });
        sent.await.map_err(|error| Failure::new(ITEM_TOO_LARGE).with(&error.limit))
    }
}

impl IntoStream<SendsItems> for ItemStream {
    fn into_end(self, outlet: Outlet) -> LocalBoxFuture<'static, Result<Payload, Failure>> {
        let mut items = self.into_items();
        Box::pin(async move {
            loop {
                outlet.room().await;
                match items.next().await {
                    Some(item) => outlet.send(&item?).await?,
                    None => return Ok(Payload::default()),
                }
            }
        })
    }
}

impl<E: Into<Failure>> IntoStream<SendsItems> for Result<ItemStream, E> {
    fn into_end(self, outlet: Outlet) -> LocalBoxFuture<'static, Result<Payload, Failure>> {
        match self {
            Ok(items) => items.into_end(outlet),
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }
}

impl<T: IntoReply<Dynamic>> IntoStream<ReturnsValue> for T {
    fn into_end(self, _: Outlet) -> LocalBoxFuture<'static, Result<Payload, Failure>> {
        Box::pin(std::future::ready(self.into_reply()))
    }
}

impl StreamHandlers {
    /// Serves the streams of a name.
    pub(crate) fn on<Args, R>(&mut self, name: &str, handler: impl StreamHandler<Args, R>) {
        self.insert(name.to_owned(), Box::new(move |context| handler.call(context)));
    }
}

/// Implements the trait for functions of some extractors and a payload.
macro_rules! stream_handlers {
    ($($extractor:ident)*) => {
        impl<F, Fut, R, P, $($extractor,)*> StreamHandler<($($extractor,)* P,), R> for F
        where
            F: Fn($($extractor,)* P) -> Fut + Send + Sync + 'static,
            Fut: Future + 'static,
            Fut::Output: IntoStream<R>,
            P: DeserializeOwned + 'static,
            $($extractor: FromStream + 'static,)*
        {
            #[allow(non_snake_case, reason = "a type parameter names its own value")]
            fn call(&self, context: StreamContext<'_>) -> Result<Streaming, Failure> {
                $(let $extractor = $extractor::from_stream(&context)?;)*
                let StreamContext { message, number } = context;
                let payload = message::from_payload(&message.message.payload);
                let payload = payload.map_err(|error| invalid_payload(&error))?;
                let outlet = Outlet { session: Arc::clone(message.session.session), number };
                let work = self($($extractor,)* payload);
                Ok(Box::pin(async move { work.await.into_end(outlet).await }))
            }
        }
    };
}

stream_handlers!();
stream_handlers!(A);
stream_handlers!(A B);
stream_handlers!(A B C);
stream_handlers!(A B C D);
stream_handlers!(A B C D E);
stream_handlers!(A B C D E G);

/// The client's window takes no item of this size. The detail is the largest size in bytes.
const ITEM_TOO_LARGE: &str = "item-too-large";
