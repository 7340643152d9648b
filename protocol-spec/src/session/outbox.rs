//! Keeps what we sent until the peer confirms it.
//!
//! Spec: 05-delivery-and-resume, "Outbox" and "Volatile events".

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::AttachError;
use crate::{KeptPacket, ProtocolError};

/// Sent and waiting packets in order, oldest first.
#[derive(Debug)]
pub(crate) struct Outbox<P> {
    /// Tracked packets; the first has number `confirmed + 1`.
    kept: VecDeque<P>,
    confirmed: u64,
    /// The last number that went out on the current carrier.
    sent: u64,
    /// What stands behind this number waits, although a carrier is there, until it is released.
    held_after: Option<u64>,
    /// A confirmation has moved `sent` ahead of what the current carrier counts.
    skipped: bool,
    /// The last number that went out on any carrier.
    transmitted: u64,
    bytes: usize,
    volatile: Option<Box<VolatileQueue<P>>>,
    dropped: u64,
}

#[derive(Debug)]
struct VolatileQueue<P> {
    /// Each with the number of the tracked packet that was emitted before it.
    queue: VecDeque<(u64, P)>,
    bytes: usize,
}

impl<P: KeptPacket> Outbox<P> {
    /// True if there is room. An empty outbox takes a packet of any size, or it could never be sent.
    pub(crate) fn fits(&self, packet: &P, limit: usize) -> bool {
        self.kept.is_empty() || self.bytes.saturating_add(cost(packet)) <= limit
    }

    /// Takes a tracked packet and returns its number.
    pub(crate) fn push(&mut self, packet: P) -> u64 {
        self.bytes += cost(&packet);
        self.kept.push_back(packet);
        self.last_number()
    }

    /// Takes a tracked packet that goes before those that are held, if there are any: they move back. Returns its
    /// number.
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

    /// From now on nothing goes out that has not gone out yet.
    pub(crate) fn hold(&mut self) {
        self.held_after = Some(self.transmitted);
        self.drop_volatile();
    }

    /// What an earlier process had held is still held: it never went out.
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

    /// Takes a packet that may be dropped; the oldest such ones make room for it.
    pub(crate) fn push_volatile(&mut self, packet: P) {
        let after = self.last_number();
        let waiting = self
            .volatile
            .get_or_insert_with(|| Box::new(VolatileQueue { queue: VecDeque::new(), bytes: 0 }));
        waiting.bytes += cost(&packet);
        waiting.queue.push_back((after, packet));
        while waiting.bytes > VOLATILE_BACKLOG && waiting.queue.len() > 1 {
            let (_, oldest) = waiting.queue.pop_front().expect("the queue has more than one entry");
            waiting.bytes -= cost(&oldest);
            self.dropped += 1;
        }
    }

    /// Sends what is kept, in order, up to where a volatile packet goes between, until `take` breaks.
    pub(crate) fn send_kept(
        &mut self,
        mut take: impl FnMut(u64, &P) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let volatile = self.volatile.as_ref().and_then(|waiting| waiting.queue.front());
        let end = volatile.map_or_else(|| self.last_to_go(), |(after, _)| *after);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue()
            && self.sent < end
            && let Some((number, packet)) = self.send_next()
        {
            flow = take(number, packet);
        }
        flow
    }

    /// Sends the next packet that is kept.
    pub(crate) fn send_next(&mut self) -> Option<(u64, &P)> {
        let packet = self.kept.get(usize::try_from(self.sent - self.confirmed).ok()?)?;
        self.sent += 1;
        self.transmitted = self.transmitted.max(self.sent);
        Some((self.sent, packet))
    }

    /// True if the reader cannot know what number it has to count on from.
    pub(crate) const fn take_skipped(&mut self) -> bool {
        std::mem::replace(&mut self.skipped, false)
    }

    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.last_to_go() || self.volatile.is_some()
    }

    /// The peer has received everything through this number.
    pub(crate) fn confirm(&mut self, through: u64) -> Result<(), ProtocolError> {
        if through > self.transmitted {
            return Err(ProtocolError::Violation("a confirmation of packets that were never sent"));
        }
        while self.confirmed < through {
            // Nothing is kept after `clear`, and confirmations of what was sent before still come.
            self.bytes -= self.kept.pop_front().map_or(0, |packet| cost(&packet));
            self.confirmed += 1;
        }
        if through > self.sent {
            self.sent = through;
            self.skipped = true;
        }
        Ok(())
    }

    /// A new carrier begins after what the peer has received. A number below what is confirmed is
    /// not a gap: the confirmation came by another carrier and overtook the attachment.
    pub(crate) fn rewind(&mut self, received: u64) -> Result<(), AttachError> {
        self.confirm(received).map_err(|_| AttachError::Violation)?;
        self.sent = self.confirmed;
        self.skipped = false;
        Ok(())
    }

    /// The current carrier begins again after what is confirmed.
    pub(crate) const fn retransmit(&mut self) {
        self.sent = self.confirmed;
    }

    /// What is kept up to this number may go out elsewhere.
    pub(crate) fn doubt(&mut self, last: u64) {
        self.transmitted = self.transmitted.max(last.min(self.last_number()));
    }

    /// Takes over what another outbox had kept; all of it may have gone out.
    pub(crate) fn restore(&mut self, confirmed: u64, kept: Vec<P>) {
        self.bytes = kept.iter().map(cost).sum();
        self.kept = kept.into();
        self.confirmed = confirmed;
        self.sent = confirmed;
        self.transmitted = self.last_number();
    }

    /// Takes out packets that never went out on any carrier, by their numbers in order. Those behind them
    /// move up.
    pub(crate) fn withdraw(&mut self, numbers: &[u64]) {
        let mut gone = numbers.iter().peekable();
        // Once around.
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

    /// Takes out what never went out on any carrier, after the last number that did, and starts over
    /// from 1.
    pub(crate) fn take_unsent(&mut self) -> (u64, VecDeque<P>) {
        let Self { mut kept, confirmed, transmitted, .. } = std::mem::take(self);
        for _ in confirmed..transmitted {
            kept.pop_front();
        }
        (transmitted, kept)
    }

    /// Drops everything, for a session that sends nothing more but its close. The position goes back
    /// to what is confirmed, so that no peer takes the close for something that came too early.
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

    /// Gives back what a burst has grown, once it is over.
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

    /// The oldest volatile packet, if nothing that was emitted before it waits.
    pub(crate) fn next_volatile(&mut self) -> Option<P> {
        let waiting = self.volatile.as_mut()?;
        let (_, packet) = waiting.queue.pop_front_if(|(after, _)| *after <= self.sent)?;
        waiting.bytes -= cost(&packet);
        if waiting.queue.is_empty() {
            self.volatile = None;
        }
        Some(packet)
    }

    /// The number of the last packet that may go out.
    fn last_to_go(&self) -> u64 {
        self.held_after.unwrap_or_else(|| self.last_number())
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.confirmed + self.kept.len() as u64
    }
}

impl<P> Default for Outbox<P> {
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

/// How many of the numbers, which are in order, are not higher than the last.
pub(super) fn through(numbers: &[u64], last: u64) -> u64 {
    numbers.partition_point(|number| *number <= last) as u64
}

/// What a packet counts against the limit: its bytes and the place it takes in the queue.
fn cost<P: KeptPacket>(packet: &P) -> usize {
    packet.size() + 64
}

/// Bytes of volatile packets that wait for a slow carrier.
const VOLATILE_BACKLOG: usize = 64 * 1024;
