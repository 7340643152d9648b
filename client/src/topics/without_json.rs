//! A client without JSON has no topics.

use bowline_protocol::Message;

use crate::inlet::Backlog;

/// No subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Topics(());

impl Topics {
    pub(crate) const fn answered(&self, _: u64) {}

    pub(crate) const fn deliver(&self, _: &Message, _: &Backlog) {}
}
