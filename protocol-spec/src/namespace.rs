//! The payloads and names of namespaces: parts of a session with their own authentication, rooms
//! and handlers.
//!
//! Spec: 13-namespaces.

use serde::{Deserialize, Serialize};

/// The name of the request of a client that wants to join a namespace: a [`JoinNamespace`],
/// answered with an acknowledgement.
pub const JOIN: &str = "bowline.join";
/// The name of the request of a client that leaves a namespace: a [`LeaveNamespace`].
pub const LEAVE: &str = "bowline.leave";
/// The name of the event that notifies a client of the end of a membership: a [`NamespaceLeft`].
pub const LEFT: &str = "bowline.left";

/// What a client wants to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinNamespace<T> {
    /// The namespace.
    pub namespace: String,
    /// The authentication for it; `None` is the value `null`.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub auth: Option<T>,
}

/// A namespace that a client leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveNamespace {
    /// The namespace.
    pub namespace: String,
}

/// The details of the failure `refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceRefused<T> {
    /// The close code of the refusal.
    pub code: u16,
    /// The application's reason.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub reason: Option<T>,
}

/// The end of a membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceLeft<T> {
    /// The namespace.
    pub namespace: String,
    /// Why: one of the constants of this type.
    pub code: String,
    /// The application's reason.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub reason: Option<T>,
}

impl NamespaceLeft<()> {
    /// The application has ended the membership. The client does not join again by itself.
    pub const KICKED: &'static str = "kicked";
}

/// True for the name of a namespace.
#[must_use]
pub fn is_namespace(name: &str) -> bool {
    (2..=MAX_NAMESPACE).contains(&name.len())
        && name.starts_with('/')
        && !name.chars().any(|one| one <= ' ' || one == ',')
}

/// The namespace of a message, and its name there. `None` for a message of the main namespace.
#[must_use]
pub fn split_namespace(message: &str) -> Option<(&str, &str)> {
    message.split_once(',').filter(|(namespace, _)| is_namespace(namespace))
}

/// Bytes of a namespace's name at most.
const MAX_NAMESPACE: usize = 32;
