//! The application's hooks for sessions that open and end.

use std::future::Future;
use std::sync::Arc;

use actix_web::HttpRequest;
use bowline_protocol::Close;
use futures::future::{LocalBoxFuture, ready};

use super::{AwayHandler, RefreshHandler};
use crate::complaints::{Quoted, limited};
use crate::extract::{FromConnect, FromSession};
use crate::node::{Attaching, ConnectContext, HandshakeHook, Hooks, Prepared, SessionContext};
use crate::refusal::Refusal;

/// An async function that accepts or refuses the request of a client, in the context `C`: before a
/// session opens, or before a client attaches to it again. See
/// [`BowlineBuilder::on_connect`](crate::BowlineBuilder::on_connect) and
/// [`BowlineBuilder::on_attach`](crate::BowlineBuilder::on_attach).
#[diagnostic::on_unimplemented(
    message = "this is no hook that is asked about a request",
    label = "not such a hook",
    note = "it is an async function of extractors: `Socket`, `Auth<T>`, `Ext<T>`, and whatever \
        implements actix's `FromRequest`; \
        there is no payload",
    note = "it returns `()` or a `Result<(), E>` whose error becomes a `Refusal`"
)]
pub trait ConnectHandler<Args, C = ConnectContext>: Send + Sync + 'static {
    /// Runs the function's extractors, while the request is inside the application's middleware.
    fn prepare(self: Arc<Self>, request: &HttpRequest) -> LocalBoxFuture<'static, Prepared<C>>;

    /// The names of the types that it extracts.
    fn wants(&self) -> Vec<&'static str>;
}

/// An async function that the server calls when a session has ended. See
/// [`BowlineBuilder::on_disconnect`](crate::BowlineBuilder::on_disconnect).
#[diagnostic::on_unimplemented(
    message = "this is no disconnect hook",
    label = "not such a hook",
    note = "it is an async function of extractors (`Socket`, `Bowline`, `web::Data<T>`, \
        `Ext<T>`) and, last, the `Close`; it returns `()`"
)]
pub trait DisconnectHandler<Args>: Send + Sync + 'static {
    /// Calls it with the reason.
    fn call(&self, context: SessionContext<'_>, close: Close) -> LocalBoxFuture<'static, ()>;
}

/// What a connect hook may return: nothing, or a `Result` whose error becomes a [`Refusal`].
#[diagnostic::on_unimplemented(
    message = "a connect hook cannot return `{Self}`",
    label = "not a decision",
    note = "return `()` or a `Result<(), E>` whose error becomes a `Refusal`"
)]
pub trait IntoAdmission {
    /// Accepted or refused.
    ///
    /// # Errors
    /// The refusal that the client receives.
    fn into_admission(self) -> Result<(), Refusal>;
}

impl IntoAdmission for () {
    fn into_admission(self) -> Result<(), Refusal> {
        Ok(())
    }
}

impl<E: Into<Refusal>> IntoAdmission for Result<(), E> {
    fn into_admission(self) -> Result<(), Refusal> {
        self.map_err(Into::into)
    }
}

impl Hooks {
    pub(crate) fn connect<Args>(&mut self, handler: impl ConnectHandler<Args>) {
        self.connect = Some(handshake_hook(handler));
    }

    pub(crate) fn attach<Args>(&mut self, handler: impl ConnectHandler<Args, Attaching>) {
        self.attach = Some(handshake_hook(handler));
    }

    pub(crate) fn disconnect<Args>(&mut self, handler: impl DisconnectHandler<Args>) {
        self.disconnect = Some(Box::new(move |context, close| handler.call(context, close)));
    }

    pub(crate) fn refresh<Args>(&mut self, handler: impl RefreshHandler<Args>) {
        self.refresh = Some(Box::new(move |context| handler.call(context)));
    }

    pub(crate) fn away<Args>(&mut self, handler: impl AwayHandler<Args>) {
        self.away = Some(Box::new(move |context| handler.call(context)));
    }

    pub(crate) fn back<Args>(&mut self, handler: impl AwayHandler<Args>) {
        self.back = Some(Box::new(move |context| handler.call(context)));
    }
}

/// True for an extractor that may need what a middleware has added to the request. Those of
/// actix-web itself need nothing, but for `ReqData`.
fn relies_on_middleware(name: &str) -> bool {
    let own = name.starts_with("actix_web::") || name.starts_with("bowline_server::");
    !own || name.contains("::ReqData<")
}

fn handshake_hook<Args, C>(handler: impl ConnectHandler<Args, C>) -> HandshakeHook<C> {
    let mut wants = handler.wants();
    wants.retain(|name| relies_on_middleware(name));
    let handler = Arc::new(handler);
    HandshakeHook { prepare: Box::new(move |request| Arc::clone(&handler).prepare(request)), wants }
}

/// Implements the hooks for functions of some extractors.
macro_rules! hooks {
    ($($extractor:ident)*) => {
        impl<F, Fut, X: 'static, $($extractor,)*> ConnectHandler<($($extractor,)*), X> for F
        where
            F: Fn($($extractor,)*) -> Fut + Send + Sync + 'static,
            Fut: Future + 'static,
            Fut::Output: IntoAdmission,
            $($extractor: FromConnect<X> + 'static,)*
        {
            #[allow(
                non_snake_case,
                unused_variables,
                reason = "a type parameter names its own value"
            )]
            fn prepare(
                self: Arc<Self>,
                request: &HttpRequest,
            ) -> LocalBoxFuture<'static, Prepared<X>> {
                $(let $extractor = $extractor::take(request);)*
                Box::pin(async move {
                    $(let $extractor = $extractor.await;)*
                    Prepared::new(move |context| {
                        $(let made = <$extractor as FromConnect<X>>::from_connect($extractor, context);
                        let $extractor = match made {
                            Ok(value) => value,
                            Err(refusal) => return Box::pin(ready(Err(refusal))),
                        };)*
                        let future = self($($extractor,)*);
                        Box::pin(async move { future.await.into_admission() })
                    })
                })
            }

            fn wants(&self) -> Vec<&'static str> {
                vec![$(std::any::type_name::<$extractor>(),)*]
            }
        }

        impl<F, Fut, $($extractor,)*> DisconnectHandler<($($extractor,)* Close,)> for F
        where
            F: Fn($($extractor,)* Close) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = ()> + 'static,
            $($extractor: FromSession + 'static,)*
        {
            #[allow(
                non_snake_case,
                unused_variables,
                reason = "a type parameter names its own value"
            )]
            fn call(
                &self,
                context: SessionContext<'_>,
                close: Close,
            ) -> LocalBoxFuture<'static, ()> {
                $(let $extractor = match $extractor::from_session(&context) {
                    Ok(value) => value,
                    Err(failure) => {
                        limited!("the disconnect hook did not run: {}", Quoted(failure));
                        return Box::pin(ready(()));
                    }
                };)*
                Box::pin(self($($extractor,)* close))
            }
        }
    };
}

hooks!();
hooks!(A);
hooks!(A B);
hooks!(A B C);
hooks!(A B C D);
hooks!(A B C D E);
hooks!(A B C D E G);
