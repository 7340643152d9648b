//! Who sent and received what.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use bowline_fixtures::flow::{Flow, Order};

/// The books of all flows of all clients.
#[derive(Debug)]
pub struct Ledger {
    per_flow: u64,
    flows: Vec<Flow>,
    books: Vec<Vec<Mutex<Book>>>,
    progress: watch::Sender<u64>,
}

/// The book of one flow: what arrived, and what was answered.
#[derive(Debug, Default, Clone)]
pub(crate) struct Book {
    /// How often each number arrived; numbers begin at 1.
    arrivals: Vec<u32>,
    order: Order,
    /// How often the request of each number ended, and how often with the right answer.
    endings: Vec<u32>,
    wrong_answers: u64,
}

/// The sum of books.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) unresolved: u64,
    pub(crate) resolved_twice: u64,
    pub(crate) wrong_answers: u64,
}

impl Ledger {
    /// Empty books of these flows.
    #[must_use]
    pub fn new(clients: u64, per_flow: u64, flows: Vec<Flow>) -> Self {
        let size = usize::try_from(per_flow).unwrap_or(usize::MAX) + 1;
        let book = || {
            Mutex::new(Book { arrivals: vec![0; size], endings: vec![0; size], ..Book::default() })
        };
        let books = (0..clients).map(|_| flows.iter().map(|_| book()).collect()).collect();
        Self { per_flow, flows, books, progress: watch::channel(0).0 }
    }

    /// The messages of all flows.
    #[must_use]
    pub fn planned(&self) -> u64 {
        self.per_flow * (self.books.len() * self.flows.len()) as u64
    }

    /// How many messages each flow has.
    #[must_use]
    pub const fn per_flow(&self) -> u64 {
        self.per_flow
    }

    /// A number has arrived.
    pub fn arrived(&self, client: usize, flow: Flow, number: u64) {
        let mut book = self.book(client, flow);
        let before = book.count_arrival(number);
        drop(book);
        if before == 0 {
            self.progress.send_modify(|progress| *progress += 1);
        }
    }

    /// The request of this number has ended.
    pub fn ended(&self, client: usize, flow: Flow, number: u64, right: bool) {
        let mut book = self.book(client, flow);
        if let Some(count) = book.endings.get_mut(index(number)) {
            *count += 1;
        }
        book.wrong_answers += u64::from(!right);
    }

    /// The largest number that arrived in a flow.
    #[must_use]
    pub fn highest(&self, client: usize, flow: Flow) -> u64 {
        self.book(client, flow).order.highest
    }

    /// The number of first arrivals over all flows, and its changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    pub(crate) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for books in &self.books {
            for (flow, book) in self.flows.iter().zip(books) {
                sum.add(&lock(book), flow.is_request());
            }
        }
        sum
    }

    fn book(&self, client: usize, flow: Flow) -> MutexGuard<'_, Book> {
        let place = self.flows.iter().position(|other| *other == flow);
        lock(&self.books[client][place.expect("the run has this flow")])
    }
}

impl Book {
    /// Writes an arrival down. Returns how often the number had arrived before.
    fn count_arrival(&mut self, number: u64) -> u32 {
        let Some(count) = self.arrivals.get_mut(index(number)) else { return 0 };
        *count += 1;
        let before = *count - 1;
        if before == 0 {
            self.order.first(number);
        }
        before
    }
}

impl Sum {
    fn add(&mut self, book: &Book, is_request: bool) {
        for &count in &book.arrivals[1..] {
            self.delivered += u64::from(count > 0);
            self.lost += u64::from(count == 0);
            self.duplicated += u64::from(count.saturating_sub(1));
        }
        self.reordered += book.order.reordered;
        self.wrong_answers += book.wrong_answers;
        if is_request {
            for &count in &book.endings[1..] {
                self.unresolved += u64::from(count == 0);
                self.resolved_twice += u64::from(count.saturating_sub(1));
            }
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Flow, Ledger, Sum};

    #[test]
    fn the_books_notice_every_kind_of_fault() {
        let ledger = Ledger::new(1, 4, Flow::ALL.to_vec());
        for number in [1, 3, 2, 2] {
            ledger.arrived(0, Flow::EventUp, number);
        }
        for number in 1..=4 {
            ledger.arrived(0, Flow::EventDown, number);
            ledger.arrived(0, Flow::RequestUp, number);
            ledger.arrived(0, Flow::RequestDown, number);
            ledger.ended(0, Flow::RequestUp, number, number != 4);
        }
        ledger.ended(0, Flow::RequestDown, 1, true);
        ledger.ended(0, Flow::RequestDown, 1, true);
        let expected = Sum {
            delivered: 15,
            lost: 1,
            duplicated: 1,
            reordered: 1,
            unresolved: 3,
            resolved_twice: 1,
            wrong_answers: 1,
        };
        assert_eq!(ledger.sum(), expected);
    }
}
