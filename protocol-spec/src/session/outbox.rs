//! Stores the sent packets until the peer confirms them.
//!
//! Spec: 05-delivery-and-resume, "Outbox" and "Volatile events".

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::AttachError;
use crate::{KeptPacket, ProtocolError};

/// Sent and waiting packets in order, oldest first.
#[derive(Debug)]
pub(crate) struct Outbox<P: KeptPacket> {
    /// Tracked packets; the first has number `confirmed + 1`.
    kept: VecDeque<P>,
    confirmed: u64,
    /// The number of the last packet that the current carrier has sent.
    sent: u64,
    /// Packets after this number wait until they are released, even while a carrier is attached.
    held_after: Option<u64>,
    /// A confirmation has moved `sent` ahead of the count of the current carrier.
    skipped: bool,
    /// The number of the last packet that any carrier has sent.
    transmitted: u64,
    bytes: usize,
    volatile: Option<Box<VolatileQueue<P>>>,
    dropped: u64,
}

#[derive(Debug)]
struct VolatileQueue<P: KeptPacket> {
    /// Each event with the number of the tracked packet that was emitted before it.
    queue: VecDeque<(u64, Waiting<P>)>,
    bytes: usize,
}

/// A volatile packet that waits for a slow carrier.
#[derive(Debug)]
struct Waiting<P: KeptPacket> {
    packet: P,
    /// A later packet with the same key replaces it.
    key: Option<P::Key>,
}

impl<P: KeptPacket> Waiting<P> {
    fn cost(&self) -> usize {
        cost(&self.packet) + self.key.as_ref().map_or(0, |key| key.as_ref().len())
    }
}

impl<P: KeptPacket> Outbox<P> {
    /// True if there is room. An empty outbox accepts a packet of any size: otherwise that packet
    /// could never be sent.
    pub(crate) fn fits(&self, packet: &P, limit: usize) -> bool {
        self.kept.is_empty() || self.bytes.saturating_add(cost(packet)) <= limit
    }

    /// Adds a tracked packet and returns its number.
    pub(crate) fn push(&mut self, packet: P) -> u64 {
        self.bytes += cost(&packet);
        self.kept.push_back(packet);
        self.last_number()
    }

    /// Adds a tracked packet before the held ones, whose numbers grow by one. Returns its number.
    pub(crate) fn push_ahead(&mut self, packet: P) -> u64 {
        let last = self.push(packet);
        let Some(before) = &mut self.held_after else { return last };
        *before += 1;
        let (number, confirmed) = (*before, self.confirmed);
        let place = |number: u64| usize::try_from(number - confirmed - 1).unwrap_or(usize::MAX);
        for number in (number..last).rev() {
            self.kept.swap(place(number), place(number + 1));
        }
        number
    }

    /// Holds all packets that were not sent yet.
    pub(crate) fn hold(&mut self) {
        self.held_after = Some(self.transmitted);
        self.drop_volatile();
    }

    /// Holds the packets that an earlier process had held: they were never sent.
    pub(crate) fn hold_restored(&mut self, after: u64) {
        self.transmitted = after.clamp(self.confirmed, self.transmitted);
        self.hold();
    }

    pub(crate) const fn release(&mut self) {
        self.held_after = None;
    }

    pub(crate) const fn held_after(&self) -> Option<u64> {
        self.held_after
    }

    /// Adds a volatile packet; the oldest volatile packets are dropped to make room for it.
    pub(crate) fn push_volatile(&mut self, packet: P) {
        self.wait(Waiting { packet, key: None });
    }

    /// As [`Self::push_volatile`]; a waiting packet with the same key is dropped. Returns true if
    /// there was one.
    pub(crate) fn push_latest(&mut self, packet: P, key: P::Key) -> bool {
        let (after, new) = (self.last_number(), Waiting { packet, key: Some(key) });
        let Some(waiting) = &mut self.volatile else {
            self.wait(new);
            return false;
        };
        let has_key = |(_, old): &(u64, Waiting<P>)| old.key == new.key;
        let Some(index) = waiting.queue.iter().position(has_key) else {
            self.wait(new);
            return false;
        };
        self.dropped += 1;
        let (old_after, old) = &mut waiting.queue[index];
        waiting.bytes -= old.cost();
        if *old_after == after {
            // Its place stays, so that a key that changes often is not always the last.
            waiting.bytes += new.cost();
            *old = new;
        } else {
            waiting.queue.remove(index);
            self.wait(new);
        }
        true
    }

    fn wait(&mut self, packet: Waiting<P>) {
        let after = self.last_number();
        let waiting = self
            .volatile
            .get_or_insert_with(|| Box::new(VolatileQueue { queue: VecDeque::new(), bytes: 0 }));
        waiting.bytes += packet.cost();
        waiting.queue.push_back((after, packet));
        while waiting.bytes > VOLATILE_BACKLOG && waiting.queue.len() > 1 {
            let (_, oldest) = waiting.queue.pop_front().expect("the queue has more than one entry");
            waiting.bytes -= oldest.cost();
            self.dropped += 1;
        }
    }

    /// Sends stored packets in order, up to the next waiting volatile packet, until `take` breaks.
    pub(crate) fn send_kept(
        &mut self,
        mut take: impl FnMut(u64, &P) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let volatile = self.volatile.as_ref().and_then(|waiting| waiting.queue.front());
        let end = volatile.map_or_else(|| self.last_sendable(), |(after, _)| *after);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue()
            && self.sent < end
            && let Some((number, packet)) = self.send_next()
        {
            flow = take(number, packet);
        }
        flow
    }

    /// Sends the next stored packet.
    pub(crate) fn send_next(&mut self) -> Option<(u64, &P)> {
        let packet = self.kept.get(usize::try_from(self.sent - self.confirmed).ok()?)?;
        self.sent += 1;
        self.transmitted = self.transmitted.max(self.sent);
        Some((self.sent, packet))
    }

    /// True if the receiver must be sent the position before the next packet.
    pub(crate) const fn take_skipped(&mut self) -> bool {
        std::mem::replace(&mut self.skipped, false)
    }

    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.last_sendable() || self.volatile.is_some()
    }

    /// Drops the packets up to this number, which the peer has received.
    pub(crate) fn confirm(&mut self, through: u64) -> Result<(), ProtocolError> {
        if through > self.transmitted {
            return Err(ProtocolError::Violation("the peer confirms unsent packets"));
        }
        while self.confirmed < through {
            // After `clear` the outbox is empty, and confirmations of earlier packets still arrive.
            self.bytes -= self.kept.pop_front().map_or(0, |packet| cost(&packet));
            self.confirmed += 1;
        }
        if through > self.sent {
            self.sent = through;
            self.skipped = true;
        }
        Ok(())
    }

    /// Starts a new carrier after the last packet that the peer has received. A number below
    /// `confirmed` is not a gap: another carrier sent the confirmation, and it overtook the
    /// attachment.
    pub(crate) fn rewind(&mut self, received: u64) -> Result<(), AttachError> {
        self.confirm(received).map_err(|_| AttachError::Violation)?;
        self.sent = self.confirmed;
        self.skipped = false;
        Ok(())
    }

    /// Starts again on the current carrier, after the last confirmed packet.
    pub(crate) const fn retransmit(&mut self) {
        self.sent = self.confirmed;
    }

    /// Another instance may send the packets up to this number.
    pub(crate) fn doubt(&mut self, last: u64) {
        self.transmitted = self.transmitted.max(last.min(self.last_number()));
    }

    /// Restores the packets of another outbox; any of them may have been sent.
    pub(crate) fn restore(&mut self, confirmed: u64, kept: Vec<P>) {
        self.bytes = kept.iter().map(cost).sum();
        self.kept = kept.into();
        self.confirmed = confirmed;
        self.sent = confirmed;
        self.transmitted = self.last_number();
    }

    /// Removes packets that no carrier has sent, by their numbers in order. The numbers of later
    /// packets decrease.
    pub(crate) fn withdraw(&mut self, numbers: &[u64]) {
        let mut gone = numbers.iter().peekable();
        // One pass over the queue.
        for number in self.confirmed + 1..=self.last_number() {
            let Some(packet) = self.kept.pop_front() else { break };
            if gone.next_if_eq(&&number).is_some() {
                self.bytes -= cost(&packet);
            } else {
                self.kept.push_back(packet);
            }
        }
        if let Some(before) = &mut self.held_after {
            *before -= through(numbers, *before);
        }
        if let Some(waiting) = &mut self.volatile {
            for index in 0..waiting.queue.len() {
                let (after, _) = &mut waiting.queue[index];
                *after -= through(numbers, *after);
            }
        }
    }

    /// Removes the packets that no carrier has sent, returns them with the last number that was
    /// sent, and starts again from 1.
    pub(crate) fn take_unsent(&mut self) -> (u64, VecDeque<P>) {
        let Self { mut kept, confirmed, transmitted, .. } = std::mem::take(self);
        for _ in confirmed..transmitted {
            kept.pop_front();
        }
        (transmitted, kept)
    }

    /// Drops all packets, for a session that only sends its close. The position returns to
    /// `confirmed`, so that the peer does not treat the close as a packet after a gap.
    pub(crate) fn clear(&mut self) {
        self.held_after = None;
        self.sent = self.confirmed;
        self.kept = VecDeque::new();
        self.bytes = 0;
        self.drop_volatile();
    }

    pub(crate) fn drop_volatile(&mut self) {
        self.dropped += self.volatile.take().map_or(0, |waiting| waiting.queue.len() as u64);
    }

    pub(crate) const fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    /// Frees the memory that a burst has allocated.
    pub(crate) fn release_memory(&mut self) {
        self.kept.shrink_to_fit();
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn kept(&self) -> impl Iterator<Item = &P> {
        self.kept.iter()
    }

    pub(crate) fn last(&self) -> Option<&P> {
        self.kept.back()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn volatile_bytes(&self) -> usize {
        self.volatile.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    pub(crate) const fn confirmed(&self) -> u64 {
        self.confirmed
    }

    pub(crate) const fn transmitted(&self) -> u64 {
        self.transmitted
    }

    pub(crate) const fn next_number(&self) -> u64 {
        self.sent + 1
    }

    pub(crate) const fn dropped_volatile(&self) -> u64 {
        self.dropped
    }

    /// The oldest volatile packet, if all packets emitted before it were sent.
    pub(crate) fn next_volatile(&mut self) -> Option<P> {
        let waiting = self.volatile.as_mut()?;
        waiting.queue.front().filter(|(after, _)| *after <= self.sent)?;
        let (_, first) = waiting.queue.pop_front()?;
        waiting.bytes -= first.cost();
        if waiting.queue.is_empty() {
            self.volatile = None;
        }
        Some(first.packet)
    }

    /// The number of the last packet that may be sent.
    fn last_sendable(&self) -> u64 {
        self.held_after.unwrap_or_else(|| self.last_number())
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.confirmed + self.kept.len() as u64
    }
}

impl<P: KeptPacket> Default for Outbox<P> {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            confirmed: 0,
            sent: 0,
            held_after: None,
            skipped: false,
            transmitted: 0,
            bytes: 0,
            volatile: None,
            dropped: 0,
        }
    }
}

/// How many of these numbers, which are in order, are not above `last`.
pub(super) fn through(numbers: &[u64], last: u64) -> u64 {
    numbers.partition_point(|number| *number <= last) as u64
}

/// The cost of a packet against the limit: its bytes and its place in the queue.
fn cost<P: KeptPacket>(packet: &P) -> usize {
    packet.size() + 64
}

/// Bytes of volatile packets that wait for a slow carrier.
const VOLATILE_BACKLOG: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::{Encoded, Payload};

    fn packet(text: &str) -> Encoded {
        Encoded::volatile("say", &Payload::json(text)).unwrap()
    }

    fn bytes_of(text: &str) -> Bytes {
        packet(text).as_bytes().clone()
    }

    fn sent(outbox: &mut Outbox<Encoded>) -> Vec<Bytes> {
        let mut all = Vec::new();
        while outbox.has_unsent() {
            match outbox.next_volatile() {
                Some(packet) => all.push(packet.as_bytes().clone()),
                None => all.extend(outbox.send_next().map(|(_, packet)| packet.as_bytes().clone())),
            }
        }
        all
    }

    #[test]
    fn of_the_waiting_packets_with_a_key_only_the_latest_is_sent() {
        let mut outbox = Outbox::default();
        let key = |name: &str| Arc::from(name);
        assert!(!outbox.push_latest(packet("1"), key("a")));
        assert!(!outbox.push_latest(packet("2"), key("b")));
        outbox.push_volatile(packet("3"));
        let bytes = outbox.volatile_bytes();
        for number in 4..100 {
            assert!(outbox.push_latest(packet(&format!("{}", number % 10)), key("a")));
        }
        assert_eq!((outbox.volatile_bytes(), outbox.dropped_volatile()), (bytes, 96));
        assert_eq!(sent(&mut outbox), ["9", "2", "3"].map(bytes_of), "its place stays");
        assert!(!outbox.push_latest(packet("1"), key("a")), "the older one was sent");
        assert_eq!((sent(&mut outbox).len(), outbox.volatile_bytes()), (1, 0));
    }

    #[test]
    fn the_latest_of_a_key_does_not_overtake_a_tracked_packet() {
        let mut outbox = Outbox::default();
        let tracked = Encoded::event("say", &Payload::json("0")).unwrap();
        outbox.push_latest(packet("1"), Arc::from("a"));
        outbox.push_latest(packet("2"), Arc::from("b"));
        outbox.push(tracked.clone());
        assert!(outbox.push_latest(packet("3"), Arc::from("a")));
        assert_eq!(sent(&mut outbox), [bytes_of("2"), tracked.as_bytes().clone(), bytes_of("3")]);
    }
}
