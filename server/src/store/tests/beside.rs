//! Processes that fail, or are there together.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bowline_protocol::{CloseCode, SessionId};

use crate::broker::{Broker, LocalBroker};
use crate::config::Config;

use super::{Folder, attach, described, event, open};

#[test]
fn a_process_that_fails_before_it_serves_leaves_the_sessions_to_the_next() {
    let folder = Folder::new();
    let node = folder.node();
    let session = open(&node);
    node.keep();
    let failed = folder.started(folder.config(|store| store));
    assert!(failed.registry.get(&session.id).is_some());
    assert_eq!(folder.started(folder.config(|store| store)).registry.len(), 0, "one reads them");
    // It has ended: its files are no longer locked.
    failed.keeper.as_ref().unwrap().forget();
    let next = folder.node();
    assert!(next.registry.get(&session.id).is_some());
    assert_eq!(folder.files(), [] as [PathBuf; 0]);
}

/// Without locks, or after a claim that has run out, two may have read the same.
#[test]
fn sessions_that_another_process_has_taken_meanwhile_do_not_go_on_here() {
    let folder = Folder::new();
    let node = folder.node();
    let session = open(&node);
    node.rooms.join("room", &session).unwrap();
    node.keep();
    let next = folder.started(folder.config(|store| store));
    assert!(next.registry.get(&session.id).is_some());
    fs::remove_file(folder.files().remove(0)).unwrap();
    next.keeper.as_ref().unwrap().commit(&next);
    assert_eq!((next.registry.len(), next.rooms.list("room").len()), (0, 0));
    let code = next.find(&attach(session.id)).map_err(|close| close.code).map(drop);
    assert_eq!(code, Err(CloseCode::SESSION_RESTARTED));
}

#[test]
fn a_process_that_serves_already_takes_over_what_an_older_one_stores() {
    let folder = Folder::new();
    let (old, new) = (folder.node(), folder.node());
    let (session, stranger) = (open(&old), open(&new));
    session.emit(&event("news")).unwrap();
    let code = |id| new.find(&attach(id)).map_err(|close| close.code).map(drop);
    assert_eq!(code(session.id), Err(CloseCode::DRAINING));
    let unknown = SessionId::new(old.id, [7; 12]);
    old.keep();
    let others = || new.keeper.as_ref().unwrap().store.place.look(new.id).others;
    assert!(others().is_empty(), "the old one holds nothing any more");
    // It looks again when a while is over, and reads in a thread of its own.
    while new.registry.get(&session.id).is_none() {
        assert_eq!(code(session.id), Err(CloseCode::DRAINING));
        std::thread::yield_now();
    }
    let revived = new.registry.get(&session.id).unwrap();
    while described(&revived).1 != ["e news", "e bowline.gap {}"] {
        std::thread::yield_now();
    }
    while code(unknown) == Err(CloseCode::DRAINING) {
        std::thread::yield_now();
    }
    assert_eq!(code(unknown), Err(CloseCode::SESSION_RESTARTED));
    assert!(new.registry.get(&stranger.id).is_some());
    // A third process knows that the second one has it now.
    let third = folder.node();
    assert_eq!(third.find(&attach(session.id)).unwrap_err().code, CloseCode::DRAINING);
}

/// Nobody has kept for them what other nodes said meanwhile.
#[test]
fn sessions_that_no_other_node_has_taken_are_stored_and_told_of_a_gap() {
    let folder = Folder::new();
    let broker: Arc<dyn Broker> = Arc::new(LocalBroker::new());
    let start = || {
        folder.started(Config { broker: Some(Arc::clone(&broker)), ..folder.config(|store| store) })
    };
    let node = start();
    let session = open(&node);
    node.rooms.join("room", &session).unwrap();
    session.emit(&event("news")).unwrap();
    node.keep();
    let next = start();
    let revived = next.registry.get(&session.id).unwrap();
    assert_eq!(described(&revived).1, ["e news", "e bowline.gap {}"]);
    assert!(next.rooms.contains("room", &session.id));
}
