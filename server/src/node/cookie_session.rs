//! The cookie session of a request, kept for hooks that run after its middleware has removed it.
//!
//! A `Session` of actix-session, and an `Identity` on top of it, are handles: when the head of a
//! response is complete, the middleware removes their content. So the node copies it before, and
//! restores it before a hook runs. What a hook changes after the head is not saved: there is no
//! response left that could contain a cookie.

use std::collections::HashMap;

use actix_session::{Session, SessionExt as _, SessionStatus};
use actix_web::HttpRequest;
use serde_json::Value;

/// What a request's cookie session held.
pub(crate) struct CookieSession {
    session: Session,
    entries: HashMap<String, String>,
    status: SessionStatus,
}

impl CookieSession {
    /// `None` if the request has none, or nothing in it.
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        let session = request.get_session();
        let (entries, status) = (session.entries().clone(), session.status());
        (!entries.is_empty()).then_some(Self { session, entries, status })
    }

    /// Puts back what was taken out, unless the application has emptied the session itself.
    pub(crate) fn restore(&self) {
        if !self.session.entries().is_empty() || self.session.status() != self.status {
            return;
        }
        for (key, json) in &self.entries {
            let value = serde_json::from_str::<Value>(json);
            // It is JSON, since the session has written it.
            let _ = value.map(|value| self.session.insert(key, value));
        }
    }
}
