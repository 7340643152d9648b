//! The requests that wait for an answer, by number and by deadline.
//!
//! Spec: 06-rooms-and-requests, "Requests".

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::Time;

/// Empty it takes one pointer, because most sessions have no request open most of the time.
#[derive(Debug, Default)]
pub(crate) struct Requests(Option<Box<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    /// Open requests with their deadlines. Numbers grow, so they stand in order.
    open: VecDeque<(u64, Time)>,
    /// The earliest deadline is on top; it is of an open request. Those below may be of answered ones.
    by_deadline: BinaryHeap<Reverse<(Time, u64)>>,
}

impl Requests {
    /// Takes a request whose number is higher than any before.
    pub(crate) fn insert(&mut self, request: u64, deadline: Time) {
        let pending = self.0.get_or_insert_default();
        pending.open.push_back((request, deadline));
        pending.by_deadline.push(Reverse((deadline, request)));
    }

    /// True if the request was open.
    pub(crate) fn remove(&mut self, request: u64) -> bool {
        self.take(request).is_some()
    }

    /// Removes the request and returns its deadline if it was open.
    pub(crate) fn take(&mut self, request: u64) -> Option<Time> {
        let pending = self.0.as_mut()?;
        let index = pending.find(request)?;
        let (_, deadline) = pending.open.remove(index)?;
        if pending.open.is_empty() {
            self.0 = None;
        } else {
            pending.forget_answered();
        }
        Some(deadline)
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let Reverse((deadline, _)) = self.0.as_ref()?.by_deadline.peek()?;
        Some(*deadline)
    }

    /// Removes a request whose deadline has passed.
    pub(crate) fn pop_expired(&mut self, now: Time) -> Option<u64> {
        let &Reverse((deadline, request)) = self.0.as_ref()?.by_deadline.peek()?;
        (deadline <= now && self.remove(request)).then_some(request)
    }

    /// Removes all, oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = u64> + use<> {
        self.0.take().into_iter().flat_map(|pending| pending.open).map(|(request, _)| request)
    }
}

impl Pending {
    fn find(&self, request: u64) -> Option<usize> {
        self.open.binary_search_by_key(&request, |(number, _)| *number).ok()
    }

    /// Keeps an open request on top of the deadlines, and answered ones a minority.
    fn forget_answered(&mut self) {
        if self.by_deadline.len() > 2 * self.open.len() + FEW {
            let open = self.open.iter().map(|&(number, deadline)| Reverse((deadline, number)));
            self.by_deadline = open.collect();
        }
        while let Some(Reverse((_, request))) = self.by_deadline.peek()
            && self.find(*request).is_none()
        {
            self.by_deadline.pop();
        }
    }
}

/// So few answered requests are not worth the cleaning.
const FEW: usize = 16;
