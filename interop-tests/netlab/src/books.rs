//! What both ends of a row have said, put together.

use std::collections::BTreeMap;

use crate::record::{Event, Flow, Record};
use bowline_fixtures::flow::Order;

/// Everything that is known of one row.
#[derive(Debug, Default)]
pub(crate) struct Books {
    flows: BTreeMap<Flow, Book>,
    pub(crate) connecting: Option<f64>,
    /// Every transport that the client reported, and when.
    pub(crate) transports: Vec<(f64, String)>,
    /// Programs that send nothing new.
    pub(crate) stopped: usize,
    pub(crate) port: Option<u16>,
    pub(crate) notes: Vec<String>,
    /// Programs that do not work, and why.
    pub(crate) failures: Vec<String>,
    /// When the client said that it is not connected any more.
    away: Vec<f64>,
}

#[derive(Debug, Default)]
struct Book {
    sent: BTreeMap<u64, f64>,
    arrived: BTreeMap<u64, Arrival>,
    ended: BTreeMap<u64, (f64, bool)>,
    refused: u64,
    order: Order,
    wrong: u64,
}

#[derive(Debug)]
struct Arrival {
    first: f64,
    times: u64,
}

/// The sums of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    /// Not taken, with an error at once.
    pub(crate) refused: u64,
    /// Arrivals of what was never sent, or was refused.
    pub(crate) unsent: u64,
}

impl Books {
    pub(crate) fn write(&mut self, record: Record) {
        let at = record.at;
        match record.said {
            Event::Listening { port } => self.port = Some(port),
            Event::Connecting => self.connecting = Some(at),
            Event::Transport { name } => self.transports.push((at, name)),
            Event::Stopped => self.stopped += 1,
            Event::Away => self.away.push(at),
            Event::Note { text } => self.notes.push(text),
            Event::Failed { why } => self.failures.push(why),
            Event::Sent { flow, number } => drop(self.book(flow).sent.insert(number, at)),
            Event::Refused { flow, number } => {
                let book = self.book(flow);
                book.sent.remove(&number);
                book.refused += 1;
            }
            Event::Arrived { flow, number } => self.book(flow).arrive(number, at),
            Event::Ended { flow, number, right } => {
                let book = self.book(flow);
                if !right && book.was_refused(number, at) {
                    book.sent.remove(&number);
                    book.refused += 1;
                    return;
                }
                book.wrong += u64::from(book.ended.insert(number, (at, right)).is_some());
            }
        }
    }

    /// When the first request of the client was answered.
    pub(crate) fn first_answer(&self) -> Option<f64> {
        let ended = self.flows.get(&Flow::RequestUp)?.ended.values();
        ended.filter(|(_, right)| *right).map(|(at, _)| *at).min_by(f64::total_cmp)
    }

    /// When messages that were sent after this moment had passed both ways: a request of the client
    /// was answered and an event of the server had arrived.
    pub(crate) fn recovered_after(&self, moment: f64) -> Option<f64> {
        let (up, down) = (self.flows.get(&Flow::RequestUp)?, self.flows.get(&Flow::EventDown)?);
        let answered = up.since(moment).filter_map(|number| up.ended.get(number));
        let answered = answered.filter(|(_, right)| *right).map(|(at, _)| *at);
        let arrived = down.since(moment).filter_map(|number| down.arrived.get(number));
        let arrived = arrived.map(|arrival| arrival.first);
        Some(answered.min_by(f64::total_cmp)?.max(arrived.min_by(f64::total_cmp)?))
    }

    /// When the client first noticed, after this moment, that its connection was gone.
    pub(crate) fn noticed_after(&self, moment: f64) -> Option<f64> {
        let changes = self.transports.iter().map(|(at, _)| at).chain(&self.away);
        changes.copied().filter(|at| *at >= moment).min_by(f64::total_cmp)
    }

    /// Flows in which nobody ever sent anything: a program that does not do its part.
    pub(crate) fn silent(&self) -> Vec<Flow> {
        let said = |flow: &Flow| {
            self.flows.get(flow).is_some_and(|book| book.refused > 0 || !book.sent.is_empty())
        };
        Flow::ALL.into_iter().filter(|flow| !said(flow)).collect()
    }

    /// True when nothing is under way any more.
    pub(crate) fn is_complete(&self) -> bool {
        self.flows.iter().all(|(flow, book)| book.missing(*flow) == 0)
    }

    pub(crate) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for (flow, book) in &self.flows {
            sum.sent += book.sent.len() as u64;
            sum.lost += book.missing(*flow);
            sum.duplicated += book.wrong;
            sum.duplicated += book.arrived.values().map(|arrival| arrival.times - 1).sum::<u64>();
            sum.reordered += book.order.reordered;
            sum.refused += book.refused;
            let unsent = book.arrived.keys().filter(|number| !book.sent.contains_key(number));
            sum.unsent += unsent.count() as u64;
        }
        sum
    }

    fn book(&mut self, flow: Flow) -> &mut Book {
        self.flows.entry(flow).or_default()
    }
}

impl Book {
    fn arrive(&mut self, number: u64, at: f64) {
        let arrival = self.arrived.entry(number).or_insert(Arrival { first: at, times: 0 });
        arrival.times += 1;
        if arrival.times == 1 {
            self.order.first(number);
        }
    }

    /// A request that fails at once was not taken: whoever asked knows that it was never sent.
    fn was_refused(&self, number: u64, at: f64) -> bool {
        let sent = self.sent.get(&number);
        sent.is_some_and(|sent| at - sent < AT_ONCE) && !self.arrived.contains_key(&number)
    }

    /// The numbers that were sent at this moment or later.
    fn since(&self, moment: f64) -> impl Iterator<Item = &u64> {
        self.sent.iter().filter(move |(_, at)| **at >= moment).map(|(number, _)| number)
    }

    /// What did not arrive, and what was not answered rightly.
    fn missing(&self, flow: Flow) -> u64 {
        let is_answered = |number: &u64| self.ended.get(number).is_some_and(|(_, right)| *right);
        let is_there = |number: &&u64| {
            self.arrived.contains_key(number) && (!flow.is_request() || is_answered(number))
        };
        self.sent.keys().filter(|number| !is_there(number)).count() as u64
    }
}

/// Milliseconds in which no answer can have come through a network.
const AT_ONCE: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::{Books, Event, Flow, Record, Sum};

    fn books(records: &[(f64, Event)]) -> Books {
        let mut books = Books::default();
        for (at, said) in records {
            books.write(Record { at: *at, said: said.clone() });
        }
        books
    }

    fn sent(flow: Flow, number: u64) -> Event {
        Event::Sent { flow, number }
    }

    fn arrived(flow: Flow, number: u64) -> Event {
        Event::Arrived { flow, number }
    }

    #[test]
    fn the_books_notice_what_is_lost_duplicated_and_reordered() {
        let mut records: Vec<(f64, Event)> =
            (1..=4).map(|number| (0.0, sent(Flow::EventUp, number))).collect();
        for number in [1, 3, 2, 2] {
            records.push((1.0, arrived(Flow::EventUp, number)));
        }
        records.push((0.0, sent(Flow::RequestDown, 1)));
        records.push((2.0, arrived(Flow::RequestDown, 1)));
        records.push((33.0, Event::Ended { flow: Flow::RequestDown, number: 1, right: false }));
        records.push((0.0, sent(Flow::EventDown, 1)));
        records.push((0.0, Event::Refused { flow: Flow::EventDown, number: 1 }));
        records.push((0.0, arrived(Flow::EventDown, 1)));
        let books = books(&records);
        let expected = Sum { sent: 5, lost: 2, duplicated: 1, reordered: 1, refused: 1, unsent: 1 };
        assert_eq!(books.sum(), expected);
        assert!(!books.is_complete());
        assert_eq!(books.silent(), [Flow::RequestUp]);
    }

    #[test]
    fn a_request_whose_answer_came_and_that_never_arrived_is_lost() {
        let flow = Flow::RequestUp;
        let ended = Event::Ended { flow, number: 1, right: true };
        let mut records = vec![(0.0, sent(flow, 1)), (2.0, ended)];
        assert_eq!(books(&records).sum().lost, 1);
        records.push((1.0, arrived(flow, 1)));
        assert_eq!(books(&records).sum().lost, 0);
    }

    #[test]
    fn recovery_needs_both_directions_and_messages_sent_after_the_fault() {
        let (up, down) = (Flow::RequestUp, Flow::EventDown);
        let ended = |number| Event::Ended { flow: up, number, right: true };
        let mut records = vec![
            (1.0, sent(up, 1)),
            (1.0, sent(down, 1)),
            (1.5, arrived(up, 1)),
            (2.0, ended(1)),
            (6.0, arrived(down, 1)),
            (5.0, sent(up, 2)),
            (5.0, sent(down, 2)),
            (7.0, arrived(up, 2)),
            (8.0, ended(2)),
        ];
        assert_eq!(books(&records).recovered_after(4.0), None);
        assert_eq!(books(&records).first_answer(), Some(2.0));
        records.push((9.0, arrived(down, 2)));
        assert_eq!(books(&records).recovered_after(4.0), Some(9.0));
        assert!(books(&records).is_complete());
    }
}
