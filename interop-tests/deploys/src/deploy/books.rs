//! What the clients know beside what the servers have written down.

use std::collections::HashMap;

use super::journal::{Entry, Kind};
use super::notices::{Asked, Book, Lost};
use bowline_fixtures::flow::Order;

/// What everything came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sum {
    /// Messages: events, requests and their answers, and broadcasts, one for each client.
    pub(super) sent: u64,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    pub(super) reordered: u64,
    /// Requests that have not ended.
    pub(super) unresolved: u64,
    pub(super) sessions_lost: u64,
    /// Of them, those that an older server did not go on with.
    pub(super) lost_by_rollback: u64,
    /// Losses of which the client was not told.
    pub(super) unreported: u64,
    /// Clients that ended on another transport than they began on.
    pub(super) moved: u64,
    /// Milliseconds from the moment in which a process listens to each client's first message, for
    /// all processes.
    pub(super) firsts: Vec<u32>,
}

/// Compares the books. `listened` is when each process that replaced another began to listen.
pub(super) fn sum(books: &[Book], journal: &[Entry], listened: &[f64]) -> Sum {
    let mut sum = Sum::default();
    let arrived = Arrived::new(journal);
    let ticks = arrived.of(Kind::Tick, 0);
    for book in books {
        sum.sessions_lost += book.lost.len() as u64;
        sum.moved += u64::from(book.moved);
        sum.went_up(&book.events, arrived.of(Kind::Event, book.client), &book.lost);
        sum.asked(&book.requests, arrived.of(Kind::Request, book.client), &book.lost);
        sum.asked(&book.waits, arrived.of(Kind::Wait, book.client), &book.lost);
        sum.came_down(ticks, book);
        sum.firsts.extend(listened.iter().map(|at| first_after(book, *at)));
    }
    sum
}

/// Numbers in the order in which they have arrived.
struct Arrived(HashMap<(char, usize), Vec<u64>>);

impl Arrived {
    fn new(journal: &[Entry]) -> Self {
        let mut arrived = HashMap::<_, Vec<u64>>::new();
        for entry in journal {
            arrived.entry((entry.kind.letter(), entry.client)).or_default().push(entry.number);
        }
        Self(arrived)
    }

    fn of(&self, kind: Kind, client: usize) -> &[u64] {
        self.0.get(&(kind.letter(), client)).map_or(&[], Vec::as_slice)
    }
}

impl Sum {
    /// Messages of a client, numbered from 1, and what has arrived of them. A loss is reported if
    /// the client was told later that its session is lost.
    fn went_up(&mut self, sent: &[u64], arrived: &[u64], lost: &[Lost]) {
        let missing = self.arrivals(sent.len(), arrived.iter().copied());
        let silent = missing.iter().filter(|number| !is_reported(sent, **number, lost));
        self.unreported += silent.count() as u64;
    }

    /// Requests and their answers. A request that has ended without an answer is a loss that was
    /// reported.
    fn asked(&mut self, asked: &Asked, arrived: &[u64], lost: &[Lost]) {
        let failed = |number: u64| asked.ended.iter().any(|(ended, _, _)| *ended == number);
        let missing = self.arrivals(asked.sent.len(), arrived.iter().copied());
        let silent = missing.iter().filter(|number| !failed(**number));
        let silent = silent.filter(|number| !is_reported(&asked.sent, **number, lost));
        self.unreported += silent.count() as u64;
        let right = asked.ended.iter().filter(|(_, _, is_right)| *is_right);
        let missing = self.arrivals(asked.sent.len(), right.map(|(number, _, _)| *number));
        let unresolved = missing.iter().filter(|number| !failed(**number)).count() as u64;
        self.unresolved += unresolved;
        self.unreported += unresolved;
    }

    /// Broadcasts. A loss is reported if the client was told between the messages around it that
    /// its session is lost.
    fn came_down(&mut self, said: &[u64], book: &Book) {
        let place: HashMap<u64, u64> = said.iter().zip(1..).map(|(tick, at)| (*tick, at)).collect();
        // A process of another library that was killed may have said one more than it wrote down.
        let heard =
            book.ticks.iter().filter_map(|(tick, _, turn)| Some((*place.get(tick)?, *turn)));
        let heard: Vec<(u64, u64)> = heard.collect();
        for number in self.arrivals(said.len(), heard.iter().map(|(number, _)| *number)) {
            let turns = |is: fn(u64, u64) -> bool| {
                heard.iter().filter(move |(other, _)| is(*other, number)).map(|(_, turn)| *turn)
            };
            let before = turns(|other, number| other < number).max().unwrap_or(0);
            let after = turns(|other, number| other > number).min().unwrap_or(u64::MAX);
            let is_told = book.lost.iter().any(|lost| (before..=after).contains(&lost.turn));
            self.unreported += u64::from(!is_told);
        }
    }

    /// Counts what arrived of the numbers from 1 to `sent`, and returns those that did not.
    fn arrivals(&mut self, sent: usize, arrived: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut counts = vec![0_u64; sent];
        let mut order = Order::default();
        for number in arrived {
            let Some(count) = counts.get_mut((number as usize).wrapping_sub(1)) else { continue };
            *count += 1;
            if *count == 1 {
                order.first(number);
            }
        }
        let missing =
            (1..).zip(&counts).filter(|(_, count)| **count == 0).map(|(number, _)| number);
        let missing: Vec<u64> = missing.collect();
        self.sent += sent as u64;
        self.lost += missing.len() as u64;
        self.delivered += (sent - missing.len()) as u64;
        self.duplicated += counts.iter().map(|count| count.saturating_sub(1)).sum::<u64>();
        self.reordered += order.reordered;
        missing
    }
}

/// A client was told that its session is lost after it sent this number.
fn is_reported(sent: &[u64], number: u64, lost: &[Lost]) -> bool {
    lost.iter().any(|lost| lost.place > sent[number as usize - 1])
}

/// Milliseconds until the first message that a client received after this moment.
fn first_after(book: &Book, moment: f64) -> u32 {
    let ticks = book.ticks.iter().map(|(_, at, _)| *at);
    let ended = [&book.requests, &book.waits].into_iter().flat_map(|asked| &asked.ended);
    let answers = ended.filter(|(_, _, is_right)| *is_right).map(|(_, at, _)| *at);
    let first = ticks.chain(answers).filter(|at| *at >= moment).fold(f64::INFINITY, f64::min);
    // A client that never received anything has the largest number there is.
    (first - moment) as u32
}

#[cfg(test)]
mod tests {
    use super::{Asked, Book, Entry, Kind, Lost, Sum, sum};

    fn journal(entries: &[(Kind, u64)]) -> Vec<Entry> {
        let client = |kind| if kind == Kind::Tick { 0 } else { 3 };
        entries
            .iter()
            .map(|(kind, number)| Entry { kind: *kind, client: client(*kind), number: *number })
            .collect()
    }

    fn book() -> Book {
        Book {
            client: 3,
            noted: 60,
            events: vec![10, 30],
            requests: Asked { sent: vec![20], ended: vec![(1, 1600.0, true)] },
            ticks: vec![(1, 1100.0, 11), (2, 2400.0, 40), (3, 3100.0, 50)],
            ..Book::default()
        }
    }

    fn lost(place: u64, turn: u64) -> Lost {
        Lost { at: 2000.0, place, turn }
    }

    const WHOLE: &[(Kind, u64)] = &[
        (Kind::Event, 1),
        (Kind::Tick, 1),
        (Kind::Request, 1),
        (Kind::Event, 2),
        (Kind::Tick, 2),
        (Kind::Tick, 3),
    ];

    #[test]
    fn when_everything_has_arrived_nothing_is_wrong() {
        let whole = sum(&[book()], &journal(WHOLE), &[1500.0, 2000.0]);
        let expected = Sum { sent: 7, delivered: 7, firsts: vec![100, 400], ..Sum::default() };
        assert_eq!(whole, expected);
    }

    #[test]
    fn the_books_notice_what_came_twice_or_late_and_who_never_came_back() {
        let mut twice = WHOLE.to_vec();
        twice.extend([(Kind::Request, 1), (Kind::Event, 1)]);
        assert_eq!(sum(&[book()], &journal(&twice), &[]).duplicated, 2);

        let mut late = book();
        late.ticks.swap(0, 1);
        assert_eq!(sum(&[late], &journal(WHOLE), &[]).reordered, 1);
        assert_eq!(sum(&[book()], &journal(WHOLE), &[3200.0]).firsts, [u32::MAX]);
    }

    #[test]
    fn a_message_that_went_up_and_is_gone_is_reported_by_a_session_that_is_lost_later() {
        let gone = journal(&[&WHOLE[..3], &WHOLE[4..]].concat());
        let told = |place| Book { lost: vec![lost(place, 60)], ..book() };
        let counts = |sum: &Sum| (sum.lost, sum.unreported, sum.sessions_lost);
        assert_eq!(counts(&sum(&[book()], &gone, &[])), (1, 1, 0));
        assert_eq!(counts(&sum(&[told(29)], &gone, &[])), (1, 1, 1));
        assert_eq!(counts(&sum(&[told(31)], &gone, &[])), (1, 0, 1));
    }

    #[test]
    fn a_broadcast_that_is_gone_is_reported_between_those_around_it() {
        let mut book = book();
        book.ticks.remove(1);
        let unreported = |turn| {
            let book = Book { lost: vec![lost(60, turn)], ..book.clone() };
            sum(&[book], &journal(WHOLE), &[]).unreported
        };
        assert_eq!(sum(&[book.clone()], &journal(WHOLE), &[]).unreported, 1);
        assert_eq!(unreported(10), 1, "before the one before");
        assert_eq!(unreported(11), 0, "in the same turn as the one before");
        assert_eq!(unreported(40), 0);
        assert_eq!(unreported(50), 0, "in the same turn as the one behind");
        assert_eq!(unreported(51), 1, "after the one behind");
    }

    #[test]
    fn a_request_ends_with_its_answer_or_with_an_error_or_not_at_all() {
        let ending = |ended: Vec<(u64, f64, bool)>| {
            let requests = Asked { sent: vec![20], ended };
            sum(&[Book { requests, ..book() }], &journal(WHOLE), &[])
        };
        let failed = ending(vec![(1, 1600.0, false)]);
        assert_eq!((failed.lost, failed.unresolved, failed.unreported), (1, 0, 0));
        let hangs = ending(Vec::new());
        assert_eq!((hangs.lost, hangs.unresolved, hangs.unreported), (1, 1, 1));
        let twice = ending(vec![(1, 1600.0, true), (1, 1700.0, true)]);
        assert_eq!((twice.lost, twice.duplicated), (0, 1));
    }
}
