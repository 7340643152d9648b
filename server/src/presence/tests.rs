use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{
    Attachment, NodeId, Open, PRESENCE, PresenceChange, Present, SessionId, Token,
};
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::{Info, Moving, Whole};
use crate::config::Config;
use crate::error::{EnterError, ListError};
use crate::node::{Handlers, Hooks, Node};
use crate::random::random;
use crate::session::{Greeting, LiveSession, OpenPhase, Opened};
use crate::{Presence, Socket};
use bowline_protocol::Transport;

#[test]
fn a_session_is_present_until_it_leaves_and_the_members_are_notified() {
    let scene = Scene::new(Config::default());
    let (anna, ben) = (scene.member(), scene.open());
    scene.presence().enter(&anna, &json!({ "name": "Anna" })).unwrap();
    scene.presence().enter(&ben, &json!({ "name": "Ben" })).unwrap();
    assert_eq!(scene.list(), [present(&anna, "Anna"), present(&ben, "Ben")]);
    scene.presence().enter(&anna, &json!({ "name": "Anna, away" })).unwrap();
    assert_eq!(scene.list(), [present(&anna, "Anna, away"), present(&ben, "Ben")]);
    scene.presence().leave(&anna);
    assert_eq!(scene.list(), [present(&ben, "Ben")]);
    scene.presence().leave(&anna);
    // The session itself is notified as well.
    let change = |joined: &[Present<Value>], left: &[Present<Value>]| PresenceChange {
        room: ROOM.to_owned(),
        joined: joined.to_vec(),
        left: left.to_vec(),
    };
    let expected = [
        change(&[present(&anna, "Anna")], &[]),
        change(&[present(&ben, "Ben")], &[]),
        change(&[present(&anna, "Anna, away")], &[]),
        change(&[], &[present(&anna, "Anna, away")]),
    ];
    assert_eq!(received(&anna), expected);
    // Ben is present, but no member.
    assert_eq!(received(&ben), []);
}

#[test]
fn an_unchanged_info_notifies_nobody() {
    let scene = Scene::new(Config::default());
    let anna = scene.member();
    scene.presence().enter(&anna, "here").unwrap();
    scene.presence().enter(&anna, "here").unwrap();
    assert_eq!(received(&anna).len(), 1);
}

#[test]
fn an_away_session_is_present_within_the_resume_window_and_not_after_it() {
    let scene = Scene::new(Config::default());
    let (anna, ben) = (scene.open(), scene.member());
    scene.presence().enter(&anna, "here").unwrap();
    // She has no carrier.
    assert!(anna.transport().is_none());
    let window = scene.node.config.session.window;
    anna.session().with(|state, now| {
        state.core.handle_timeout(now + (window - Duration::from_secs(1)));
    });
    assert_eq!(scene.list().len(), 1);
    anna.session().with(|state, now| state.core.handle_timeout(now + window));
    assert_eq!(scene.list(), []);
    assert_eq!(received(&ben).len(), 2);
    assert_eq!(scene.node.presence.everyone(ROOM), None, "nothing is kept of it");
    assert!(matches!(scene.presence().enter(&anna, "here"), Err(EnterError::Closed)));
}

#[test]
fn a_session_without_a_carrier_is_marked_as_away_until_the_next_one() {
    let scene = Scene::new(Config { away_after: Duration::ZERO, ..Config::default() });
    let (anna, ben) = (scene.open(), scene.member());
    let attach = |counter| {
        let attachment = Attachment { counter, ..Attachment::default() };
        let greeting = Greeting::Welcome { with_secret: false };
        anna.session().attach(attachment, Transport::Sse, greeting).unwrap()
    };
    let carrier = attach(1);
    scene.presence().enter(&anna, &json!({ "name": "Anna" })).unwrap();
    assert_eq!(scene.list(), [present(&anna, "Anna")]);
    drop(carrier);
    let away = Present { away: true, ..present(&anna, "Anna") };
    assert_eq!(scene.list(), std::slice::from_ref(&away));
    scene.presence().enter(&anna, &json!({ "name": "Anna" })).unwrap();
    assert_eq!(
        scene.list(),
        std::slice::from_ref(&away),
        "what it says of itself does not bring it back"
    );
    let _carrier = attach(2);
    assert_eq!(scene.list(), [present(&anna, "Anna")]);

    let joined: Vec<_> = received(&ben).into_iter().flat_map(|change| change.joined).collect();
    assert_eq!(joined, [present(&anna, "Anna"), away, present(&anna, "Anna")]);
}

#[test]
fn limits_are_errors_that_name_them() {
    let config = Config { presence_limit: 2, max_rooms_per_session: 1, ..Config::default() };
    let scene = Scene::new(config);
    let [anna, ben, cara] = [scene.open(), scene.open(), scene.open()];
    let enter = |socket: &Socket, room: &str, info: &str| {
        Presence::new(Arc::clone(&scene.node), room).enter(socket, info).map_err(|error| {
            let text = error.to_string();
            text.rsplit(['(', ')']).nth(1).unwrap_or("none").to_owned()
        })
    };
    let long = "x".repeat(4 * 1024 - 2);
    assert_eq!(enter(&anna, "room", &long), Ok(()));
    assert_eq!(enter(&anna, "room", &format!("{long}x")), Err("presence_info_limit".to_owned()));
    assert_eq!(enter(&anna, "other", ""), Err("max_rooms_per_session".to_owned()));
    assert_eq!(enter(&ben, "room", ""), Ok(()));
    assert_eq!(enter(&cara, "room", ""), Err("presence_limit".to_owned()));
    assert_eq!(enter(&anna, "room", "another info"), Ok(()), "she is there already");
    for name in ["", "\u{0}anna", &"x".repeat(129)] {
        let presence = Presence::new(Arc::clone(&scene.node), name);
        assert!(matches!(presence.enter(&cara, ""), Err(EnterError::InvalidName)), "{name:?}");
    }
}

#[test]
fn an_info_of_another_type_is_an_error_of_the_list() {
    let scene = Scene::new(Config::default());
    scene.presence().enter(&scene.open(), &7).unwrap();
    let people = scene.presence().list::<String>().now_or_never().unwrap();
    assert!(matches!(people, Err(ListError::Decode(_))));
    assert_eq!(scene.presence().list::<u8>().now_or_never().unwrap().unwrap()[0].info, 7);
}

#[test]
fn many_sessions_that_enter_together_are_announced_in_events_of_a_bounded_size() {
    let scene = Scene::new(Config { presence_info_limit: 100_000, ..Config::default() });
    let anna = scene.member();
    let others: Vec<_> = (0..4).map(|_| scene.open()).collect();
    for other in &others {
        scene.presence().enter(other, &"x".repeat(40_000)).unwrap();
    }
    let before = received(&anna).len();
    let lost = |table: &super::Presences| table.lose(scene.node.id);
    lost(&scene.node.presence);
    let events = received(&anna).split_off(before);
    assert_eq!(events.iter().map(|event| event.left.len()).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn a_slow_member_that_is_closed_while_it_is_notified_leaves_and_everyone_is_notified() {
    let mut config = Config::default();
    Arc::make_mut(&mut config.session).outbox_limit = 400;
    let scene = Scene::new(config);
    let (slow, ben) = (scene.member(), scene.open());
    scene.presence().enter(&slow, "slow").unwrap();
    scene.presence().enter(&ben, &"x".repeat(600)).unwrap();
    scene.presence().enter(&ben, &"y".repeat(600)).unwrap();
    assert!(slow.session().look(|state| state.core.closed().is_some()));
    assert_eq!(scene.list().len(), 1);
}

#[test]
fn a_member_that_arrives_is_notified_of_changes_since_it_was_expected_and_of_no_others() {
    let scene = Scene::new(Config::default());
    let presence = &scene.node.presence;
    let other = NodeId::from_bytes([2; 6]);
    let person = |number: u8| (SessionId::new(other, [number; 12]), Info::new("7"));
    presence.begin();
    presence.expect(&[ROOM.to_owned()]);
    let round = presence.round(ROOM).unwrap();
    let present = vec![person(1), person(2)];
    let whole = Whole { number: 1, part: 0, is_last: true, present };
    assert!(!presence.take_whole(other, ROOM, whole));
    presence.complete(ROOM, round);
    let change = (vec![person(3)], &[person(1).0][..]);
    assert!(!presence.take_change(other, ROOM, (1, 2), change));

    let anna = scene.member();
    // The fourth had left at the node from which Anna comes, and Anna was perhaps not notified.
    let untold = vec![(ROOM.into(), vec![person(4)])];
    presence.arrive(anna.session(), Moving { present: Vec::new(), untold });
    let [change] = &received(&anna)[..] else { panic!("it is told in one event") };
    let ids = |people: &[Present<Value>]| {
        let mut ids: Vec<_> = people.iter().map(|person| person.session).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&change.joined), [person(3).0]);
    assert_eq!(ids(&change.left), [person(1).0, person(4).0]);
}

/// A name that has to be escaped.
const ROOM: &str = "a \"room\"";

struct Scene {
    node: Arc<Node>,
}

impl Scene {
    fn new(config: Config) -> Self {
        Self { node: Node::new(config, Handlers::default(), Hooks::default()) }
    }

    fn presence(&self) -> Presence {
        Presence::new(Arc::clone(&self.node), ROOM)
    }

    fn open(&self) -> Socket {
        let key = Token::from_bytes(random());
        let open = Open { key, counter: 1, instance: 0, take: None, auth: "".into() };
        let Ok(Opened::New(session)) = self.node.open(&open, None) else {
            panic!("a new key opens a new session")
        };
        session.with(|state, _| state.set_phase(OpenPhase::Open));
        Socket::new(Arc::clone(&self.node), session)
    }

    fn member(&self) -> Socket {
        let socket = self.open();
        socket.join(ROOM).unwrap();
        socket
    }

    /// Everyone who is present, sorted by name.
    fn list(&self) -> Vec<Present<Value>> {
        let list = self.presence().list::<Value>().now_or_never().expect("it is known here");
        let mut list = list.unwrap();
        list.sort_by_key(|person| person.info.to_string());
        list
    }
}

fn present(socket: &Socket, name: &str) -> Present<Value> {
    Present { session: socket.id(), info: json!({ "name": name }), away: false }
}

/// The changes of which the session was notified.
fn received(socket: &Socket) -> Vec<PresenceChange<Value>> {
    let session: &Arc<LiveSession> = socket.session();
    let lines = session.look(|state| {
        state.core.kept().map(|packet| packet.text_line().to_vec()).collect::<Vec<_>>()
    });
    let prefix = format!("e {PRESENCE} ");
    lines
        .iter()
        .filter_map(|line| line.strip_prefix(prefix.as_bytes()))
        .map(|json| serde_json::from_slice(json).unwrap())
        .collect()
}
