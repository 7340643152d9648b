//! A process is killed: which sessions its checkpoint restores, and for which clients.

use std::cell::RefCell;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{
    AttachError, Attachment, CloseCode, Encoded, Payload, SessionId, Transport,
};
use serde::{Deserialize, Serialize, Serializer};

use super::super::revive::late;
use super::grounds::{Folder, Ground as _};
use super::{attach as attach_to, described, event, keeper_of, open};
use crate::config::{Config, SessionValue};
use crate::node::Node;
use crate::session::{Greeting, LiveSession};

#[test]
fn a_client_with_the_state_of_the_checkpoint_continues_and_receives_a_gap() {
    let folder = Folder::new();
    let node = folder.node_with_checkpoints();
    let session = open(&node);
    node.rooms.join("room", &session).unwrap();
    session.set_extension(7_u32);
    session.emit(&event("news")).unwrap();
    let before = described(&session);
    checkpoint(&node);
    assert_eq!(described(&session), before, "the session stays as it is");
    assert!(session.look(|state| state.core.closed().is_none()));

    let next = crash(&folder, node);
    let revived = next.registry.get(&session.id).expect("it is there");
    let (numbers, kept, rooms) = described(&revived);
    assert_eq!(numbers, before.0);
    assert_eq!((kept, rooms), (vec!["e news".into(), "e bowline.gap {}".into()], before.2));
    assert!(next.rooms.contains("room", &session.id));
    assert_eq!(revived.extension::<u32>(), Some(7));
    assert_eq!(attach(&revived, 1, 0), Ok(()));
    assert!(revived.look(|state| !state.core.is_stale()));
}

#[test]
fn a_client_that_has_sent_or_received_more_is_notified_that_its_session_is_lost() {
    for (received, sent) in [(2, 0), (1, 1), (0, 1)] {
        let folder = Folder::new();
        let node = folder.node_with_checkpoints();
        let session = open(&node);
        node.rooms.join("room", &session).unwrap();
        session.emit(&event("news")).unwrap();
        checkpoint(&node);
        let next = crash(&folder, node);
        let revived = next.registry.get(&session.id).unwrap();
        assert_eq!(attach(&revived, received, sent), Err(AttachError::Stale));
        assert_eq!(code(&revived), Some(CloseCode::SESSION_RESTARTED));
        assert!(!next.rooms.contains("room", &session.id), "it has left its rooms");
    }
}

#[test]
fn a_new_checkpoint_replaces_the_previous_one_and_the_end_replaces_both() {
    let folder = Folder::new();
    let node = folder.node_with_checkpoints();
    let session = open(&node);
    checkpoint(&node);
    let first = folder.files();
    session.emit(&event("news")).unwrap();
    checkpoint(&node);
    let second = folder.files();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second, "no name is used twice");
    node.keep();
    assert!(!keeper_of(&node).make_checkpoint(&node), "the thread ends");
    assert_eq!(folder.files().len(), 1);
    let next = folder.node();
    let revived = next.registry.get(&session.id).unwrap();
    assert_eq!(described(&revived).1, ["e news"], "nothing is stale, and nobody is told of a gap");
    assert!(revived.look(|state| !state.core.is_stale()));

    // Nothing is left in the store when there are no sessions.
    let node = folder.node_with_checkpoints();
    checkpoint(&node);
    node.keep();
    assert_eq!(folder.files().len(), 0);
}

#[test]
fn the_checkpoint_of_a_running_process_is_not_read() {
    let folder = Folder::new();
    let node = folder.node_with_checkpoints();
    let session = open(&node);
    checkpoint(&node);
    let other = folder.node();
    assert_eq!(other.registry.len(), 0);
    late(&keeper_of(&other), &other);
    assert_eq!((other.registry.len(), folder.files().len()), (0, 1));
    assert!(node.registry.get(&session.id).is_some());

    // It is killed, and the other process takes over.
    keeper_of(&node).forget();
    late(&keeper_of(&other), &other);
    assert_eq!((other.registry.len(), folder.files().len()), (1, 0));
}

#[test]
fn a_checkpoint_that_cannot_be_replaced_by_the_end_is_better_than_nothing() {
    let folder = Folder::new();
    let node = folder.node_with_checkpoints();
    let session = open(&node);
    checkpoint(&node);
    let (path, moved) = (folder.files().remove(0), folder.0.with_extension("moved"));
    // The folder is gone, and a file is in its place.
    fs::rename(&folder.0, &moved).unwrap();
    fs::write(&folder.0, "no folder").unwrap();
    node.keep();
    fs::remove_file(&folder.0).unwrap();
    fs::rename(&moved, &folder.0).unwrap();
    assert_eq!(folder.files(), [path]);
    let revived = folder.node().registry.get(&session.id).map(|session| described(&session).1);
    assert_eq!(revived, Some(vec!["e bowline.gap {}".to_owned()]));
}

#[test]
fn a_session_with_a_running_handler_or_a_pending_request_is_not_copied() {
    let folder = Folder::new();
    let node = folder.node_with_checkpoints();
    let (asks, odd, well) = (open(&node), open(&node), open(&node));
    let question = Encoded::request("ask", &Payload::default()).unwrap();
    let deadline = node.now() + Duration::from_secs(5);
    asks.with(|state, now| state.core.request(question, deadline, now)).unwrap();
    odd.set_extension("a type without a name");
    checkpoint(&node);
    let next = crash(&folder, node);
    let there = [&asks, &odd, &well].map(|session| next.registry.get(&session.id).is_some());
    assert_eq!(there, [false, false, true]);
}

#[test]
fn a_client_that_opens_again_receives_a_new_session() {
    let folder = Folder::new();
    let node = folder.node_with_checkpoints();
    let session = open(&node);
    checkpoint(&node);
    let next = crash(&folder, node);
    assert!(next.registry.by_key(&session.key).is_none());
}

#[test]
fn an_unclaimed_stale_session_is_stale_in_the_next_process_too() {
    let folder = Folder::new();
    let node = folder.node_with_checkpoints();
    let session = open(&node);
    checkpoint(&node);
    let next = crash(&folder, node);
    next.keep();
    let after = folder.node();
    let revived = after.registry.get(&session.id).unwrap();
    assert_eq!(attach(&revived, 0, 1), Err(AttachError::Stale));
}

/// A client of an unknown session is notified of that, and not to come back forever.
#[test]
fn the_checkpoint_of_a_running_process_makes_no_client_wait() {
    let folder = Folder::new();
    let (one, other) = (folder.node_with_checkpoints(), folder.node_with_checkpoints());
    let session = open(&one);
    checkpoint(&one);
    checkpoint(&other);
    let gone = attach_to(SessionId::new("AQEBAQEB".parse().unwrap(), [1; 12]));
    assert_eq!(other.find(&gone).unwrap_err().code, CloseCode::SESSION_RESTARTED);
    let known = attach_to(session.id);
    assert_eq!(other.find(&known).unwrap_err().code, CloseCode::DRAINING, "the other one has it");

    let place = &keeper_of(&other).store.place;
    assert_eq!(place.look(other.id).stored, [""; 0]);
    let killed = keeper_of(&one);
    killed.forget();
    killed.store.place.leave();
    assert_eq!(place.look(other.id).stored.len(), 1, "now it is there for others");
}

#[test]
fn a_checkpoint_that_a_shutdown_interrupts_keeps_the_previous_one() {
    thread_local! {
        static NODE: RefCell<Option<Arc<Node>>> = const { RefCell::new(None) };
    }

    /// A value of the application; serializing it ends the node.
    #[derive(Deserialize)]
    struct Ends;

    impl Serialize for Ends {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            NODE.with_borrow(|node| {
                node.iter().for_each(|node| node.start_draining(Duration::ZERO))
            });
            serializer.serialize_unit()
        }
    }

    let folder = Folder::new();
    let config = folder.config(|to| to.checkpoint_every = Some(Duration::from_secs(24 * 3600)));
    let node = folder
        .started(Config { session_values: vec![SessionValue::new::<Ends>("ends")], ..config });
    for _ in 0..20 {
        open(&node).set_extension(Ends);
    }
    checkpoint(&node);
    let before = folder.names();
    NODE.set(Some(Arc::clone(&node)));
    keeper_of(&node).make_checkpoint(&node);
    assert!(node.is_draining());
    // Names are never used twice, so it is the same value.
    assert_eq!(folder.names(), before);
}

fn checkpoint(node: &Arc<Node>) {
    assert!(keeper_of(node).make_checkpoint(node));
}

/// Simulates that the process is killed: its locks are released, and nothing was written.
fn crash(folder: &Folder, node: Arc<Node>) -> Arc<Node> {
    keeper_of(&node).forget();
    folder.node()
}

/// Attaches a client that has received and sent this many packets.
fn attach(session: &Arc<LiveSession>, received: u64, sent: u64) -> Result<(), AttachError> {
    let attachment = Attachment {
        counter: 9,
        peer_received: received,
        peer_sent: sent,
        ..Attachment::default()
    };
    let greeting = Greeting::Welcome { with_secret: false };
    session.attach(attachment, Transport::WebSocket, greeting).map(drop)
}

fn code(session: &LiveSession) -> Option<CloseCode> {
    session.look(|state| state.core.closed().map(|close| close.code))
}
