//! The requests that wait for an answer, by number and by deadline.
//!
//! Spec: 06-rooms-and-requests, "Requests".

use std::collections::{BTreeMap, BTreeSet};

use crate::Time;

/// Empty it takes one pointer, because most sessions have no request open most of the time.
#[derive(Debug, Default)]
pub(crate) struct Requests(Option<Box<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    deadlines: BTreeMap<u64, Time>,
    by_deadline: BTreeSet<(Time, u64)>,
}

impl Requests {
    pub(crate) fn insert(&mut self, request: u64, deadline: Time) {
        let pending = self.0.get_or_insert_default();
        pending.deadlines.insert(request, deadline);
        pending.by_deadline.insert((deadline, request));
    }

    /// True if the request was open.
    pub(crate) fn remove(&mut self, request: u64) -> bool {
        self.take(request).is_some()
    }

    /// Removes the request and returns its deadline if it was open.
    pub(crate) fn take(&mut self, request: u64) -> Option<Time> {
        let pending = self.0.as_mut()?;
        let deadline = pending.deadlines.remove(&request)?;
        pending.by_deadline.remove(&(deadline, request));
        if pending.deadlines.is_empty() {
            self.0 = None;
        }
        Some(deadline)
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        Some(self.0.as_ref()?.by_deadline.first()?.0)
    }

    /// Removes a request whose deadline has passed.
    pub(crate) fn pop_expired(&mut self, now: Time) -> Option<u64> {
        let &(deadline, request) = self.0.as_ref()?.by_deadline.first()?;
        (deadline <= now && self.remove(request)).then_some(request)
    }

    /// Removes all, oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = u64> + use<> {
        self.0.take().into_iter().flat_map(|pending| pending.deadlines.into_keys())
    }
}
