//! Processes that fail, or run at the same time.

use std::sync::Arc;

use bowline_protocol::{CloseCode, SessionId};

use crate::broker::{Broker, LocalBroker};
use crate::config::Config;

use super::grounds::Ground;
use super::{attach, described, event, in_every_store, keeper_of, open};

in_every_store! {
    a_process_that_fails_before_it_serves_leaves_the_sessions_to_the_next
    sessions_that_another_process_has_read_meanwhile_do_not_continue_here
    a_process_that_serves_already_continues_sessions_that_an_older_one_stores
    sessions_that_no_other_node_has_accepted_are_stored_and_receive_a_gap
}

fn a_process_that_fails_before_it_serves_leaves_the_sessions_to_the_next<G: Ground>() {
    let ground = G::new();
    let node = ground.node();
    let session = open(&node);
    node.keep();
    let failed = ground.started(ground.config(|_| ()));
    assert!(failed.registry.get(&session.id).is_some());
    assert_eq!(ground.started(ground.config(|_| ())).registry.len(), 0, "one reads them");
    // It has ended: its files are not locked any more.
    keeper_of(&failed).forget();
    let next = ground.node();
    assert!(next.registry.get(&session.id).is_some());
    assert_eq!(ground.names(), [] as [String; 0]);
}

/// Without locks, or after a claim has expired, two processes may have read the same value.
fn sessions_that_another_process_has_read_meanwhile_do_not_continue_here<G: Ground>() {
    let ground = G::new();
    let node = ground.node();
    let session = open(&node);
    node.rooms.join("room", &session).unwrap();
    node.keep();
    let next = ground.started(ground.config(|_| ()));
    assert!(next.registry.get(&session.id).is_some());
    ground.remove(&ground.names()[0]);
    next.commit();
    assert_eq!((next.registry.len(), next.rooms.list("room").len()), (0, 0));
    assert!(next.find(&attach(session.id)).is_err());
}

fn a_process_that_serves_already_continues_sessions_that_an_older_one_stores<G: Ground>() {
    let ground = G::new();
    let (old, new) = (ground.node(), ground.node());
    let (session, stranger) = (open(&old), open(&new));
    session.emit(&event("news")).unwrap();
    let code = |id| new.find(&attach(id)).map_err(|close| close.code).map(drop);
    assert_eq!(code(session.id), Err(CloseCode::DRAINING));
    let unknown = SessionId::new(old.id, [7; 12]);
    old.keep();
    let others = || keeper_of(&new).store.place.look(new.id).others;
    while !others().is_empty() {
        // Waits until the old one has stored everything.
        std::thread::yield_now();
    }
    // It looks at the store again after a pause, and reads in a thread of its own.
    while new.registry.get(&session.id).is_none() {
        assert_eq!(code(session.id), Err(CloseCode::DRAINING));
        std::thread::yield_now();
    }
    let revived = new.registry.get(&session.id).unwrap();
    while described(&revived).1 != ["e news", "e bowline.gap {}"] {
        std::thread::yield_now();
    }
    let settled = || {
        std::thread::yield_now();
        Some(code(unknown)).filter(|code| *code != Err(CloseCode::DRAINING))
    };
    let settled = std::iter::repeat_with(settled).find_map(|code| code);
    assert_eq!(settled, Some(Err(CloseCode::SESSION_RESTARTED)));
    assert!(new.registry.get(&stranger.id).is_some());
    // A third process sees that the second one has the session now.
    let third = ground.node();
    assert_eq!(third.find(&attach(session.id)).unwrap_err().code, CloseCode::DRAINING);
}

/// No node has kept for them what others sent meanwhile.
fn sessions_that_no_other_node_has_accepted_are_stored_and_receive_a_gap<G: Ground>() {
    let ground = G::new();
    let broker: Arc<dyn Broker> = Arc::new(LocalBroker::new());
    let start =
        || ground.started(Config { broker: Some(Arc::clone(&broker)), ..ground.config(|_| ()) });
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
