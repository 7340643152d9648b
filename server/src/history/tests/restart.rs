//! A node with a file for its histories, and the next one with the same file.

use std::path::Path;
use std::sync::Arc;

use bowline_protocol::{Missing, Position, Recovered, Since};

use super::{KEEP, message, received, session_of};
use crate::bowline::Bowline;
use crate::broker::{HistoryFile, Keep, LocalBroker};
use crate::config::Config;
use crate::node::{Handlers, Hooks, Node};
use crate::store::FileStore;

/// A node that has this file.
fn node(path: &Path) -> Arc<Node> {
    node_with(path, None)
}

fn node_with(path: &Path, store: Option<FileStore>) -> Arc<Node> {
    let histories = vec![(String::new(), Keep { messages: 5, ..KEEP })];
    let file = Arc::new(HistoryFile::open(path).unwrap());
    let config = Config {
        histories,
        history_store: Some(file),
        store: store.map(Into::into),
        ..Config::default()
    };
    let node = Node::new(config, Handlers::default(), Hooks::default());
    crate::keeper::begin(&node);
    node
}

fn file(name: &str) -> std::path::PathBuf {
    let name = format!("bowline-restart-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_file(&path);
    path
}

async fn append(node: &Node, offsets: std::ops::RangeInclusive<u64>) {
    for offset in offsets {
        assert_eq!(
            node.histories.append("room", message(offset), None).await.unwrap().at.offset,
            offset
        );
    }
}

#[tokio::test]
async fn a_follower_that_returns_after_a_restart_receives_what_it_has_missed() {
    let path = file("follower");
    let first = node(&path);
    append(&first, 1..=2).await;
    let ben = session_of(&first);
    let begin = first.histories.follow("room", &ben, &Since::Last(1)).await.unwrap().at;
    append(&first, 3..=4).await;
    assert_eq!((begin.offset, received(&ben)), (2, vec![2, 3, 4]));

    // The process is killed: nothing is closed.
    let copy = file("killed");
    std::fs::copy(&path, &copy).unwrap();
    let second = node(&copy);
    append(&second, 5..=6).await;
    let anna = session_of(&second);
    let after = |offset| Since::After(Position { offset, ..begin.clone() });
    let all = Recovered { at: Position { offset: 6, ..begin.clone() }, replayed: 2, missing: None };
    assert_eq!(second.histories.follow("room", &anna, &after(4)).await.unwrap(), all);
    append(&second, 7..=7).await;
    assert_eq!(received(&anna), [5, 6, 7]);
    // Five messages are kept.
    let late = second.histories.follow("room", &session_of(&second), &after(0)).await.unwrap();
    assert_eq!((late.replayed, late.missing), (5, Some(Missing::Range { from: 1, to: 2 })));
    for path in [path, copy] {
        let _ = std::fs::remove_file(path);
    }
}

#[tokio::test]
async fn a_stored_session_continues_to_follow_its_history() {
    let (path, copy, sessions) = (file("stored"), file("stored-copy"), file("sessions"));
    let first = node_with(&path, Some(FileStore::new(&sessions)));
    let ben = session_of(&first);
    first.histories.follow("room", &ben, &Since::Now).await.unwrap();
    append(&first, 1..=2).await;
    first.keep();
    // Messages are appended after the session was written.
    append(&first, 3..=4).await;
    std::fs::copy(&path, &copy).unwrap();

    let second = node_with(&copy, Some(FileStore::new(&sessions)));
    let ben = second.registry.get(&ben.id).expect("it is there");
    append(&second, 5..=5).await;
    assert_eq!(received(&ben), [1, 2, 3, 4, 5]);
    for path in [path, copy] {
        let _ = std::fs::remove_file(path);
    }
    let _ = std::fs::remove_dir_all(sessions);
}

#[test]
#[should_panic(expected = "set broker or history_store, not both")]
fn nodes_with_a_broker_have_no_file_of_their_own() {
    let path = file("both");
    let own = HistoryFile::open(&path).unwrap();
    let _ = std::fs::remove_file(path);
    let _ = Bowline::builder().history_store(own).broker(LocalBroker::new()).build();
}

#[tokio::test]
async fn deleted_messages_stay_deleted_after_a_restart() {
    let path = file("deleted");
    let first = node(&path);
    append(&first, 1..=4).await;
    let end = first.histories.page("room", &Since::Now, 1).await.unwrap().end;
    let third = Position { offset: 3, ..end.clone() };
    assert_eq!(first.histories.delete("room", Some(third)).await.unwrap(), 3);
    let copy = file("deleted-killed");
    std::fs::copy(&path, &copy).unwrap();
    let second = node(&copy);
    let page = second.histories.page("room", &Since::Last(9), 9).await.unwrap();
    assert_eq!((page.messages.len(), &page.end), (1, &end));
    // Appended and deleted in one group of the writer, or in two.
    let (_, count) = tokio::join!(
        second.histories.append("room", message(5), None),
        second.histories.delete("room", None)
    );
    assert_eq!(count.unwrap(), 2);
    let last = file("deleted-again");
    std::fs::copy(&copy, &last).unwrap();
    let third = node(&last);
    let page = third.histories.page("room", &Since::Last(9), 9).await.unwrap();
    assert_eq!((page.messages, page.end.offset), (vec![], 5));
    append(&third, 6..=6).await;
}

#[tokio::test]
async fn a_message_with_an_id_is_one_message_also_after_a_restart() {
    let path = file("once");
    let first = node(&path);
    let id = |number| Some(uuid::Uuid::from_u128(number));
    let ben = session_of(&first);
    first.histories.follow("room", &ben, &Since::Now).await.unwrap();
    let append = async |node: &Node, offset, number| {
        node.histories.append("room", message(offset), id(number)).await.unwrap()
    };
    // In one group of the writer, or in two.
    let (one, again) = tokio::join!(append(&first, 1, 7), append(&first, 1, 7));
    assert_eq!((one.is_repeated, again.is_repeated, one.at == again.at), (false, true, true));
    append(&first, 2, 8).await;
    assert_eq!(received(&ben), [1, 2]);
    let copy = file("once-killed");
    std::fs::copy(&path, &copy).unwrap();
    let second = node(&copy);
    assert_eq!(append(&second, 3, 7).await, again);
    assert_eq!(append(&second, 3, 9).await.at.offset, 3);
}
