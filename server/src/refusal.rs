//! What a hook returns that does not let a session in.

use bowline_protocol::{Close, CloseCode, NamespaceRefused, Payload};
use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::complaints::{Quoted, limited};
use crate::failure::Failure;
use crate::message;

/// Why the application refused a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: CloseCode,
    /// JSON, or nothing.
    reason: Box<str>,
}

impl Refusal {
    /// A refusal with a reason that the client receives: any value, usually a text. The server
    /// leaves out a reason that cannot be encoded as JSON, or of more than 8 KiB, and logs that.
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

    /// The application has not decided in time. The client tries again.
    pub(crate) fn late() -> Self {
        limited!("a hook has not decided within connect_timeout");
        let reason = Self::new(&"the application took too long to decide").reason;
        Self { code: CloseCode::INTERNAL, reason }
    }

    /// As [`Self::into_close`], for a client whose new authentication is refused.
    pub(crate) fn into_auth_close(self) -> Close {
        let refused = self.code == CloseCode::REFUSED;
        let code = if refused { CloseCode::AUTH_REFUSED } else { self.code };
        self.with_code(code).into_close()
    }

    /// The refusal of something other than the session, with this code.
    pub(crate) fn into_failure(self, code: &str) -> Failure {
        let payload = Payload::json(ByteString::from(&*self.reason));
        Failure::from_wire(bowline_protocol::Failure { code: code.into(), payload })
    }

    /// The refusal of a namespace.
    pub(crate) fn into_namespace_failure(self) -> Failure {
        let reason = serde_json::from_str::<Box<RawValue>>(&self.reason).ok();
        Failure::new("refused").with(&NamespaceRefused { code: self.code.get(), reason })
    }

    pub(crate) fn into_close(self) -> Close {
        if self.reason.is_empty() {
            return Close::new(self.code);
        }
        Close::with_json(self.code, &self.reason).unwrap_or_else(|_| {
            limited!("the reason of a refusal is too long, or no JSON");
            Close::new(self.code)
        })
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self::new(&reason)
    }
}

impl From<actix_web::Error> for Refusal {
    /// What an actix extractor has against the handshake request becomes the reason. An error of
    /// the server (status 500 and above) reaches the client as one, and the client tries again.
    fn from(error: actix_web::Error) -> Self {
        let refusal = Self::new(&error.to_string());
        if error.as_response_error().status_code().is_server_error() {
            limited!("a hook did not run: {}", Quoted(&error));
            return Self { code: CloseCode::INTERNAL, reason: "".into() };
        }
        refusal
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::new(&failure.code())
    }
}
