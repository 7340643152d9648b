//! Who sent, received and was told what, and when.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::ROOM;

/// The books of all clients.
#[derive(Debug)]
pub struct Books {
    per_client: u64,
    began: Instant,
    clients: Vec<Mutex<Book>>,
    progress: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Book {
    /// How the request of each number ended: unknown, with its answer, or without.
    outcomes: Vec<Option<bool>>,
    /// What came from each other member of the room.
    heard: Vec<Vec<(u64, Duration)>>,
    /// When the client was told that something may be missing.
    told: Vec<Duration>,
    gaps: u64,
    lost_sessions: Vec<Duration>,
}

/// The sum of books.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) sent: u64,
    pub(super) failed: u64,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) unreported: u64,
    /// The longest time from the first message behind a loss until its receiver was told of it.
    pub(super) latest: Duration,
    pub(super) duplicated: u64,
    pub(super) reordered: u64,
    pub(super) gaps: u64,
    pub(super) sessions_lost: u64,
}

impl Books {
    /// Empty books.
    #[must_use]
    pub fn new(clients: usize, per_client: u64) -> Self {
        let size = usize::try_from(per_client).unwrap_or(usize::MAX) + 1;
        let book = || {
            Mutex::new(Book {
                outcomes: vec![None; size],
                heard: vec![Vec::new(); ROOM],
                ..Book::default()
            })
        };
        Self {
            per_client,
            began: Instant::now(),
            clients: (0..clients).map(|_| book()).collect(),
            progress: watch::channel(0).0,
        }
    }

    pub(super) const fn per_client(&self) -> u64 {
        self.per_client
    }

    /// How many messages have arrived, and its changes.
    pub(super) fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    /// Messages that would arrive if none were lost.
    pub(super) fn expected(&self) -> u64 {
        self.per_client * self.clients.len() as u64 * (ROOM as u64 - 1)
    }

    pub(super) fn ended(&self, client: usize, number: u64, answered: bool) {
        self.book(client).outcomes[index(number)] = Some(answered);
    }

    pub(super) fn heard(&self, client: usize, from: usize, number: u64) {
        let now = self.began.elapsed();
        self.book(client).heard[from % ROOM].push((number, now));
        self.progress.send_modify(|progress| *progress += 1);
    }

    pub(super) fn gap(&self, client: usize) {
        let mut book = self.book(client);
        book.gaps += 1;
        book.told.push(self.began.elapsed());
    }

    pub(super) fn lost_session(&self, client: usize) {
        let mut book = self.book(client);
        book.told.push(self.began.elapsed());
        book.lost_sessions.push(self.began.elapsed());
    }

    /// How long after this moment the last session was declared lost.
    /// `None` when none was.
    pub(super) fn declared_after(&self, moment: Instant) -> Option<u64> {
        let moment = moment - self.began;
        let books = self.clients.iter().map(lock);
        let last = books.filter_map(|book| book.lost_sessions.last().copied()).max();
        let after = last.and_then(|last| last.checked_sub(moment))?;
        u64::try_from(after.as_millis()).ok()
    }

    /// The longest time between two messages, for each client and each of these spans:
    /// milliseconds. It may begin before the span and end behind it. A client that received fewer
    /// than two messages has none.
    pub(super) fn silences(&self, spans: &[(Instant, Instant)]) -> Vec<u32> {
        let since = |moment: Instant| moment.saturating_duration_since(self.began);
        let spans: Vec<_> = spans.iter().map(|(from, to)| (since(*from), since(*to))).collect();
        self.clients.iter().flat_map(|book| lock(book).silences(&spans)).collect()
    }

    pub(super) fn sum(&self) -> Sum {
        let mut sum = Sum { sent: self.per_client * self.clients.len() as u64, ..Sum::default() };
        for (client, book) in self.clients.iter().enumerate() {
            let book = lock(book);
            sum.failed +=
                book.outcomes[1..].iter().filter(|end| **end != Some(true)).count() as u64;
            sum.gaps += book.gaps;
            sum.sessions_lost += book.lost_sessions.len() as u64;
            let room = client - client % ROOM;
            for from in (room..room + ROOM).filter(|from| *from != client) {
                // A room's books are locked one after the other: its members have different
                // numbers.
                let outcomes = lock(&self.clients[from]).outcomes.clone();
                sum.add(&book, &book.heard[from % ROOM], &outcomes);
            }
        }
        sum
    }

    fn book(&self, client: usize) -> MutexGuard<'_, Book> {
        lock(&self.clients[client])
    }
}

impl Book {
    fn silences(&self, spans: &[(Duration, Duration)]) -> Vec<u32> {
        let mut heard: Vec<Duration> = self.heard.iter().flatten().map(|(_, at)| *at).collect();
        heard.sort_unstable();
        let longest = |(from, to): &(Duration, Duration)| {
            let around = heard.windows(2).filter(|pair| pair[0] <= *to && pair[1] >= *from);
            let longest = around.map(|pair| pair[1] - pair[0]).max()?;
            u32::try_from(longest.as_millis()).ok()
        };
        spans.iter().filter_map(longest).collect()
    }
}

impl Sum {
    /// What one client has heard of another.
    fn add(&mut self, book: &Book, heard: &[(u64, Duration)], outcomes: &[Option<bool>]) {
        let mut arrivals = vec![None; outcomes.len()];
        let mut highest = 0;
        for &(number, at) in heard {
            match &mut arrivals[index(number)] {
                Some(_) => self.duplicated += 1,
                first => {
                    *first = Some(at);
                    self.delivered += 1;
                    self.reordered += u64::from(number < highest);
                    highest = highest.max(number);
                }
            }
        }
        for number in 1..outcomes.len() {
            if arrivals[number].is_some() {
                continue;
            }
            self.lost += 1;
            let before = arrivals[..number].iter().rev().find_map(|at| *at).unwrap_or_default();
            let after = arrivals[number..].iter().find_map(|at| *at).unwrap_or(Duration::MAX);
            if outcomes[number] != Some(true) {
                // The sender was told.
                continue;
            }
            let told = book.told.iter().find(|told| **told + SLACK >= before);
            let late = told.map_or(Duration::MAX, |told| told.saturating_sub(after));
            self.unreported += u64::from(late > SLACK);
            self.latest = self.latest.max(late);
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Events of different names are written down by different tasks, which may be late by so much.
const SLACK: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Book, Books, Sum};

    #[test]
    fn a_silence_is_the_longest_time_between_two_messages_around_a_span() {
        let at = Duration::from_millis;
        let heard = vec![vec![(1, at(100)), (2, at(900))], vec![(1, at(300)), (2, at(1000))]];
        let book = Book { heard, ..Book::default() };
        assert_eq!(book.silences(&[(at(400), at(500)), (at(950), at(990))]), [600, 100]);
        assert_eq!(book.silences(&[(at(0), at(200))]), [200]);
        assert_eq!(Book::default().silences(&[(at(0), at(200))]), [0; 0]);
    }

    #[test]
    fn a_loss_is_reported_only_by_who_was_told_at_that_place() {
        let books = Books::new(4, 3);
        for client in 0..4 {
            for number in 1..=3 {
                books.ended(client, number, true);
                for other in (0..4).filter(|other| *other != client) {
                    books.heard(other, client, number);
                }
            }
        }
        let whole = books.sum();
        assert_eq!((whole.delivered, whole.lost, whole.reordered), (36, 0, 0));

        let books = Books::new(4, 3);
        for number in [1, 3, 3, 2] {
            books.heard(0, 1, number);
        }
        books.ended(1, 1, true);
        let sum = books.sum();
        let expected = Sum {
            sent: 12,
            failed: 11,
            delivered: 3,
            lost: 33,
            // Of client 1, to clients 2 and 3; all others ended without their answer.
            unreported: 2,
            latest: Duration::MAX,
            duplicated: 1,
            reordered: 1,
            gaps: 0,
            sessions_lost: 0,
        };
        assert_eq!(sum, expected);
        books.gap(2);
        books.lost_session(3);
        assert_eq!((books.sum().unreported, books.sum().latest), (0, Duration::ZERO));
    }
}
