//! The headers that an application adds to every request: fixed, or from a function.

use std::fmt;
use std::sync::Arc;

use crate::platform::{BoxFuture, Headers, HostError, MaybeSend, MaybeSync, Target};

#[derive(Clone)]
pub(crate) enum HeaderSource {
    Fixed(Headers),
    Asked(Arc<dyn Ask>),
}

/// A source of headers, called before each request.
pub(crate) trait Ask: MaybeSend + MaybeSync {
    fn ask(&self) -> BoxFuture<Result<Headers, HostError>>;
}

impl HeaderSource {
    pub(crate) fn asked<F, Fut, E>(source: F) -> Self
    where
        F: Fn() -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Vec<(String, String)>, E>> + MaybeSend + 'static,
        E: fmt::Display,
    {
        Self::Asked(Arc::new(Source(move || {
            let headers = source();
            async move { checked(headers.await.map_err(|error| error.to_string())) }
        })))
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Fixed(headers) if headers.is_empty())
    }

    /// Sends a request to this URL, with the present headers.
    pub(crate) fn send<T: 'static>(
        &self,
        url: String,
        send: impl FnOnce(Target) -> BoxFuture<Result<T, HostError>> + MaybeSend + 'static,
    ) -> BoxFuture<Result<T, HostError>> {
        match self {
            Self::Fixed(headers) => send(Target { url, headers: headers.clone() }),
            Self::Asked(source) => {
                let headers = source.ask();
                Box::pin(async move { send(Target { url, headers: headers.await? }).await })
            }
        }
    }
}

impl fmt::Debug for HeaderSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(headers) => headers.fmt(f),
            Self::Asked(_) => f.write_str("asked"),
        }
    }
}

struct Source<F>(F);

impl<F, Fut> Ask for Source<F>
where
    F: Fn() -> Fut + MaybeSend + MaybeSync,
    Fut: Future<Output = Result<Headers, HostError>> + MaybeSend + 'static,
{
    fn ask(&self) -> BoxFuture<Result<Headers, HostError>> {
        Box::pin((self.0)())
    }
}

/// The application's headers, if all are valid.
fn checked(given: Result<Vec<(String, String)>, String>) -> Result<Headers, HostError> {
    let headers = given.map_err(|why| HostError::Failed(format!("no headers: {why}")))?;
    Headers::new(headers).map_err(|name| {
        HostError::Failed(format!("no headers: the application's header {name:?} cannot be sent"))
    })
}
