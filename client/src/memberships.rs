//! The namespaces that a client has joined, and joins again in each new session.
//!
//! Spec: 13-namespaces, "Joining".

use std::sync::{Arc, Mutex, PoisonError};

use bowline_protocol::Payload;
use bytestring::ByteString;
use futures::channel::oneshot;

/// One namespace.
#[derive(Debug)]
pub(crate) struct Membership {
    /// Its name.
    pub(crate) name: String,
    /// The name of the request that joins it, and its payload.
    pub(crate) join: (&'static str, Payload),
    end: Mutex<End>,
}

/// Why a client is no longer in a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceEnd {
    /// A short word that programs compare: `kicked`, `left`, or the code of the failure with which
    /// the server has refused to let the client join again, such as `refused`.
    pub code: ByteString,
    /// What the server has sent with it.
    pub details: Payload,
}

#[derive(Debug, Default)]
struct End {
    reason: Option<NamespaceEnd>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Membership {
    pub(crate) fn new(name: &str, join: (&'static str, Payload)) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), join, end: Mutex::default() })
    }

    /// Why it has ended, if it has.
    pub(crate) fn reason(&self) -> Option<NamespaceEnd> {
        self.locked(|end| end.reason.clone())
    }

    /// Resolves when it has ended.
    pub(crate) fn wait(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.locked(|end| match end.reason {
            Some(_) => drop(sender),
            None => {
                end.waiting.retain(|waiting| !waiting.is_canceled());
                end.waiting.push(sender);
            }
        });
        receiver
    }

    /// It has ended; the first reason counts.
    pub(crate) fn end(&self, code: ByteString, details: Payload) {
        let waiting = self.locked(|end| {
            end.reason.get_or_insert(NamespaceEnd { code, details });
            std::mem::take(&mut end.waiting)
        });
        drop(waiting);
    }

    fn locked<T>(&self, act: impl FnOnce(&mut End) -> T) -> T {
        act(&mut self.end.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
