//! A replica and its followers, message by message.

#[cfg(feature = "history-file")]
mod restart;

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Encoded, Missing, Open, Payload, Position, Recovered, Since, Token};
use bytes::Bytes;

use super::page::{HistoryPage, page_of};
use super::replica::{Followers, Hole, Replica, Step};
use crate::broker::{Keep, LogEntry, Slice};
use crate::budget::Budget;
use crate::config::Config;
use crate::node::{Handlers, Hooks, Node};
use crate::random::random;
use crate::rooms::Rooms;
use crate::session::{LiveSession, OpenPhase, Opened};

#[test]
fn missed_messages_are_read_from_the_log_and_sent_before_later_ones() {
    let (mut replica, ben) = followed_from(2);
    assert_eq!(replica.receive(at(3), message(3)), Step::Complete);
    assert_eq!(replica.receive(at(3), message(3)), Step::Complete, "once more");
    assert_eq!(replica.receive(at(6), message(6)), Step::Missing);
    assert_eq!(
        replica.receive(at(7), message(7)),
        Step::Waiting,
        "the log is asked once at a time"
    );
    // The first answer was sent before the last message was appended.
    assert_eq!(replica.catch_up(slice(1..7)), (Step::Missing, None));
    assert_eq!(replica.catch_up(slice(1..8)), (Step::Complete, None));
    assert_eq!(replica.receive(at(7), message(7)), Step::Complete, "it came late");
    assert_eq!(replica.receive(at(8), message(8)), Step::Complete);
    assert_eq!(received(&ben), [3, 4, 5, 6, 7, 8]);
}

#[test]
fn messages_that_the_log_has_dropped_are_a_hole_of_known_size() {
    let (mut replica, ben) = followed_from(2);
    assert_eq!(replica.receive(at(9), message(9)), Step::Missing);
    assert_eq!(replica.catch_up(slice(8..10)), (Step::Complete, Some(Hole(Some(5)))));
    assert_eq!(received(&ben), [8, 9]);
    // No message is kept.
    assert_eq!(replica.receive(at(12), message(12)), Step::Missing);
    let empty = Slice { end: at(12), entries: Vec::new() };
    assert_eq!(replica.catch_up(empty), (Step::Complete, Some(Hole(Some(3)))));
    assert_eq!(replica.receive(at(13), message(13)), Step::Complete);
    assert_eq!(received(&ben), [8, 9, 13]);
}

#[test]
fn a_log_that_has_started_again_is_a_hole_of_unknown_size() {
    let (mut replica, ben) = followed_from(2);
    let anew = |offset| Position { epoch: "anew".to_owned(), offset };
    assert_eq!(replica.receive(anew(1), message(1)), Step::Missing);
    let log = Slice { end: anew(2), ..slice(1..3) };
    assert_eq!(replica.catch_up(log), (Step::Complete, Some(Hole(None))));
    assert_eq!(replica.receive(anew(3), message(3)), Step::Complete);
    assert_eq!(received(&ben), [1, 2, 3]);
    assert_eq!(replica.position(), Some(anew(3)));
}

#[test]
fn after_a_missing_answer_the_next_message_reads_the_log_again() {
    let (mut replica, ben) = followed_from(2);
    assert_eq!(replica.receive(at(4), message(4)), Step::Missing);
    replica.give_up();
    assert_eq!(replica.receive(at(5), message(5)), Step::Missing);
    assert_eq!(replica.catch_up(slice(3..6)), (Step::Complete, None));
    assert_eq!(received(&ben), [3, 4, 5]);
}

#[test]
fn a_follower_receives_the_past_that_it_requests_and_which_messages_are_missing() {
    let (mut replica, _) = followed_from(0);
    replica.catch_up(slice(4..10));
    let mut follow = |since: Since| {
        let session = session();
        let Recovered { at: end, replayed, missing } =
            replica.follow(&Rooms::default(), &session, &since).unwrap();
        assert_eq!((end, received(&session).len() as u64), (at(9), replayed));
        (received(&session), missing)
    };
    assert_eq!(follow(Since::Now), (vec![], None));
    assert_eq!(follow(Since::Last(2)), (vec![8, 9], None));
    assert_eq!(follow(Since::Last(99)), (vec![4, 5, 6, 7, 8, 9], None));
    assert_eq!(follow(Since::After(at(7))), (vec![8, 9], None));
    assert_eq!(follow(Since::After(at(3))), (vec![4, 5, 6, 7, 8, 9], None));
    let missing = Some(Missing::Range { from: 2, to: 3 });
    assert_eq!(follow(Since::After(at(1))), (vec![4, 5, 6, 7, 8, 9], missing));
    assert_eq!(follow(Since::After(at(10))), (vec![], Some(Missing::Unknown)));
}

#[test]
fn a_follower_receives_no_deleted_message_and_learns_that_it_is_missing() {
    let (mut replica, ben) = followed_from(4);
    assert_eq!(replica.delete(at(3)), Step::Complete);
    let replay = |replica: &mut Replica| {
        let all = Since::After(at(0));
        replica.follow(&Rooms::default(), &session(), &all).unwrap()
    };
    let missing = Some(Missing::Range { from: 1, to: 3 });
    assert_eq!(replay(&mut replica), Recovered { at: at(4), replayed: 1, missing });
    // The node has missed two messages and their deletion's place is behind them.
    assert_eq!(replica.delete(at(6)), Step::Missing);
    // The answer was sent before the deletion: followers receive what was appended.
    assert_eq!(replica.catch_up(slice(4..8)), (Step::Complete, None));
    assert_eq!(received(&ben), [5, 6, 7]);
    let missing = Some(Missing::Range { from: 1, to: 6 });
    assert_eq!(replay(&mut replica), Recovered { at: at(7), replayed: 1, missing });
    // The connection was lost while messages were deleted: the log no longer has them.
    replica.catch_up(Slice { end: at(7), entries: Vec::new() });
    let missing = Some(Missing::Range { from: 1, to: 7 });
    assert_eq!(replay(&mut replica), Recovered { at: at(7), replayed: 0, missing });
    let anew = Position { epoch: "anew".to_owned(), offset: 2 };
    assert_eq!(replica.delete(anew), Step::Missing, "of a log that has started again");
}

#[test]
fn a_page_has_the_oldest_messages_and_states_what_is_missing() {
    let page = |since, limit| {
        let HistoryPage { messages, end, missing } = page_of(slice(4..10), &since, limit);
        assert_eq!(end, at(9));
        let offsets = messages.iter().map(|message| {
            assert_eq!(message.parse::<u64>().unwrap(), message.at.offset);
            message.at.offset
        });
        (offsets.collect::<Vec<_>>(), missing)
    };
    assert_eq!(page(Since::Last(3), 9), (vec![7, 8, 9], None));
    assert_eq!(page(Since::Last(3), 2), (vec![7, 8], None));
    assert_eq!(page(Since::After(at(8)), 2), (vec![9], None));
    assert_eq!(page(Since::Now, 9), (vec![], None));
    let missing = Some(Missing::Range { from: 2, to: 3 });
    assert_eq!(page(Since::After(at(1)), 1), (vec![4], missing));
}

#[tokio::test]
async fn deleted_messages_of_memory_are_gone_for_readers_and_followers() {
    let histories = vec![(String::new(), KEEP)];
    let config = Config { histories, ..Config::default() };
    let node = Node::new(config, Handlers::default(), Hooks::default());
    let ben = session_of(&node);
    node.histories.follow("room", &ben, &Since::Now).await.unwrap();
    for offset in 1..=4 {
        node.histories.append("room", message(offset), None).await.unwrap();
    }
    let end = node.histories.page("room", &Since::Now, 1).await.unwrap().end;
    let second = Position { offset: 2, ..end.clone() };
    assert_eq!(node.histories.delete("room", Some(second)).await.unwrap(), 2);
    let page = node.histories.page("room", &Since::Last(9), 9).await.unwrap();
    assert_eq!(page.messages.len(), 2);
    assert_eq!(node.histories.delete("room", None).await.unwrap(), 2);
    node.histories.append("room", message(5), None).await.unwrap();
    let carl = session_of(&node);
    let recovered = node.histories.follow("room", &carl, &Since::Last(9)).await.unwrap();
    assert_eq!((recovered.replayed, recovered.at.offset), (1, 5));
    assert_eq!((received(&ben), received(&carl)), (vec![1, 2, 3, 4, 5], vec![5]));
}

#[tokio::test]
async fn a_repeated_message_is_stored_and_sent_once() {
    let histories = vec![(String::new(), KEEP)];
    let config = Config { histories, ..Config::default() };
    let node = Node::new(config, Handlers::default(), Hooks::default());
    let ben = session_of(&node);
    node.histories.follow("room", &ben, &Since::Now).await.unwrap();
    let id = Some(uuid::Uuid::from_u128(1));
    let first = node.histories.append("room", message(1), id).await.unwrap();
    assert_eq!(node.histories.delete("room", None).await.unwrap(), 1);
    let again = node.histories.append("room", message(2), id).await.unwrap();
    assert_eq!((&again.at, again.is_repeated), (&first.at, true), "also when it is deleted");
    node.histories.append("room", message(2), None).await.unwrap();
    assert_eq!(received(&ben), [1, 2]);
}

#[test]
fn replicas_together_stay_within_the_limit_and_report_what_they_drop_as_missing() {
    let copies = Arc::new(Budget::new(10_000));
    let replica = || {
        let mut replica = Replica::new("room", KEEP, Arc::default(), Arc::clone(&copies));
        replica.catch_up(slice(1..1));
        replica
    };
    let [mut quiet, mut loud] = [replica(), replica()];
    let large = Encoded::event("said", &Payload::json("1".repeat(1000))).unwrap();
    for offset in 1..4 {
        quiet.receive(at(offset), large.as_bytes().clone());
    }
    for offset in 1..100 {
        loud.receive(at(offset), large.as_bytes().clone());
        assert!(copies.kept() <= 10_000);
    }
    let (all, rooms) = (Since::After(at(0)), Rooms::default());
    assert_eq!(quiet.follow(&rooms, &session(), &all).unwrap().missing, None);
    let recovered = loud.follow(&rooms, &session(), &all).unwrap();
    let missing = Missing::Range { from: 1, to: 99 - recovered.replayed };
    assert!((2..6).contains(&recovered.replayed), "{recovered:?}");
    assert_eq!(recovered.missing, Some(missing));
    drop((quiet, loud));
    assert_eq!(copies.kept(), 0);
}

#[test]
fn a_follower_that_ends_while_it_receives_a_message_removes_itself() {
    let node = node();
    let followers = Arc::<Followers>::default();
    let mut replica = Replica::new("room", KEEP, Arc::clone(&followers), plenty());
    replica.catch_up(slice(1..3));
    let slow = session_of(&node);
    replica.follow(&node.rooms, &slow, &Since::Now).unwrap();
    let large = Encoded::event("said", &Payload::json("1".repeat(1_000_000))).unwrap();
    for offset in 3..9 {
        replica.receive(at(offset), large.as_bytes().clone());
    }
    assert!(slow.look(|state| state.core.closed().is_some()), "it reads nothing");
    assert!(replica.follow(&node.rooms, &slow, &Since::Now).is_err(), "it is over");
    assert!(node.rooms.names().is_empty());
}

#[tokio::test]
async fn a_history_that_is_dropped_while_it_is_followed_starts_again() {
    let histories = vec![(String::new(), KEEP)];
    let config = Config { histories, max_histories: 1, ..Config::default() };
    let node = Node::new(config, Handlers::default(), Hooks::default());
    let ben = session_of(&node);
    node.histories.follow("room", &ben, &Since::Now).await.unwrap();
    for _ in 0..2 {
        node.histories.append("another", message(1), None).await.unwrap();
        assert_eq!(node.histories.append("room", message(1), None).await.unwrap().at.offset, 1);
    }
    assert_eq!(node.histories.append("room", message(2), None).await.unwrap().at.offset, 2);
    assert_eq!(received(&ben), [1, 1, 2]);
}

/// A replica at this offset, and a session that follows from there.
fn followed_from(offset: u64) -> (Replica, Arc<LiveSession>) {
    let mut replica = Replica::new("room", KEEP, Arc::default(), plenty());
    assert!(replica.needs_log(&Since::Now));
    replica.catch_up(slice(1..offset + 1));
    let ben = session();
    replica.follow(&Rooms::default(), &ben, &Since::Now).unwrap();
    (replica, ben)
}

fn node() -> Arc<Node> {
    Node::new(Config::default(), Handlers::default(), Hooks::default())
}

fn session() -> Arc<LiveSession> {
    session_of(&node())
}

fn session_of(node: &Arc<Node>) -> Arc<LiveSession> {
    let key = Token::from_bytes(random());
    let open = Open { key, counter: 1, instance: 0, take: None, auth: "".into() };
    let Ok(Opened::New(session)) = node.open(&open, None) else { panic!("a new key is let in") };
    session.with(|state, _| state.set_phase(OpenPhase::Open));
    session
}

fn at(offset: u64) -> Position {
    Position { epoch: "epoch".to_owned(), offset }
}

fn message(offset: u64) -> Bytes {
    let payload = Payload::json(offset.to_string());
    Encoded::event("said", &payload).unwrap().as_bytes().clone()
}

fn slice(offsets: std::ops::Range<u64>) -> Slice {
    let entry = |offset| LogEntry { offset, age: Duration::ZERO, message: message(offset) };
    Slice { end: at(offsets.end - 1), entries: offsets.map(entry).collect() }
}

/// The offsets of the messages that the session has received.
fn received(session: &Arc<LiveSession>) -> Vec<u64> {
    session.look(|state| {
        let line = |packet: &Encoded| String::from_utf8_lossy(packet.text_line()).into_owned();
        state
            .core
            .kept()
            .map(line)
            .map(|line| {
                let number = |before: &str| {
                    let rest = line.split(before).nth(1).unwrap();
                    rest.chars()
                        .take_while(char::is_ascii_digit)
                        .collect::<String>()
                        .parse()
                        .unwrap()
                };
                let (offset, payload): (u64, u64) = (number("\"offset\":"), number("\"payload\":"));
                assert_eq!(offset, payload, "{line}");
                offset
            })
            .collect()
    })
}

fn plenty() -> Arc<Budget> {
    Arc::new(Budget::new(1 << 20))
}

const KEEP: Keep = Keep { messages: 100, bytes: 1 << 20, age: Duration::from_secs(600) };
