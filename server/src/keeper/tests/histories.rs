//! Sessions that follow the history of a room.

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::Since;
use futures::FutureExt as _;

use super::grounds::{Folder, Ground};
use super::{described, event, in_every_store, open};
use crate::broker::Keep;
use crate::config::Config;
use crate::node::Node;

in_every_store! { a_follower_of_a_history_that_ended_with_its_process_receives_a_gap_and_later_events }

fn a_follower_of_a_history_that_ended_with_its_process_receives_a_gap_and_later_events<
    G: Ground,
>() {
    let ground = G::new();
    let node = with_history(&ground);
    let session = open(&node);
    node.rooms.join("log", &session).unwrap();
    append(&node);
    let followed = node.histories.follow("log", &session, &Since::Last(1)).now_or_never();
    assert_eq!(followed.unwrap().unwrap().replayed, 1);
    node.keep();
    let next = with_history(&ground);
    let revived = next.registry.get(&session.id).unwrap();
    let kept = described(&revived).1;
    assert!(kept[0].starts_with("e news {\"at\":"), "{kept:?}");
    assert_eq!(kept[1..], [r#"e bowline.gap {"room":"log"}"#]);
    append(&next);
    assert_eq!(described(&revived).1.len(), 3, "it hears what comes");
}

#[test]
fn a_copy_of_a_session_names_its_histories_and_the_session_keeps_following() {
    let folder = Folder::new();
    let node = with_history(&folder);
    let session = open(&node);
    node.rooms.join("log", &session).unwrap();
    let _ = node.histories.follow("log", &session, &Since::Last(0)).now_or_never();
    append(&node);
    let followed = node.histories.followed_by(&session);
    append(&node);
    let later = node.histories.followed_by(&session);
    assert_eq!((followed.len(), later.len()), (1, 1));
    assert_ne!(followed, later);
    assert_eq!(later, node.histories.depart(&session));
    assert_eq!(node.histories.followed_by(&session), []);
}

fn append(node: &Arc<Node>) {
    let appended =
        node.histories.append("log", event("news").as_bytes().clone(), None).now_or_never();
    appended.expect("memory does not wait").unwrap();
}

fn with_history(ground: &impl Ground) -> Arc<Node> {
    let keep = Keep { messages: 10, bytes: usize::MAX, age: Duration::from_secs(60) };
    ground.started(Config {
        store: Some(ground.store()),
        histories: vec![("log".to_owned(), keep)],
        ..Config::default()
    })
}
