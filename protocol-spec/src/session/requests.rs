//! The requests that wait for an answer, by number and by deadline.
//!
//! Spec: 06-rooms-and-requests, "Requests".

use crate::Time;

/// Empty it takes one pointer, because most sessions have no request open most of the time.
#[derive(Debug, Default)]
pub(crate) struct Requests(Option<Box<Pending>>);

#[derive(Debug)]
struct Pending {
    /// Open requests with their deadlines. Numbers grow, so they stand in order.
    open: Vec<(u64, Time)>,
    /// No open request has an earlier deadline. One that was answered may have had it: then nothing is
    /// found when it comes, and that is cheaper than to look for the next with every answer.
    earliest: Time,
}

impl Requests {
    /// Takes a request whose number is higher than any before.
    pub(crate) fn insert(&mut self, request: u64, deadline: Time) {
        let pending = self
            .0
            .get_or_insert_with(|| Box::new(Pending { open: Vec::new(), earliest: deadline }));
        pending.open.push((request, deadline));
        pending.earliest = pending.earliest.min(deadline);
    }

    /// True if the request was open.
    pub(crate) fn remove(&mut self, request: u64) -> bool {
        self.take(request).is_some()
    }

    /// Removes the request and returns its deadline if it was open.
    pub(crate) fn take(&mut self, request: u64) -> Option<Time> {
        let open = &mut self.0.as_mut()?.open;
        let index = open.binary_search_by_key(&request, |(number, _)| *number).ok()?;
        let (_, deadline) = open.remove(index);
        if open.is_empty() {
            self.0 = None;
        }
        Some(deadline)
    }

    /// When [`Self::pop_expired`] may find something.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.0.as_ref().map(|pending| pending.earliest)
    }

    /// Removes a request whose deadline has passed.
    pub(crate) fn pop_expired(&mut self, now: Time) -> Option<u64> {
        let pending = self.0.as_mut()?;
        if now < pending.earliest {
            return None;
        }
        match pending.open.iter().find(|(_, deadline)| *deadline <= now) {
            Some(&(request, _)) => self.remove(request).then_some(request),
            None => {
                let deadlines = pending.open.iter().map(|(_, deadline)| *deadline);
                pending.earliest = deadlines.min()?;
                None
            }
        }
    }

    /// Removes all, oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = u64> + use<> {
        let open = self.0.take().map_or_else(Vec::new, |pending| pending.open);
        open.into_iter().map(|(request, _)| request)
    }
}
