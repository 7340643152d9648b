//! A client without JSON has no streams.

use bowline_protocol::{Encoded, Message, Payload};

use crate::inlet::Backlog;

/// No streams.
#[derive(Debug, Default)]
pub(crate) struct Streams(());

impl Streams {
    pub(crate) const fn opened(&self, _: u64, _: u64, _: &Payload) {}

    pub(crate) const fn deliver(&self, _: &Message, _: &Backlog) -> Option<Encoded> {
        None
    }

    pub(crate) const fn lose(&self, _: u64) {}

    pub(crate) const fn close(&self) {}

    pub(crate) const fn wants_room(&self) -> bool {
        false
    }

    pub(crate) const fn has_room(&self) -> Vec<Encoded> {
        Vec::new()
    }

    pub(crate) fn owe(&self, _: Encoded) {}
}
