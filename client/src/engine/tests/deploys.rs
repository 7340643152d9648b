//! A server that is replaced by its next version: it states when to reconnect, and then nothing
//! listens for a while.

use super::{Close, CloseCode, Duration, End, Host, Status, Time, Transport, welcome};
use crate::engine::{Cause, Refused};

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];

/// A client whose server has served it for this long and dismisses it for 400 ms.
fn dismissed(served: Duration) -> Host {
    let mut host = Host::with(ALL.to_vec());
    host.engine.start(host.now);
    host.drain();
    host.open();
    host.receive(&welcome(0, true));
    host.pass(served);
    let close = Close::new(CloseCode::DRAINING).after(Duration::from_millis(400));
    host.engine.ended(End::Close(close), host.now);
    host.drain();
    host
}

fn nobody_listens() -> End {
    let (cause, detail) = (Cause::ConnectionRefused, "nobody listens".into());
    End::Refused(Refused { cause, detail, retry_after: None })
}

/// The waits between attempts that fail in this way, up to this moment.
fn waits_until(host: &mut Host, end: Time, why: fn() -> End) -> Vec<u64> {
    let mut waits = Vec::new();
    while host.now < end {
        let wait = match host.statuses.last() {
            Some(Status::Waiting { retry_in }) => *retry_in,
            _ => Duration::ZERO,
        };
        waits.push(u64::try_from(wait.as_millis()).unwrap());
        host.statuses.clear();
        host.pass(wait);
        host.engine.ended(why(), host.now);
        host.drain();
    }
    waits
}

fn tried(host: &Host) -> Vec<Transport> {
    let tried = host.statuses.iter().filter_map(|status| match status {
        Status::Connecting { transport } => Some(*transport),
        _ => None,
    });
    tried.collect()
}

#[test]
fn a_dismissed_client_tries_about_twice_a_second_until_the_server_returns() {
    // Even after less than the time that usually resets the back-off.
    for served in [1, 60] {
        let mut host = dismissed(Duration::from_secs(served));
        let end = host.now + Duration::from_secs(29);
        let waits = waits_until(&mut host, end, nobody_listens);
        assert!((400..=500).contains(&waits[0]), "as the server asked: {waits:?}");
        assert!(waits[1..].iter().all(|wait| (300..=600).contains(wait)), "{waits:?}");
        assert!(waits[1..].iter().min() != waits[1..].iter().max(), "not all at once");
    }
}

#[test]
fn while_a_server_is_replaced_nothing_is_found_out_about_transports() {
    let lost: fn() -> End = || End::Lost("as a browser tells it".into());
    for why in [nobody_listens, lost] {
        let mut host = dismissed(Duration::from_secs(60));
        let end = host.now + Duration::from_secs(20);
        while host.now < end {
            let next = host.now + Duration::from_millis(1);
            waits_until(&mut host, next, why);
            assert_eq!(tried(&host), [Transport::WebSocket]);
        }
        host.pass(Duration::from_secs(1));
        host.open();
        host.receive(&welcome(0, false));
        let connected = Status::Connected { transport: Transport::WebSocket, resumed: true };
        assert_eq!(host.statuses.last(), Some(&connected));
        assert_eq!(host.engine.verdict(host.now), None);
    }
}

#[test]
fn crashes_one_after_another_say_nothing_about_a_transport() {
    let mut host = dismissed(Duration::from_secs(60));
    for _ in 0..4 {
        host.pass(Duration::from_secs(1));
        host.open();
        host.receive(&welcome(0, false));
        host.pass(Duration::from_secs(6));
        host.engine.ended(End::Lost("reset".into()), host.now);
        host.drain();
        host.statuses.clear();
        for _ in 0..4 {
            host.pass(Duration::from_secs(1));
            host.engine.ended(nobody_listens(), host.now);
            host.drain();
        }
        assert_eq!(tried(&host), [Transport::WebSocket; 4]);
    }
}

#[test]
fn a_server_that_stays_away_is_an_ordinary_outage_after_half_a_minute() {
    let mut host = dismissed(Duration::from_secs(60));
    let end = host.now + Duration::from_secs(600);
    let waits = waits_until(&mut host, end, nobody_listens);
    assert!(waits.iter().any(|wait| *wait > 10_000), "the back-off grows: {waits:?}");
    host.statuses.clear();
    for _ in 0..ALL.len() {
        host.pass(Duration::from_secs(20));
        host.engine.ended(nobody_listens(), host.now);
        host.drain();
    }
    assert!(tried(&host).contains(&Transport::Polling), "every transport has its turn");
}

#[test]
fn what_answers_in_the_servers_place_and_what_only_hangs_is_judged_as_ever() {
    let mut host = dismissed(Duration::from_secs(60));
    host.statuses.clear();
    host.pass(Duration::from_millis(500));
    // The WebSocket neither opens nor fails.
    host.pass(Duration::from_secs(1));
    assert_eq!(tried(&host).last(), Some(&Transport::Sse));

    let forbidden = || {
        let (cause, detail) = (Cause::Forbidden, "HTTP 403".into());
        End::Refused(Refused { cause, detail, retry_after: None })
    };
    let mut host = dismissed(Duration::from_secs(60));
    host.statuses.clear();
    host.pass(Duration::from_millis(500));
    host.engine.ended(forbidden(), host.now);
    host.drain();
    assert_eq!(tried(&host).last(), Some(&Transport::Sse));
}
