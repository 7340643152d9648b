//! Without the feature `actix-session` no cookie session is kept for hooks.

use std::convert::Infallible;

use actix_web::HttpRequest;

/// What a request's cookie session held: nothing that this build knows of.
pub(crate) struct CookieSession(Infallible);

impl CookieSession {
    pub(crate) const fn of(_: &HttpRequest) -> Option<Self> {
        None
    }

    pub(crate) const fn restore(&self) {
        match self.0 {}
    }
}
