//! The numbers of messages: what was sent on each channel, and what was received.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bowline_protocol::NodeId;

use super::wire::{Id, Told};

/// The counts of sent and received messages.
#[derive(Default)]
pub(super) struct Numbers {
    sent: Sent,
    /// The last number of each sender, on the channels that this node listens to.
    heard: HashMap<Arc<str>, HashMap<NodeId, u64>>,
    /// Channels on which something of this node was not sent, of which the others were not
    /// notified yet.
    unsent: HashSet<Arc<str>>,
    /// The connection was lost since it last stood.
    pub(super) was_down: bool,
}

/// The counts of what was sent, on the channels that were used last: of all they would grow without
/// end.
///
/// A count that begins again after it was forgotten begins in a later era: the upper bits of a
/// number say in which, so that nobody takes it for the old one.
#[derive(Default)]
struct Sent {
    young: HashMap<Arc<str>, u64>,
    old: HashMap<Arc<str>, u64>,
    era: u64,
}

impl Numbers {
    /// The number of the next message on a channel.
    pub(super) fn next(&mut self, channel: &str) -> u64 {
        self.sent.next(channel, MAX_CHANNELS / 2)
    }

    /// This node listens to the channel from now on.
    pub(super) fn listen(&mut self, channel: &str) {
        self.heard.entry(channel.into()).or_default();
    }

    /// Nobody listens to the channel here any more.
    pub(super) fn forget(&mut self, channel: &str) {
        self.heard.remove(channel);
    }

    /// A message was received. Returns how many before it were not.
    pub(super) fn heard(&mut self, channel: &str, node: NodeId, ordinal: u64) -> u64 {
        // A message that was on its way when the node left the channel does not count.
        let Some(of_channel) = self.heard.get_mut(channel) else { return 0 };
        let last = of_channel.entry(node).or_insert(ordinal);
        let missed = between(*last, ordinal);
        *last = ordinal.max(*last);
        missed
    }

    /// A node states its last number. Returns how many messages up to it were not received, `None`
    /// when that is not known: messages from before this node subscribed look like lost ones.
    pub(super) fn stated(&mut self, channel: &str, node: NodeId, last: u64) -> Option<u64> {
        let Some(of_channel) = self.heard.get_mut(channel) else { return Some(0) };
        let Some(heard) = of_channel.get_mut(&node) else {
            of_channel.insert(node, last);
            return None;
        };
        let missed = between(*heard, last.saturating_add(1));
        *heard = last.max(*heard);
        Some(missed)
    }

    /// A session has received this on another node: later messages are counted from there.
    pub(super) fn go_on_from(&mut self, told: &Told, own: NodeId) {
        for (channel, nodes) in told {
            let Some(of_channel) = self.heard.get_mut(&**channel) else { continue };
            for (Id(node), last) in nodes.iter().filter(|(Id(node), _)| *node != own) {
                of_channel.entry(*node).or_insert(*last);
            }
        }
    }

    /// A node is there no longer: nothing comes from it, and nobody listens to its channel.
    pub(super) fn forget_node(&mut self, node: NodeId, channel: &str) {
        for nodes in self.heard.values_mut() {
            nodes.remove(&node);
        }
        self.sent.forget(channel);
    }

    /// The last numbers that were received on a channel, and sent by this node.
    pub(super) fn positions(&self, channel: &str, own: NodeId) -> Vec<(NodeId, u64)> {
        let heard =
            self.heard.get(channel).into_iter().flatten().map(|(node, last)| (*node, *last));
        heard.chain(self.sent.last(channel).map(|last| (own, last))).collect()
    }

    /// How far this node has come on these channels.
    pub(super) fn own_positions<'a>(
        &self,
        channels: impl Iterator<Item = &'a str>,
    ) -> Vec<(String, u64)> {
        let known =
            channels.filter_map(|channel| Some((channel.to_owned(), self.sent.last(channel)?)));
        known.collect()
    }

    /// Something was not sent on this channel. What is not numbered may be lost.
    pub(super) fn note_unsent(&mut self, channel: Arc<str>) {
        if self.sent.last(&channel).is_some() {
            self.unsent.insert(channel);
        }
    }

    /// How far this node has come on the channels on which something was not sent.
    pub(super) fn take_unsent(&mut self) -> Vec<(String, u64)> {
        let unsent = std::mem::take(&mut self.unsent);
        self.own_positions(unsent.iter().map(|channel| &**channel))
    }
}

impl Sent {
    fn next(&mut self, channel: &str, generation: usize) -> u64 {
        if let Some(last) = self.young.get_mut(channel) {
            *last += 1;
            return *last;
        }
        let known = self.old.remove_entry(channel);
        if self.young.len() >= generation {
            let forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.era += u64::from(!forgotten.is_empty());
        }
        let (channel, last) = known.unwrap_or_else(|| (channel.into(), self.era << ERA));
        self.young.insert(channel, last + 1);
        last + 1
    }

    fn last(&self, channel: &str) -> Option<u64> {
        self.young.get(channel).or_else(|| self.old.get(channel)).copied()
    }

    fn forget(&mut self, channel: &str) {
        let known = [self.young.remove(channel), self.old.remove(channel)];
        self.era += u64::from(known.iter().any(Option::is_some));
    }
}

/// How many messages there were between the last one and this one.
const fn between(last: u64, ordinal: u64) -> u64 {
    if ordinal >> ERA > last >> ERA {
        // The count began anew.
        return (ordinal & ((1 << ERA) - 1)).saturating_sub(1);
    }
    ordinal.saturating_sub(last).saturating_sub(1)
}

/// Bits of a number below its era.
const ERA: u32 = 40;
/// Channels whose counts are kept.
const MAX_CHANNELS: usize = 200_000;

#[cfg(test)]
mod tests {
    use bowline_protocol::NodeId;

    use super::{Numbers, Sent};

    const ANNA: NodeId = NodeId::from_bytes([1; 6]);

    #[test]
    fn a_hole_is_counted_once_and_a_late_message_does_not_bring_it_back() {
        let mut numbers = Numbers::default();
        numbers.listen("r:room");
        assert_eq!(numbers.heard("r:room", ANNA, 7), 0, "it began before this node listened");
        assert_eq!(numbers.heard("r:room", ANNA, 8), 0);
        assert_eq!(numbers.heard("r:room", ANNA, 12), 3);
        assert_eq!(numbers.heard("r:room", ANNA, 10), 0);
        assert_eq!(numbers.heard("r:room", ANNA, 13), 0);
    }

    #[test]
    fn no_number_that_somebody_makes_up_overflows() {
        for (first, next) in
            [(u64::MAX, 0), (u64::MAX, u64::MAX), (0, u64::MAX), (5, 1 << 40), (1, 7 << 40)]
        {
            let mut numbers = Numbers::default();
            numbers.listen("all");
            numbers.heard("all", ANNA, first);
            numbers.heard("all", ANNA, next);
            numbers.stated("all", ANNA, first);
            numbers.stated("all", ANNA, next);
            numbers.stated("all", ANNA, u64::MAX);
        }
    }

    #[test]
    fn a_position_that_was_overtaken_does_not_make_the_next_message_a_gap() {
        let mut numbers = Numbers::default();
        numbers.listen("all");
        assert_eq!(numbers.stated("all", ANNA, 5), None);
        assert_eq!(numbers.heard("all", ANNA, 9), 3);
        assert_eq!(numbers.stated("all", ANNA, 7), Some(0));
        assert_eq!(numbers.heard("all", ANNA, 10), 0);
        assert_eq!(numbers.stated("all", ANNA, 12), Some(2));
    }

    #[test]
    fn a_channel_that_is_left_keeps_no_count_for_when_it_is_entered_again() {
        let mut numbers = Numbers::default();
        numbers.listen("r:room");
        numbers.heard("r:room", ANNA, 1);
        numbers.forget("r:room");
        numbers.heard("r:room", ANNA, 2);
        assert!(numbers.heard.is_empty());
        numbers.listen("r:room");
        assert_eq!(numbers.heard("r:room", ANNA, 20), 0);
    }

    #[test]
    fn a_count_that_was_forgotten_begins_in_a_later_era_and_its_losses_are_found() {
        let mut sent = Sent::default();
        for _ in 0..50 {
            sent.next("r:room", 2);
        }
        for other in ["a", "b", "c", "d"] {
            sent.next(other, 2);
        }
        assert_eq!(sent.last("r:room"), None);
        assert!(sent.young.len() + sent.old.len() <= 4);
        let mut numbers = Numbers::default();
        numbers.listen("r:room");
        numbers.heard("r:room", ANNA, 50);
        let (_lost, _lost_too) = (sent.next("r:room", 2), sent.next("r:room", 2));
        assert_eq!(numbers.heard("r:room", ANNA, sent.next("r:room", 2)), 2);
        assert_eq!(numbers.heard("r:room", ANNA, sent.next("r:room", 2)), 0);
    }

    #[test]
    fn a_count_in_use_is_never_forgotten() {
        let mut sent = Sent::default();
        for number in 1..=100 {
            assert_eq!(sent.next("r:room", 3), number);
            sent.next(&number.to_string(), 3);
        }
    }

    #[test]
    fn only_channels_with_numbered_messages_are_told_of_and_once() {
        let mut numbers = Numbers::default();
        numbers.next("r:room");
        numbers.note_unsent("r:room".into());
        numbers.note_unsent("n:node".into());
        assert_eq!(numbers.take_unsent(), [("r:room".to_owned(), 1)]);
        assert_eq!(numbers.take_unsent(), []);
    }
}
