//! Handlers: async functions of extractors whose return value is the acknowledgement.

mod around;
mod away;
mod hooks;
mod refresh;
mod reply;
mod stream;
mod topic;

use std::future::Future;

use bowline_protocol::{Carries, Encoded, EventName};
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::extract::FromMessage;
use crate::failure::{Failure, INVALID_PAYLOAD};
use crate::message;
use crate::node::{Handlers, MessageContext};

pub use around::{Answer, Inbound, Next};
pub use away::AwayHandler;
pub use hooks::{ConnectHandler, DisconnectHandler, IntoAdmission};
pub use refresh::RefreshHandler;
pub use reply::{Binary, IntoReply, Json};
pub use stream::{IntoStream, Outlet, ReturnsValue, SendsItems, StreamHandler};
pub use topic::{IntoGrant, TopicHandler};

/// An async function that handles the messages of one name.
///
/// Its arguments are any number of extractors (see [`FromMessage`]) and, last, the payload: of the
/// type that the [`Event`](crate::Event) states, or of any type that serde can decode from JSON
/// when the name is a string. Its return value answers a request: see [`IntoReply`]. When the
/// message is an event, the server drops the return value.
///
/// The server handles the messages of one session one after another, unless the builder's
/// `concurrency` allows more. The future need not be `Send`: it runs on the worker that received
/// the message.
#[diagnostic::on_unimplemented(
    message = "this is no handler for a message named by a `{N}`",
    label = "not a handler of such messages",
    note = "a handler is an async function whose last argument is the payload, `(): ()` if there \
        is none, behind any \
        extractors: `Socket`, `Bowline`, `web::Data<T>`, `Ext<T>`, `Bytes`",
    note = "its payload is the `Payload` of the `Event`; for a name that is a string, any type \
        that is `DeserializeOwned`",
    note = "it returns the `Reply` of the `Event` or a `Result` of it; for a name that is a \
        string, `()`, `Json(value)`, \
        `Binary(Json(value), bytes)` or a `Result` of one of these, whose error becomes a \
        `Failure`: \
        `Result<Json<String>, Failure>`, not `Result<String, Failure>`"
)]
pub trait Handler<N, Args>: Send + Sync + 'static {
    /// Handles one message. Yields the packet that answers it, if it is a request.
    fn call(
        &self,
        context: MessageContext<'_>,
    ) -> LocalBoxFuture<'static, Result<Option<Encoded>, Failure>>;
}

impl Handlers {
    /// Handles the messages of a name. A later handler of the same name takes the place of the
    /// earlier.
    pub(crate) fn on<N: 'static, Args: 'static>(
        &mut self,
        name: &str,
        handler: impl Handler<N, Args>,
    ) {
        self.insert(name.to_owned(), Box::new(move |context| handler.call(context)));
    }

    /// Handles the messages whose name has no handler.
    pub(crate) fn on_any<Args: 'static>(&mut self, handler: impl Handler<&'static str, Args>) {
        self.catch_all(Box::new(move |context| handler.call(context)));
    }
}

/// Implements [`Handler`] for functions of some extractors and a payload.
macro_rules! handler {
    ($($extractor:ident)*) => {
        impl<N, F, Fut, P, $($extractor,)*> Handler<N, ($($extractor,)* P,)> for F
        where
            N: EventName + Carries<P>,
            F: Fn($($extractor,)* P) -> Fut + Send + Sync + 'static,
            Fut: Future + 'static,
            Fut::Output: IntoReply<N::Reply>,
            P: DeserializeOwned + 'static,
            $($extractor: FromMessage + 'static,)*
        {
            #[allow(non_snake_case, reason = "a type parameter names its own value")]
            fn call(
                &self,
                context: MessageContext<'_>,
            ) -> LocalBoxFuture<'static, Result<Option<Encoded>, Failure>> {
                $(let $extractor = match $extractor::from_message(&context) {
                    Ok(value) => value,
                    Err(failure) => return Box::pin(std::future::ready(Err(failure))),
                };)*
                let payload = match message::from_payload(&context.message.payload) {
                    Ok(payload) => payload,
                    Err(error) => return Box::pin(std::future::ready(Err(invalid_payload(&error)))),
                };
                let future = self($($extractor,)* payload);
                let request = context.request_number;
                Box::pin(async move { future.await.into_answer(request) })
            }
        }
    };
}

handler!();
handler!(A);
handler!(A B);
handler!(A B C);
handler!(A B C D);
handler!(A B C D E);
handler!(A B C D E G);

fn invalid_payload(error: &serde_json::Error) -> Failure {
    Failure::new(INVALID_PAYLOAD).with(&error.to_string())
}
