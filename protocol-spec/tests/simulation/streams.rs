//! One direction of a stream over a session: a sender and a receiver with their windows, items and
//! credits under way, and an application that takes items when it likes.
//!
//! Items and credits are tracked events, so nothing between the ends is lost or reordered: the
//! other schedules check that. Here the network only delays.

use std::collections::VecDeque;

use bowline_protocol::{ReceiveWindow, SendWindow, Window};

use crate::rng::Rng;

/// What happened in one schedule or more, so that a test can see that everything was tried.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) waits_for_items: u64,
    pub(crate) waits_for_bytes: u64,
    pub(crate) false_credits: u64,
    pub(crate) items: u64,
}

struct Stream {
    rng: Rng,
    window: Window,
    sender: SendWindow,
    receiver: ReceiveWindow,
    /// The item that the source has produced and that does not fit yet.
    held: Option<u64>,
    left: u64,
    items: VecDeque<u64>,
    credits: VecDeque<u64>,
    waiting: VecDeque<u64>,
    /// The truth: the sizes of what was sent and not taken.
    outstanding: VecDeque<u64>,
    taken: u64,
    seen: Seen,
}

/// Runs the schedule of this seed until every item was taken.
pub(crate) fn run(seed: u64, seen: &mut Seen) {
    let mut rng = Rng::new(seed);
    let window = Window { items: rng.between(1, 12), bytes: rng.between(1_024, 4_096) };
    let mut stream = Stream {
        window,
        sender: SendWindow::new(window),
        receiver: ReceiveWindow::new(window),
        held: None,
        left: rng.between(1, 60),
        items: VecDeque::new(),
        credits: VecDeque::new(),
        waiting: VecDeque::new(),
        outstanding: VecDeque::new(),
        taken: 0,
        seen: Seen::default(),
        rng,
    };
    for _ in 0..200 {
        stream.step();
    }
    stream.finish();
    seen.items += stream.seen.items;
    seen.waits_for_items += stream.seen.waits_for_items;
    seen.waits_for_bytes += stream.seen.waits_for_bytes;
    seen.false_credits += stream.seen.false_credits;
}

impl Stream {
    fn step(&mut self) {
        match self.rng.below(9) {
            0..=3 => _ = self.send(),
            4 | 5 => _ = self.deliver_item(),
            6 => _ = self.take(),
            7 => _ = self.deliver_credit(),
            _ => self.give_false_credit(),
        }
    }

    /// Everything goes on until nothing is left. Whoever could not go on would wait for ever.
    fn finish(&mut self) {
        while self.left > 0 || self.held.is_some() || !self.outstanding.is_empty() {
            let went_on = self.send()
                | self.deliver_item()
                | self.take()
                | (self.rng.chance(50) && self.deliver_credit())
                | (self.items.is_empty() && self.waiting.is_empty() && self.deliver_credit());
            assert!(went_on, "nobody can go on: {:?} of {:?}", self.outstanding, self.window);
        }
        assert_eq!(self.receiver.bytes(), 0, "bytes of items that were taken");
    }

    /// Sends the next item, unless it has to wait.
    fn send(&mut self) -> bool {
        if self.held.is_none() {
            if self.left == 0 {
                return false;
            }
            // A source that cannot wait has its next item already.
            if self.rng.chance(50) && !self.sender.has_room() {
                self.waits();
                return false;
            }
            self.left -= 1;
            self.held = Some(self.size());
        }
        let size = self.held.expect("it is there");
        if !self.sender.fits(size).expect("it is small enough") {
            self.waits();
            return false;
        }
        self.held = None;
        self.sender.sent(size);
        self.seen.items += 1;
        self.items.push_back(size);
        self.outstanding.push_back(size);
        let bytes: u64 = self.outstanding.iter().sum();
        let is_within = self.outstanding.len() as u64 <= self.window.items;
        assert!(is_within && bytes <= self.window.bytes, "more is outstanding than the window");
        true
    }

    fn waits(&mut self) {
        let is_full = self.outstanding.len() as u64 >= self.window.items;
        self.seen.waits_for_items += u64::from(is_full);
        self.seen.waits_for_bytes += u64::from(!is_full);
    }

    /// Any size that may be sent, with the extremes among them.
    fn size(&mut self) -> u64 {
        let largest = self.window.bytes / 2;
        match self.rng.below(4) {
            0 => largest,
            1 => self.rng.below(2),
            _ => self.rng.below(largest + 1),
        }
    }

    fn deliver_item(&mut self) -> bool {
        let Some(size) = self.items.pop_front() else { return false };
        self.receiver.received(size).expect("the sender keeps to the window");
        self.waiting.push_back(size);
        true
    }

    fn take(&mut self) -> bool {
        let Some(size) = self.waiting.pop_front() else { return false };
        self.outstanding.pop_front();
        self.taken += 1;
        if let Some(taken) = self.receiver.take(size) {
            assert_eq!(taken, self.taken, "a credit states what was taken");
            self.credits.push_back(taken);
        }
        true
    }

    fn deliver_credit(&mut self) -> bool {
        let Some(taken) = self.credits.pop_front() else { return false };
        assert!(self.sender.taken(taken), "a credit makes room");
        true
    }

    /// A credit from nowhere: for items that were never sent.
    fn give_false_credit(&mut self) {
        let sent = self.taken + self.outstanding.len() as u64;
        assert!(!self.sender.taken(sent + self.rng.between(1, 9)), "nobody has taken these");
        self.seen.false_credits += 1;
    }
}
