//! What a process reads from a store, whatever has happened to it. Each test that names no kind of
//! store runs over all of them.

mod beside;
mod checkpoints;
mod grounds;
mod histories;
#[cfg(feature = "redis")]
mod redis;
mod versions;

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bowline_protocol::{Attach, CloseCode, Encoded, Open, Packet, Payload, SessionId, Token};
use fastrand::Rng;

use super::Keeper;
use crate::node::Node;
use crate::random::random;
use crate::rates::{RateLimit, RateLimits};
use crate::session::{LiveSession, OpenPhase, Opened, Validity};
use crate::store::format::unix_millis;
use grounds::{Folder, Ground};

/// Runs tests over every kind of store.
macro_rules! in_every_store {
    ($($test:ident)*) => {
        mod in_a_folder {
            $(#[test] fn $test() { super::$test::<crate::keeper::tests::Folder>(); })*
        }

        #[cfg(feature = "redis")]
        mod in_redis {
            $(#[test] fn $test() { super::$test::<crate::keeper::tests::redis::Server>(); })*
        }
    };
}
use in_every_store;

in_every_store! {
    a_session_continues_as_it_was
    a_session_without_a_carrier_has_what_was_left_of_its_window_and_half_a_minute_at_least
    events_to_a_stored_session_are_reported_as_a_gap
    a_session_that_is_busy_or_too_large_is_lost_and_the_others_are_not
    after_any_damage_a_session_is_exact_or_absent
    a_value_of_another_application_is_not_read
    an_authentication_expires_while_no_process_runs
}

fn a_session_continues_as_it_was<G: Ground>() {
    let ground = G::new();
    let node = ground.node();
    let session = open(&node);
    node.rooms.join("room", &session).unwrap();
    session.set_extension(7_u32);
    let limits = RateLimits::new().per_session(RateLimit::per_second(7).or_delay());
    session.set_limits(limits);
    session.emit(&event("news")).unwrap();
    let before = described(&session);
    node.keep();
    assert_eq!((node.registry.len(), ground.names().len()), (0, 1));

    let next = ground.node();
    assert_eq!(ground.names(), [] as [String; 0], "nobody reads it again");
    let revived = next.registry.get(&session.id).expect("it is there");
    assert_eq!(described(&revived), before);
    assert!(next.rooms.contains("room", &session.id));
    assert_eq!(revived.extension::<u32>(), Some(7));
    assert_eq!(revived.look(|state| state.own_limits()), Some(limits));
    assert!(next.limiter.is_used());
    assert_eq!(next.registry.by_key(&session.key).unwrap().id, session.id);
    assert_eq!(ground.node().registry.len(), 0, "it does not come back a second time");
}

fn a_session_without_a_carrier_has_what_was_left_of_its_window_and_half_a_minute_at_least<
    G: Ground,
>() {
    let ground = G::new();
    let node = ground.node();
    let (short, long) = (open(&node), open(&node));
    for (session, left) in [(&short, 3), (&long, 90)] {
        session.with(|state, now| state.core.wait_for(Duration::from_secs(left), now));
    }
    node.keep();
    let next = ground.node();
    let left = |session: &LiveSession| {
        let revived = next.registry.get(&session.id).unwrap();
        revived.look(|state| state.core.waits_for(next.now())).unwrap()
    };
    assert!((29..=30).contains(&left(&short).as_secs()));
    assert!((80..=90).contains(&left(&long).as_secs()));
}

fn events_to_a_stored_session_are_reported_as_a_gap<G: Ground>() {
    let ground = G::new();
    let node = ground.node();
    let (early, late) = (open(&node), open(&node));
    for session in [&early, &late] {
        node.rooms.join("room", session).unwrap();
    }
    let mut packed = early.pack().unwrap();
    early.part(&mut packed).unwrap();
    let members = node.rooms.list("room");
    assert_eq!(members.len(), 2, "what is said to it is noticed");
    for member in members.iter() {
        let _ = member.emit(&event("news"));
    }
    node.keep();
    let next = ground.node();
    let kept = described(&next.registry.get(&late.id).unwrap()).1;
    assert_eq!(kept, ["e news", "e bowline.gap {}"]);
}

fn a_session_that_is_busy_or_too_large_is_lost_and_the_others_are_not<G: Ground>() {
    let ground = G::new();
    let node = ground.node_with(|to| to.session_limit = 2_000);
    let (large, odd, well) = (open(&node), open(&node), open(&node));
    let payload = Payload::json(format!("{:?}", "x".repeat(3_000)));
    large.emit(&Encoded::event("news", &payload).unwrap()).unwrap();
    odd.set_extension("a type without a name");
    node.keep();
    let next = ground.node();
    let there = [&large, &odd, &well].map(|session| next.registry.get(&session.id).is_some());
    assert_eq!(there, [false, false, true]);

    let node = ground.node_with(|to| to.limit = 2_000);
    let sessions: Vec<_> = (0..10).map(|_| open(&node)).collect();
    node.keep();
    let bytes = ground.read(&ground.names()[0]).len();
    assert!(bytes <= 2_100, "{bytes}");
    let stored = ground.node().registry.len();
    assert!((1..sessions.len()).contains(&stored), "{stored}");
}

fn after_any_damage_a_session_is_exact_or_absent<G: Ground>() {
    let ground = G::new();
    let node = ground.node();
    for number in 0..20 {
        let session = open(&node);
        node.rooms.join(&format!("room {}", number % 3), &session).unwrap();
        for _ in 0..number {
            session.emit(&event("news")).unwrap();
        }
    }
    let whole: BTreeMap<_, _> = node.registry.all().iter().map(known).collect();
    node.keep();
    let name = ground.names().remove(0);
    let bytes = ground.read(&name);
    let mut chance = Rng::with_seed(1);
    let (mut some, mut none) = (0, 0);
    for round in 0..400 {
        let mut broken = bytes.clone();
        if round < 200 {
            broken.truncate(chance.usize(..bytes.len()));
        } else {
            broken[chance.usize(..bytes.len())] ^= 1 << chance.u8(..8);
        }
        ground.write(&name, &broken);
        let next = ground.node();
        let read = next.registry.all();
        for session in &read {
            let (id, (numbers, mut kept, rooms)) = known(session);
            // All receive a gap, because others are lost.
            assert_eq!(kept.pop().as_deref(), Some("e bowline.gap {}"), "round {round}");
            assert_eq!(whole[&id], (numbers, kept, rooms), "round {round}");
        }
        some += usize::from(!read.is_empty());
        none += usize::from(read.is_empty());
        ground.remove(&name);
    }
    assert!(some > 200 && none > 1, "{some} with sessions, {none} without");
}

fn a_value_of_another_application_is_not_read<G: Ground>() {
    let ground = G::new();
    let node = ground.node_with(|to| to.set_application("shop"));
    let session = open(&node);
    node.keep();
    assert_eq!(ground.node_with(|to| to.set_application("chat")).registry.len(), 0);
    assert_eq!(ground.names().len(), 1);
    let shop = ground.node_with(|to| to.set_application("shop"));
    assert!(shop.registry.get(&session.id).is_some());
}

#[test]
fn a_folder_that_cannot_be_used_costs_the_sessions_and_not_the_start() {
    let folder = Folder::new();
    fs::write(&folder.0, "no folder").unwrap();
    let node = folder.node();
    open(&node);
    node.keep();
    assert_eq!(fs::read(&folder.0).unwrap(), b"no folder");
    assert_eq!(folder.node().registry.len(), 0);
    fs::remove_file(&folder.0).unwrap();
    // Files that another process has left while it was writing.
    fs::create_dir(&folder.0).unwrap();
    fs::write(folder.0.join("1.unfinished"), "half").unwrap();
    fs::write(folder.0.join("AQEBAQEB.process"), "AQEBAQEB").unwrap();
    let node = folder.node();
    open(&node).with(|_, _| ());
    let attach = attach(SessionId::new("AQEBAQEB".parse().unwrap(), [1; 12]));
    assert_eq!(node.find(&attach).unwrap_err().code, CloseCode::SESSION_RESTARTED);
    node.keep();
    assert_eq!(folder.0.read_dir().unwrap().count(), 1, "the sessions alone");
}

#[cfg(unix)]
#[test]
fn other_users_may_not_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    let folder = Folder::new();
    let node = folder.node();
    open(&node);
    node.keep();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = folder.0.join(&folder.names()[0]);
    assert_eq!((mode(&folder.0), mode(&file)), (0o700, 0o600));
}

fn an_authentication_expires_while_no_process_runs<G: Ground>() {
    let ground = G::new();
    let node = ground.node();
    let session = open(&node);
    let validity = Validity { length: Duration::from_secs(60), left: Duration::from_secs(60) };
    session.with(|state, now| state.expires_in(validity, false, now));
    node.keep();
    let name = ground.names().remove(0);
    backdate(&ground, &name, Duration::from_secs(40));
    let next = ground.node();
    let revived = next.registry.get(&session.id).unwrap();
    let left = revived.look(|state| state.validity(next.now())).unwrap().left;
    assert!((15..=20).contains(&left.as_secs()), "{left:?}");

    next.keep();
    backdate(&ground, &ground.names()[0], Duration::from_secs(2 * 3600));
    assert_eq!(ground.node().registry.len(), 0, "it is long over");
    assert_eq!(ground.names(), [] as [String; 0]);
}

fn attach(session: SessionId) -> Attach {
    let secret = Token::from_bytes([0; 16]);
    let line = format!("attach v=1 sid={session} secret={} n=9 recv=0 next=1", secret.reveal());
    match Packet::parse(&line.into()) {
        Ok(Packet::Attach(attach)) => attach,
        other => panic!("{other:?}"),
    }
}

/// Changes a file so that it states that it was written this long ago.
fn backdate(ground: &impl Ground, name: &str, by: Duration) {
    let mut bytes = ground.read(name);
    let written = unix_millis(SystemTime::now() - by);
    bytes[12..20].copy_from_slice(&written.to_be_bytes());
    let end = 12 + usize::from(bytes[11]);
    let check = crc32fast::hash(&bytes[..end]).to_be_bytes();
    bytes[end..end + 4].copy_from_slice(&check);
    ground.write(name, &bytes);
}

/// Numbers, packets and rooms.
type Described = ((u64, u64), Vec<String>, Vec<String>);

fn described(session: &LiveSession) -> Described {
    session.look(|state| {
        let core = &state.core;
        let kept = core
            .kept()
            .map(|packet| String::from_utf8(packet.text_line().to_vec()).unwrap())
            .collect();
        let rooms = state.rooms.iter().map(|room| room.to_string()).collect();
        ((core.received(), core.confirmed()), kept, rooms)
    })
}

fn known(session: &Arc<LiveSession>) -> (SessionId, Described) {
    (session.id, described(session))
}

fn open(node: &Arc<Node>) -> Arc<LiveSession> {
    let key = Token::from_bytes(random());
    let open = Open { key, counter: 1, instance: 0, take: None, auth: "".into() };
    let Ok(Opened::New(session)) = node.open(&open, None) else { panic!("the key is new") };
    session.with(|state, _| state.set_phase(OpenPhase::Open));
    session
}

fn event(name: &str) -> Encoded {
    Encoded::event(name, &Payload::default()).unwrap()
}

fn keeper_of(node: &Node) -> Arc<Keeper> {
    let keeper: Arc<dyn Any + Send + Sync> = Arc::clone(node.keeper()) as _;
    keeper.downcast().expect("a node is kept by a Keeper")
}
