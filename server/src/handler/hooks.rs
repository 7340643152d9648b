//! What the application does when a session opens and when it ends.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use actix_web::HttpRequest;
use bowline_protocol::{Close, CloseCode};
use futures::future::LocalBoxFuture;
use serde::Serialize;

use super::away::AwayHook;
use crate::extract::{ConnectContext, FromConnect, FromSession, SessionContext};
use crate::message;
use crate::session::LiveSession;

/// An async function that is asked before a session opens. See
/// [`BowlineBuilder::on_connect`](crate::BowlineBuilder::on_connect).
pub trait ConnectHandler<Args>: Send + Sync + 'static {
    /// Decides.
    fn call(&self, context: ConnectContext<'_>) -> LocalBoxFuture<'static, Result<(), Refusal>>;
}

/// An async function that is told when a session has ended. See
/// [`BowlineBuilder::on_disconnect`](crate::BowlineBuilder::on_disconnect).
pub trait DisconnectHandler<Args>: Send + Sync + 'static {
    /// Is told why.
    fn call(&self, context: SessionContext<'_>, close: Close) -> LocalBoxFuture<'static, ()>;
}

/// Why the application did not let a session in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: CloseCode,
    reason: Box<str>,
}

impl Refusal {
    /// A refusal with a reason that the client receives: any value, usually a text.
    #[must_use]
    pub fn new(reason: &impl Serialize) -> Self {
        let reason = message::to_payload(reason).map(|payload| payload.json).unwrap_or_default();
        Self { code: CloseCode::REFUSED, reason: (*reason).into() }
    }

    /// The same refusal with a code of the application, made with [`CloseCode::application`].
    #[must_use]
    pub fn with_code(self, code: CloseCode) -> Self {
        Self { code, ..self }
    }

    pub(crate) fn into_close(self) -> Close {
        Close::with_reason(self.code, self.reason)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self::new(&reason)
    }
}

impl From<actix_web::Error> for Refusal {
    /// What an actix extractor has against the handshake request becomes the reason.
    fn from(error: actix_web::Error) -> Self {
        Self::new(&error.to_string())
    }
}

/// What a connect hook may return: nothing, or a `Result` whose error becomes a [`Refusal`].
pub trait IntoAdmission {
    /// Let in or not.
    ///
    /// # Errors
    /// The refusal that the client is told.
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

/// The hooks of a `Bowline`.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) connect: Option<ConnectHook>,
    pub(crate) disconnect: Option<DisconnectHook>,
    pub(crate) away: Option<AwayHook>,
    pub(crate) back: Option<AwayHook>,
}

type AnyConnect =
    dyn Fn(ConnectContext<'_>) -> LocalBoxFuture<'static, Result<(), Refusal>> + Send + Sync;
type AnyDisconnect = dyn Fn(SessionContext<'_>, Close) -> LocalBoxFuture<'static, ()> + Send + Sync;

impl Hooks {
    pub(crate) fn connect<Args>(&mut self, handler: impl ConnectHandler<Args>) {
        self.connect = Some(ConnectHook(Box::new(move |context| handler.call(context))));
    }

    pub(crate) fn disconnect<Args>(&mut self, handler: impl DisconnectHandler<Args>) {
        self.disconnect =
            Some(DisconnectHook(Box::new(move |context, close| handler.call(context, close))));
    }
}

pub(crate) struct ConnectHook(Box<AnyConnect>);
pub(crate) struct DisconnectHook(Box<AnyDisconnect>);

impl ConnectHook {
    pub(crate) fn call(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        auth: &str,
    ) -> LocalBoxFuture<'static, Result<(), Refusal>> {
        (self.0)(ConnectContext { session, request, auth })
    }
}

impl DisconnectHook {
    pub(crate) fn call(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        close: Close,
    ) -> LocalBoxFuture<'static, ()> {
        (self.0)(SessionContext { session, request }, close)
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("connect", &self.connect.is_some())
            .field("disconnect", &self.disconnect.is_some())
            .field("away", &self.away.is_some())
            .field("back", &self.back.is_some())
            .finish()
    }
}

/// Implements both hooks for functions of some extractors.
macro_rules! hooks {
    ($($extractor:ident)*) => {
        impl<F, Fut, $($extractor,)*> ConnectHandler<($($extractor,)*)> for F
        where
            F: Fn($($extractor,)*) -> Fut + Send + Sync + 'static,
            Fut: Future + 'static,
            Fut::Output: IntoAdmission,
            $($extractor: FromConnect + 'static,)*
        {
            #[allow(non_snake_case, unused_variables, reason = "a type parameter names its own value")]
            fn call(&self, context: ConnectContext<'_>) -> LocalBoxFuture<'static, Result<(), Refusal>> {
                $(let $extractor = match $extractor::from_connect(&context) {
                    Ok(value) => value,
                    Err(refusal) => return Box::pin(std::future::ready(Err(refusal))),
                };)*
                let future = self($($extractor,)*);
                Box::pin(async move { future.await.into_admission() })
            }
        }

        impl<F, Fut, $($extractor,)*> DisconnectHandler<($($extractor,)* Close,)> for F
        where
            F: Fn($($extractor,)* Close) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = ()> + 'static,
            $($extractor: FromSession + 'static,)*
        {
            #[allow(non_snake_case, unused_variables, reason = "a type parameter names its own value")]
            fn call(&self, context: SessionContext<'_>, close: Close) -> LocalBoxFuture<'static, ()> {
                $(let $extractor = match $extractor::from_session(&context) {
                    Ok(value) => value,
                    Err(failure) => {
                        log::error!("the disconnect hook did not run: {failure}");
                        return Box::pin(std::future::ready(()));
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
