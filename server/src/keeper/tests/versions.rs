//! Files that other builds have written. The files stay as they are.

use std::time::Duration;

use bowline_protocol::{Ownership, Taken, Token};

use super::grounds::Ground;
use super::{backdate, described, in_every_store};

/// Version 1, as written by the first build that stored sessions.
const VERSION_1: &[u8] = include_bytes!("../../../vectors/version-1.sessions");
/// The same with additions that later builds of version 1 may make: a field, and records of kinds 9
/// and 10.
const VERSION_1_LATER: &[u8] = include_bytes!("../../../vectors/version-1-later.sessions");
/// A header of version 2. This build cannot read what follows.
const VERSION_2: &[u8] = include_bytes!("../../../vectors/version-2.sessions");

in_every_store! {
    a_file_of_version_1_is_read
    fields_and_records_that_later_builds_add_to_version_1_are_ignored
    a_file_of_a_version_that_is_not_known_is_left_to_the_build_that_wrote_it
}

fn a_file_of_version_1_is_read<G: Ground>() {
    assert_reads_version_1::<G>(VERSION_1);
}

fn fields_and_records_that_later_builds_add_to_version_1_are_ignored<G: Ground>() {
    assert_reads_version_1::<G>(VERSION_1_LATER);
}

fn a_file_of_a_version_that_is_not_known_is_left_to_the_build_that_wrote_it<G: Ground>() {
    let ground = G::new();
    given(&ground, VERSION_2);
    let before = ground.read(G::NAME);
    let node = ground.node();
    assert_eq!(node.registry.len(), 0);
    node.keep();
    assert_eq!(ground.read(G::NAME), before);
}

/// Writes a value to the store, as if ten seconds ago.
fn given<G: Ground>(ground: &G, file: &[u8]) {
    ground.write(G::NAME, file);
    backdate(ground, G::NAME, Duration::from_secs(10));
}

fn assert_reads_version_1<G: Ground>(file: &[u8]) {
    let ground = G::new();
    given(&ground, file);
    let node = ground.node();
    let id = "AQEBAQEB.AgICAgICAgICAgIC".parse().unwrap();
    let session = node.registry.get(&id).expect("it is there");
    let kept = ["e news", "e said \"ahoy\""].map(str::to_owned).to_vec();
    let rooms = ["\u{0}anna", "room"].map(str::to_owned).to_vec();
    assert_eq!(described(&session), ((9, 4), kept, rooms));
    assert_eq!(session.user().as_deref(), Some("anna"));
    assert_eq!(session.extension::<u32>(), Some(7));
    assert_eq!(session.address, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(session.secret, Token::from_bytes([3; 16]));
    assert_eq!(node.registry.by_key(&Token::from_bytes([4; 16])).unwrap().id, id);
    let ownership =
        Ownership { owner: Some(7), taken: Some(Box::new(Taken { from: None, last: 3 })) };
    session.look(|state| {
        assert_eq!((state.core.counter(), state.core.ownership()), (5, &ownership));
        let left = state.validity(node.now()).unwrap().left.as_secs();
        assert!((35..40).contains(&left), "{left}");
        let waits = state.core.waits_for(node.now()).unwrap().as_secs();
        assert!((85..90).contains(&waits), "{waits}");
    });
    let (of, info) = node.presence.everyone("lobby").unwrap().remove(0);
    assert_eq!((of, &*info.json), (id, "{\"name\":\"anna\"}"));
}
