//! Clients that continue from the stored state of another one.
//!
//! Spec: 03-opening, "Instances".

use bowline_protocol::{CloseCode, Encoded, OpenKey, Payload};

use super::{Host, SECRET, SESSION, welcome};
use crate::Status;
use crate::engine::Transport;

#[test]
fn a_client_names_the_one_that_it_continues_until_it_is_welcomed_and_says_nothing_before() {
    let mut host = restored();
    host.emit("sixth");
    let attach = format!("attach v=1 sid={SESSION} secret={SECRET} n=41 recv=8 next=4");
    assert_eq!(connect(&mut host), format!("{attach} by=7 take=5 last=4 kept=5"));
    host.receive(&welcome(4, false));
    let sent = host.take().pop().unwrap();
    assert!(sent.starts_with("n 5\ne fifth\ne sixth"), "{sent}");
    host.engine.suspend(host.now);
    host.engine.wake(host.now);
    let attach = connect(&mut host);
    assert!(attach.contains(" n=42 ") && attach.ends_with(" by=7 last=6"), "{attach}");
}

#[test]
fn an_open_that_continues_another_one_holds_back_what_waits() {
    let mut host = Host::new(Transport::WebSocket);
    let key = OpenKey::from_bytes([2; 16]);
    host.engine.restore_open(key, 40, vec![event("first")]);
    host.engine.claim(5, 1);
    host.emit("second");
    let open = format!("open v=1 key={} n=41 by=7 take=5 last=1", key.reveal());
    assert_eq!(connect(&mut host), open);
    host.receive(&welcome(1, true));
    let sent = host.take().pop().unwrap();
    assert!(sent.starts_with("n 2\ne second"), "{sent}");
}

#[test]
fn a_client_that_loses_its_session_to_a_copy_says_again_only_what_the_copy_has_not() {
    let mut host = Host::connected(Transport::WebSocket);
    host.emit("sent");
    host.receive("c 1");
    host.engine.suspend(host.now);
    for name in ["copied", "copied-too", "its-own"] {
        host.emit(name);
    }
    host.engine.wake(host.now);
    connect(&mut host);
    host.receive("x 4105 last=3");
    assert_eq!(lost(&host), (CloseCode::SESSION_TAKEN, 1, 2));
    host.pass(std::time::Duration::from_secs(1));
    let open = connect(&mut host);
    assert!(open.starts_with("open v=1 ") && open.contains(" n=1 by=7\ne its-own"), "{open}");
}

#[test]
fn a_client_that_does_not_know_what_a_copy_has_sends_nothing_again() {
    let mut host = Host::connected(Transport::WebSocket);
    host.engine.suspend(host.now);
    host.emit("waits");
    host.engine.wake(host.now);
    connect(&mut host);
    host.receive("x 4105");
    assert_eq!(lost(&host), (CloseCode::SESSION_TAKEN, 0, 1));
    host.pass(std::time::Duration::from_secs(1));
    let open = connect(&mut host);
    assert!(open.starts_with("open v=1 ") && open.ends_with(" by=7"), "{open}");
}

#[test]
fn a_client_whose_claim_is_refused_begins_anew_with_what_it_said_itself() {
    let mut host = restored();
    host.emit("sixth");
    connect(&mut host);
    host.receive("x 4105 last=5");
    assert_eq!(lost(&host), (CloseCode::SESSION_TAKEN, 3, 2));
    host.pass(std::time::Duration::from_secs(1));
    let open = connect(&mut host);
    assert!(open.contains(" n=1 by=7\ne sixth"), "{open}");
}

/// Continues from the stored state of client 5: it has sent packets up to the fourth, and the fifth
/// was never welcomed.
fn restored() -> Host {
    let mut host = Host::new(Transport::WebSocket);
    let (session, secret) = (SESSION.parse().unwrap(), SECRET.parse().unwrap());
    let kept = vec![event("fourth"), event("fifth")];
    host.engine.restore(session, secret, 40, (8, 3), kept);
    host.engine.claim(5, 4);
    host
}

/// The first message of the next carrier.
fn connect(host: &mut Host) -> String {
    host.engine.start(host.now);
    host.drain();
    host.open();
    host.take().pop().unwrap()
}

fn lost(host: &Host) -> (CloseCode, u64, u64) {
    let lost = |status: &Status| match status {
        Status::SessionLost { code, confirmed, unknown } => Some((*code, *confirmed, *unknown)),
        _ => None,
    };
    host.statuses.iter().find_map(lost).unwrap()
}

fn event(name: &str) -> Encoded {
    Encoded::event(name, &Payload::default()).unwrap()
}
