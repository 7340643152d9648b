//! The subscriptions of a client to topics, and what arrives for them.
//!
//! Spec: 11-topics, "Events".

mod item;
mod registry;

pub use item::{Published, TopicItem};
pub(crate) use registry::{Entry, Notice, Topics};
