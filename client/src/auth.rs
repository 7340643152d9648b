//! How a client authenticates.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::Payload;

use crate::handler::{Failure, Handler};
use crate::platform::{BoxFuture, MaybeSend, MaybeSync};

/// The authentication that a client sends with `open`. The server may request it again.
#[derive(Clone)]
pub(crate) enum Auth {
    Fixed(Box<str>),
    Asked(Arc<dyn TokenSource>),
}

/// Called before each `open`.
pub(crate) trait TokenSource: MaybeSend + MaybeSync {
    /// The authentication as JSON. An error is a text for people; the client retries later.
    fn token(&self) -> BoxFuture<Result<Box<str>, String>>;
}

impl Auth {
    pub(crate) fn asked<F, Fut, E>(source: F) -> Self
    where
        F: Fn() -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Box<str>, E>> + MaybeSend + 'static,
        E: fmt::Display,
    {
        Self::Asked(Arc::new(Source(move || {
            let token = source();
            async move { token.await.map_err(|error| error.to_string()) }
        })))
    }

    pub(crate) fn token(&self) -> BoxFuture<Result<Box<str>, String>> {
        match self {
            Self::Fixed(json) => Box::pin(std::future::ready(Ok(json.clone()))),
            Self::Asked(source) => source.token(),
        }
    }
}

impl Handler for Auth {
    /// Spec: 03-opening, "Authentication that expires".
    fn call(&self, _: Payload) -> BoxFuture<Result<Payload, Failure>> {
        let token = self.token();
        Box::pin(async move {
            let json = token.await.map_err(|_| Failure::new("no-authentication"))?;
            Ok(if json.is_empty() { Payload::default() } else { Payload::json(String::from(json)) })
        })
    }
}

struct Source<F>(F);

impl<F, Fut> TokenSource for Source<F>
where
    F: Fn() -> Fut + MaybeSend + MaybeSync,
    Fut: Future<Output = Result<Box<str>, String>> + MaybeSend + 'static,
{
    fn token(&self) -> BoxFuture<Result<Box<str>, String>> {
        Box::pin((self.0)())
    }
}

impl fmt::Debug for Auth {
    /// Debug output never contains the authentication.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(json) if json.is_empty() => "none",
            Self::Fixed(_) => "fixed",
            Self::Asked(_) => "asked",
        })
    }
}
