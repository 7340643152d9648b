//! The open requests, by number and by deadline.
//!
//! Spec: 06-rooms-and-requests, "Requests".

use super::outbox::through;
use crate::Time;

/// Takes the size of one pointer when empty, because most sessions have no open request most of the
/// time.
#[derive(Debug, Default)]
pub(crate) struct Requests(Option<Box<Pending>>);

#[derive(Debug)]
struct Pending {
    /// In the order of their numbers.
    open: Vec<Request>,
    /// No open request has an earlier deadline. The request with this deadline may have been
    /// answered: a check that finds nothing is cheaper than a search for the next deadline with
    /// every answer.
    earliest: Time,
}

/// A request without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// The id of the request for the application, for as long as it is open.
    pub(crate) id: u64,
    /// The number of its packet, which may change until a carrier sends it.
    pub(crate) number: u64,
    pub(crate) deadline: Time,
}

impl Requests {
    /// Adds a request.
    pub(crate) fn insert(&mut self, request: Request) {
        let earliest = request.deadline;
        let pending =
            self.0.get_or_insert_with(|| Box::new(Pending { open: Vec::new(), earliest }));
        pending.open.push(request);
        // Usually it is the last one.
        for index in (1..pending.open.len()).rev() {
            if pending.open[index - 1].number < request.number {
                break;
            }
            pending.open.swap(index - 1, index);
        }
        pending.earliest = pending.earliest.min(earliest);
    }

    /// Removes the request whose packet has this number, if it is open.
    pub(crate) fn take(&mut self, number: u64) -> Option<Request> {
        let open = &self.0.as_ref()?.open;
        let index = open.binary_search_by_key(&number, |request| request.number).ok()?;
        self.remove(index)
    }

    /// Removes the request with this id, if it is open.
    pub(crate) fn forget(&mut self, id: u64) -> Option<Request> {
        let index = self.0.as_ref()?.open.iter().position(|request| request.id == id)?;
        self.remove(index)
    }

    /// The number of the packet of the request with this id, if it is open.
    pub(crate) fn number_of(&self, id: u64) -> Option<u64> {
        self.open().iter().find(|request| request.id == id).map(|request| request.number)
    }

    /// When [`Self::take_expired`] may find something.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.0.as_ref().map(|pending| pending.earliest)
    }

    /// Removes the requests whose deadline has passed, in the order of their numbers.
    pub(crate) fn take_expired(&mut self, now: Time) -> Vec<Request> {
        if self.next_deadline().is_none_or(|earliest| now < earliest) {
            return Vec::new();
        }
        let mut expired = Vec::new();
        for request in self.drain() {
            if request.deadline <= now {
                expired.push(request);
            } else {
                self.insert(request);
            }
        }
        expired
    }

    /// The numbers of the requests after this number, in order.
    pub(crate) fn after(&self, number: u64) -> Vec<u64> {
        let numbers = self.open().iter().map(|request| request.number);
        numbers.filter(|open| *open > number).collect()
    }

    /// Lowers the numbers of the requests behind the removed packets.
    pub(crate) fn move_up(&mut self, gone: &[u64]) {
        for request in self.0.iter_mut().flat_map(|pending| &mut pending.open) {
            request.number -= through(gone, request.number);
        }
    }

    /// Raises the numbers of the requests from this number on, before which a packet was inserted.
    pub(crate) fn move_back(&mut self, number: u64) {
        for request in self.0.iter_mut().flat_map(|pending| &mut pending.open) {
            request.number += u64::from(request.number >= number);
        }
    }

    /// Removes all requests, in the order of their numbers.
    pub(crate) fn drain(&mut self) -> Vec<Request> {
        self.0.take().map_or_else(Vec::new, |pending| pending.open)
    }

    fn open(&self) -> &[Request] {
        self.0.as_ref().map_or(&[], |pending| &pending.open)
    }

    fn remove(&mut self, index: usize) -> Option<Request> {
        let open = &mut self.0.as_mut()?.open;
        let request = open.remove(index);
        if open.is_empty() {
            self.0 = None;
        }
        Some(request)
    }
}
