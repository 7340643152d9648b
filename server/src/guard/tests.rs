use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bowline_protocol::Time;
use socket2::Socket;

use super::line::{Limits, Line, MAX_UNTAKEN};

const LIMITS: Limits = Limits { idle: Duration::from_secs(20), write: Duration::from_secs(10) };

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

fn line(server: &TcpStream) -> Line {
    Line::new(Socket::from(server.try_clone().unwrap()), Time::ZERO)
}

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// True if reading from this end finds its end.
fn has_ended(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    matches!(stream.read(&mut [0; 64]), Ok(0))
}

#[test]
fn a_connection_without_a_request_is_ended_for_reading_and_can_still_be_written() {
    let (mut server, mut peer) = pair();
    let line = line(&server);
    assert!(line.sweep(&LIMITS, at(19)));
    assert!(!has_ended(&server));
    assert!(line.sweep(&LIMITS, at(20)));
    assert!(has_ended(&server), "actix takes it for a peer that has closed");
    server.write_all(b"the rest").unwrap();
    let mut rest = [0; 8];
    peer.read_exact(&mut rest).unwrap();
    assert_eq!(&rest, b"the rest");
}

#[test]
fn bytes_that_arrived_before_the_end_are_still_read() {
    let (server, mut peer) = pair();
    let line = line(&server);
    peer.write_all(b"late").unwrap();
    assert!(line.sweep(&LIMITS, at(20)));
    assert_eq!((&server).read(&mut [0; 64]).unwrap(), 4);
    assert!(has_ended(&server));
}

#[test]
fn a_connection_that_does_not_end_by_itself_is_cut_off() {
    let (server, peer) = pair();
    let line = line(&server);
    assert!(line.sweep(&LIMITS, at(20)));
    assert!(line.sweep(&LIMITS, at(29)));
    assert!(!has_ended(&peer));
    assert!(!line.sweep(&LIMITS, at(30)), "nothing is left to look after");
    assert!(has_ended(&peer));
}

#[test]
fn a_connection_with_a_request_in_progress_is_left_alone() {
    let (server, _peer) = pair();
    let line = line(&server);
    let first = line.begin();
    assert!(line.sweep(&LIMITS, at(10_000)));
    assert!(!has_ended(&server));
    let second = line.begin();
    line.end(first, at(10_000));
    assert!(line.sweep(&LIMITS, at(20_000)), "HTTP/2 has several");
    assert!(!has_ended(&server));
    line.end(second, at(20_000));
    assert!(line.sweep(&LIMITS, at(20_019)));
    assert!(!has_ended(&server));
    assert!(line.sweep(&LIMITS, at(20_020)));
    assert!(has_ended(&server));
}

#[test]
fn a_connection_that_ends_with_its_response_costs_no_second_descriptor() {
    let (server, _peer) = pair();
    let line = line(&server);
    line.release();
    assert!(!line.sweep(&LIMITS, at(10_000)));
    assert!(!has_ended(&server));
}

#[test]
fn a_connection_whose_peer_reads_nothing_of_many_answers_is_cut_off() {
    let (server, peer) = pair();
    let line = line(&server);
    let streams: Vec<_> = (0..=MAX_UNTAKEN).map(|_| line.begin()).collect();
    for stream in &streams {
        line.handed(*stream, at(5));
    }
    assert!(line.sweep(&LIMITS, at(14)), "they have their time");
    line.taken(streams[0]);
    line.handed(streams[0], at(14));
    assert!(line.sweep(&LIMITS, at(23)), "one of them goes on, and the others are few enough");
    assert!(!has_ended(&peer));
    assert!(!line.sweep(&LIMITS, at(24)), "nothing is left to look after");
    assert!(has_ended(&peer));
}
