//! The sessions that are present in one room, as far as this node knows: pure; events go in,
//! differences come out.
//!
//! Each node publishes who is present with it. A session that moves is with two nodes for a moment,
//! and present all the time: it has entered when the first node has it, and left when no node has
//! it any more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bowline_protocol::{NodeId, SessionId};
use serde::{Deserialize, Serialize};

/// What members learn about a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Info {
    /// The info of the application: JSON.
    pub(crate) json: Arc<str>,
    /// Its client is away.
    pub(crate) is_away: bool,
}

/// An [`Info`] as nodes write it to each other.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Here(String),
    Away { away: String },
}

/// Sessions and their infos.
pub(crate) type People = Vec<(SessionId, Info)>;

/// Who is present in a room.
#[derive(Debug, Default)]
pub(crate) struct RoomState {
    present: HashMap<SessionId, Held>,
    nodes: HashMap<NodeId, Known>,
    /// Counts the messages of other nodes.
    clock: u64,
}

#[derive(Debug)]
struct Held {
    info: Info,
    /// The node that has published it last.
    node: NodeId,
}

/// What this node knows of one node.
#[derive(Debug, Default)]
struct Known {
    sessions: HashSet<SessionId>,
    /// The number of its last change that was accepted.
    taken: u64,
    /// The highest number that it has sent.
    heard: u64,
    /// When it last sent something.
    at: u64,
    /// This node has requested its whole list, and has no answer yet.
    is_asked: bool,
    /// The beginning of a whole list: its number, and how many parts of it.
    begun: Option<(u64, usize, People)>,
}

/// What has changed for the members.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) joined: People,
    pub(crate) left: People,
}

/// The outcome of a message of another node.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) difference: Difference,
    /// A change is missing: request the node's whole list.
    pub(crate) ask: bool,
}

/// A part of the whole list of a node.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) number: u64,
    pub(crate) part: usize,
    pub(crate) is_last: bool,
    pub(crate) present: People,
}

impl RoomState {
    /// A session has entered at a node, or has another info.
    pub(crate) fn enter(
        &mut self,
        node: NodeId,
        session: SessionId,
        info: Info,
        difference: &mut Difference,
    ) {
        self.nodes.entry(node).or_default().sessions.insert(session);
        let before = self.present.insert(session, Held { info: info.clone(), node });
        if before.is_none_or(|before| before.info != info) {
            difference.joined.push((session, info));
        }
    }

    /// A session is not with a node any more.
    pub(crate) fn leave(
        &mut self,
        node: NodeId,
        session: SessionId,
        difference: &mut Difference,
    ) -> bool {
        let was_there =
            self.nodes.get_mut(&node).is_some_and(|known| known.sessions.remove(&session));
        if !was_there {
            return false;
        }
        let mut nodes = self.nodes.iter();
        let elsewhere = nodes.find(|(_, known)| known.sessions.contains(&session));
        if let (Some((elsewhere, _)), Some(held)) = (elsewhere, self.present.get_mut(&session)) {
            held.node = *elsewhere;
        } else if let Some(held) = self.present.remove(&session) {
            difference.left.push((session, held.info));
        }
        true
    }

    /// Accepts a change of another node, which follows its change `after`.
    pub(crate) fn take_change(
        &mut self,
        node: NodeId,
        (after, number): (u64, u64),
        entered: People,
        left: &[SessionId],
    ) -> Taken {
        let mut taken = Taken::default();
        let known = self.note(node, number);
        if number <= known.taken {
            return taken;
        }
        if after != known.taken {
            taken.ask = !std::mem::replace(&mut known.is_asked, true);
            return taken;
        }
        known.taken = number;
        for (session, info) in entered {
            self.enter(node, session, info, &mut taken.difference);
        }
        for session in left {
            self.leave(node, *session, &mut taken.difference);
        }
        taken
    }

    /// Accepts a part of the whole list of another node.
    pub(crate) fn take_whole(&mut self, node: NodeId, whole: Whole) -> Taken {
        let mut taken = Taken::default();
        let known = self.note(node, whole.number);
        if whole.number < known.taken {
            return taken;
        }
        let begun = known.begun.take().filter(|(number, parts, _)| {
            whole.part > 0 && (*number, *parts) == (whole.number, whole.part)
        });
        let mut present = match begun {
            Some((_, _, present)) => present,
            None if whole.part == 0 => Vec::new(),
            None => {
                // Its first parts are missing.
                taken.ask = whole.is_last;
                known.is_asked |= taken.ask;
                return taken;
            }
        };
        present.extend(whole.present);
        if !whole.is_last {
            known.begun = Some((whole.number, whole.part.saturating_add(1), present));
            return taken;
        }
        known.taken = whole.number;
        taken.ask = known.heard > whole.number;
        known.is_asked = taken.ask;
        self.replace(node, present, &mut taken.difference);
        taken
    }

    /// A node is gone.
    pub(crate) fn forget(&mut self, node: NodeId) -> Difference {
        let mut difference = Difference::default();
        self.replace(node, Vec::new(), &mut difference);
        self.nodes.remove(&node);
        difference
    }

    /// Removes the sessions of nodes that have sent nothing since this moment.
    pub(crate) fn forget_silent(&mut self, since: u64, own: NodeId) -> Difference {
        let mut difference = Difference::default();
        let silent = self.nodes.iter().filter(|(node, known)| known.at <= since && **node != own);
        for node in silent.map(|(node, _)| *node).collect::<Vec<_>>() {
            self.replace(node, Vec::new(), &mut difference);
            self.nodes.remove(&node);
        }
        difference
    }

    /// The current moment, for [`Self::forget_silent`].
    pub(crate) const fn moment(&self) -> u64 {
        self.clock
    }

    pub(crate) fn len(&self) -> usize {
        self.present.len()
    }

    pub(crate) fn info(&self, session: &SessionId) -> Option<&Info> {
        self.present.get(session).map(|held| &held.info)
    }

    /// Everyone who is present.
    pub(crate) fn everyone(&self) -> People {
        let everyone = self.present.iter();
        everyone.map(|(session, held)| (*session, held.info.clone())).collect()
    }

    /// Those who are present with a node.
    pub(crate) fn with(&self, node: NodeId) -> People {
        let sessions = self.nodes.get(&node).into_iter().flat_map(|known| &known.sessions);
        sessions.filter_map(|session| Some((*session, self.info(session)?.clone()))).collect()
    }

    pub(crate) fn has(&self, node: NodeId, session: &SessionId) -> bool {
        self.nodes.get(&node).is_some_and(|known| known.sessions.contains(session))
    }

    pub(crate) fn has_any(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|known| !known.sessions.is_empty())
    }

    fn note(&mut self, node: NodeId, number: u64) -> &mut Known {
        self.clock += 1;
        let known = self.nodes.entry(node).or_default();
        known.at = self.clock;
        known.heard = known.heard.max(number);
        known
    }

    fn replace(&mut self, node: NodeId, present: People, difference: &mut Difference) {
        let before = self.nodes.get(&node).map(|known| known.sessions.clone()).unwrap_or_default();
        let now: HashSet<_> = present.iter().map(|(session, _)| *session).collect();
        for (session, info) in present {
            self.enter(node, session, info, difference);
        }
        for session in before.difference(&now) {
            self.leave(node, *session, difference);
        }
    }
}

impl Info {
    /// The info of a client that is not away.
    pub(crate) fn new(json: &str) -> Self {
        Self { json: json.into(), is_away: false }
    }
}

impl From<Written> for Info {
    fn from(written: Written) -> Self {
        match written {
            Written::Here(json) => Self { json: json.into(), is_away: false },
            Written::Away { away } => Self { json: away.into(), is_away: true },
        }
    }
}

impl From<Info> for Written {
    fn from(Info { json, is_away }: Info) -> Self {
        let json = json.to_string();
        if is_away { Self::Away { away: json } } else { Self::Here(json) }
    }
}

impl Difference {
    pub(crate) fn everyone(&self) -> impl Iterator<Item = (SessionId, Info)> {
        self.joined.iter().chain(&self.left).cloned()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bowline_protocol::{NodeId, SessionId};

    use super::{Difference, Info, People, RoomState, Taken, Whole};

    const OWN: NodeId = NodeId::from_bytes([1; 6]);
    const OTHER: NodeId = NodeId::from_bytes([2; 6]);
    const THIRD: NodeId = NodeId::from_bytes([3; 6]);

    #[test]
    fn a_session_that_enters_again_counts_as_joined_only_with_another_info() {
        let mut room = RoomState::default();
        assert_eq!(change(&mut room, OTHER, (0, 1), &[(1, "1")], &[]), differs(&[(1, "1")], &[]));
        assert_eq!(change(&mut room, OTHER, (1, 2), &[(1, "1")], &[]), differs(&[], &[]));
        assert_eq!(change(&mut room, OTHER, (2, 3), &[(1, "2")], &[]), differs(&[(1, "2")], &[]));
        assert_eq!(change(&mut room, OTHER, (3, 4), &[], &[1]), differs(&[], &[(1, "2")]));
    }

    #[test]
    fn an_away_session_is_still_present_and_nodes_publish_that_it_is_away() {
        let mut room = RoomState::default();
        change(&mut room, OTHER, (0, 1), &[(1, "1")], &[]);
        let away = Info { is_away: true, ..Info::new("1") };
        let taken = room.take_change(OTHER, (1, 2), vec![(id(1), away.clone())], &[]);
        assert_eq!(taken.difference.joined, [(id(1), away.clone())]);
        assert_eq!(change(&mut room, OTHER, (2, 3), &[(1, "1")], &[]), differs(&[(1, "1")], &[]));
        for info in [Info::new("\"a\""), away] {
            let written = serde_json::to_string(&info).unwrap();
            assert_eq!(serde_json::from_str::<Info>(&written).unwrap(), info);
        }
        assert_eq!(serde_json::to_string(&Info::new("7")).unwrap(), "\"7\"", "as ever");
    }

    #[test]
    fn a_session_that_moves_between_nodes_neither_joins_nor_leaves() {
        let mut room = RoomState::default();
        change(&mut room, OTHER, (0, 1), &[(1, "1")], &[]);
        assert_eq!(change(&mut room, THIRD, (0, 9), &[(1, "1")], &[]), differs(&[], &[]));
        assert_eq!(change(&mut room, OTHER, (1, 2), &[], &[1]), differs(&[], &[]));
        assert_eq!(room.len(), 1);
        assert_eq!(room.forget(THIRD), difference(&[], &[(1, "1")]));
    }

    #[test]
    fn a_missing_change_is_requested_and_later_ones_are_not_accepted() {
        let mut room = RoomState::default();
        change(&mut room, OTHER, (0, 1), &[(1, "1")], &[]);
        let hole = change(&mut room, OTHER, (2, 3), &[(3, "3")], &[]);
        assert_eq!(hole, Taken { ask: true, ..Taken::default() });
        let again = change(&mut room, OTHER, (3, 4), &[(4, "4")], &[]);
        assert_eq!(again, Taken::default(), "it is asked once");
        // An answer from before the latest change is not final.
        let late = whole(&mut room, OTHER, 2, &[(1, "1"), (2, "2")]);
        assert_eq!(late, Taken { ask: true, ..differs(&[(2, "2")], &[]) });
        let all = whole(&mut room, OTHER, 4, &[(2, "2"), (4, "4")]);
        assert_eq!(all, differs(&[(4, "4")], &[(1, "1")]));
        // Delayed messages change nothing.
        assert_eq!(change(&mut room, OTHER, (0, 1), &[(1, "1")], &[]), differs(&[], &[]));
        assert_eq!(whole(&mut room, OTHER, 2, &[(1, "1")]), differs(&[], &[]));
    }

    #[test]
    fn a_list_in_parts_is_accepted_when_it_is_complete() {
        let mut room = RoomState::default();
        change(&mut room, OTHER, (0, 1), &[(1, "1"), (2, "2")], &[]);
        let part = |part, is_last, people: &[(u8, &str)]| Whole {
            number: 4,
            part,
            is_last,
            present: list(people),
        };
        assert_eq!(room.take_whole(OTHER, part(0, false, &[(2, "2")])), differs(&[], &[]));
        assert_eq!(
            room.take_whole(OTHER, part(1, true, &[(3, "3")])),
            differs(&[(3, "3")], &[(1, "1")])
        );
        // The first part is lost: no session counts as gone, and the list is requested again.
        let lost = room.take_whole(OTHER, part(1, true, &[(4, "4")]));
        assert_eq!(lost, Taken { ask: true, ..Taken::default() });
        assert_eq!(room.len(), 2);
    }

    #[test]
    fn a_node_that_does_not_answer_a_round_has_no_sessions_any_more() {
        let mut room = RoomState::default();
        let mut own = Difference::default();
        room.enter(OWN, id(9), Info::new("9"), &mut own);
        change(&mut room, OTHER, (0, 1), &[(1, "1")], &[]);
        change(&mut room, THIRD, (0, 1), &[(2, "2")], &[]);
        let asked = room.moment();
        whole(&mut room, THIRD, 1, &[(2, "2")]);
        assert_eq!(room.forget_silent(asked, OWN), difference(&[], &[(1, "1")]));
        assert_eq!(room.len(), 2);
    }

    fn change(
        room: &mut RoomState,
        node: NodeId,
        numbers: (u64, u64),
        entered: &[(u8, &str)],
        left: &[u8],
    ) -> Taken {
        let left: Vec<_> = left.iter().map(|number| id(*number)).collect();
        room.take_change(node, numbers, list(entered), &left)
    }

    fn whole(room: &mut RoomState, node: NodeId, number: u64, present: &[(u8, &str)]) -> Taken {
        room.take_whole(node, Whole { number, part: 0, is_last: true, present: list(present) })
    }

    fn differs(joined: &[(u8, &str)], left: &[(u8, &str)]) -> Taken {
        Taken { difference: difference(joined, left), ask: false }
    }

    fn difference(joined: &[(u8, &str)], left: &[(u8, &str)]) -> Difference {
        Difference { joined: list(joined), left: list(left) }
    }

    fn list(people: &[(u8, &str)]) -> People {
        people.iter().map(|(number, info)| (id(*number), Info::new(info))).collect()
    }

    fn id(number: u8) -> SessionId {
        SessionId::new(OTHER, [number; 12])
    }
}
