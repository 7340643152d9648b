//! Redis that fails, and processes that share it.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use bowline_protocol::{CloseCode, NodeId};
use redis::{Cmd, FromRedisValue, cmd};

use super::grounds::Ground;
use super::{attach, open};
use crate::node::Node;
use crate::random::random;
use crate::store::place::{Place, Removed, Store};
use crate::store::redis::RedisStore;

#[test]
fn an_incomplete_value_is_not_read_and_expires() {
    let server = Server::new();
    let Store { place, .. } = server.store();
    let mut unfinished = place.create(own()).unwrap();
    unfinished.write_all(&vec![7; 3 << 20]).unwrap();
    std::mem::forget(unfinished);
    assert_eq!(server.names(), [] as [String; 0]);
    assert_eq!(server.node().registry.len(), 0);
    let left = server.keys("unfinished");
    assert_eq!(left.len(), 1);
    let millis: i64 = server.ask(cmd("PTTL").arg(&left[0]));
    assert!((1..=60_000).contains(&millis), "{millis}");

    let mut unfinished = place.create(own()).unwrap();
    unfinished.write_all(&vec![7; 1 << 20]).unwrap();
    drop(unfinished);
    while server.keys("unfinished").len() > 1 {
        std::thread::yield_now();
    }
}

#[test]
fn a_value_of_many_chunks_is_read_as_written_and_expires_after_an_hour() {
    let server = Server::new();
    let Store { place, .. } = server.store();
    let bytes = many();
    store(&*place, &bytes);
    let name = place.names().unwrap().remove(0);
    assert_eq!(server.read(&name), bytes);
    let millis: i64 = server.ask(cmd("PTTL").arg(server.keys("value").remove(0)));
    assert!((3_590_000..=3_600_000).contains(&millis), "{millis}");
    // The place from which it is read changes in the middle.
    let claimed = place.claim(&name).unwrap().unwrap();
    let mut reader = claimed.reader();
    let mut read = vec![0; 100];
    reader.read_exact(&mut read).unwrap();
    assert_eq!(claimed.remove().unwrap(), Removed::Ours);
    reader.read_to_end(&mut read).unwrap();
    assert!(read == bytes);
    drop(reader);
    drop(claimed);
    while !server.keys("taken").is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(server.names(), [] as [String; 0]);
}

#[test]
fn connections_that_break_cost_nothing() {
    let server = Server::new();
    let Store { place, .. } = server.store();
    let bytes = many();
    let mut unfinished = place.create(own()).unwrap();
    for some in bytes.chunks(700_000) {
        unfinished.write_all(some).unwrap();
        server.ask::<i64>(cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal"));
    }
    drop(unfinished.finish(None).unwrap());
    let claimed = place.claim(&place.names().unwrap()[0]).unwrap().unwrap();
    let (mut reader, mut read) = (claimed.reader(), Vec::new());
    for _ in 0..bytes.len() / 700_000 + 1 {
        server.ask::<i64>(cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal"));
        let mut some = std::io::Read::take(&mut reader, 700_000);
        std::io::Read::read_to_end(&mut some, &mut read).unwrap();
    }
    assert!(read == bytes);
    assert_eq!(claimed.remove().unwrap(), Removed::Ours);
}

#[test]
fn a_server_that_restarts_during_a_write_has_all_of_the_value_or_nothing() {
    let mut server = Server::new();
    let Store { place, .. } = server.store();
    let mut unfinished = place.create(own()).unwrap();
    unfinished.write_all(&many()).unwrap();
    server.kill();
    server.start();
    unfinished.write_all(&many()).unwrap();
    let error = unfinished.finish(None).unwrap_err().to_string();
    assert!(error.contains("lost a part"), "{error}");
    assert_eq!(server.names(), [] as [String; 0]);
}

#[test]
fn an_unreachable_server_is_given_up_and_used_again_when_it_is_back() {
    let mut server = Server::new();
    let node = server.node();
    let (lost, begun) = (open(&node), Instant::now());
    server.kill();
    node.keep();
    assert_eq!(node.registry.len(), 0);
    let next = server.node();
    assert!(next.registry.get(&lost.id).is_none());
    assert!(begun.elapsed() < Duration::from_secs(30), "every wait ends");
    server.start();
    let other = server.node();
    let session = open(&other);
    other.keep();
    while next.registry.get(&session.id).is_none() {
        assert_eq!(code(&next, &session.id), CloseCode::DRAINING);
        std::thread::yield_now();
    }
}

#[test]
fn one_of_two_processes_that_start_together_reads_a_value() {
    let server = Server::new();
    for _ in 0..20 {
        let node = server.node();
        let session = open(&node);
        node.keep();
        let barrier = Barrier::new(2);
        let start = || {
            barrier.wait();
            server.node()
        };
        let both = std::thread::scope(|scope| {
            let other = scope.spawn(start);
            [start(), other.join().unwrap()]
        });
        let has = both.each_ref().map(|node| node.registry.get(&session.id).is_some());
        assert!(has[0] != has[1], "{has:?}");
    }
}

#[test]
fn after_a_claim_expires_another_process_may_read_and_the_first_does_not_serve() {
    let server = Server::new();
    let node = server.node();
    let session = open(&node);
    node.rooms.join("room", &session).unwrap();
    node.keep();
    let slow = server.started(server.config(|_| ()));
    assert!(slow.registry.get(&session.id).is_some());
    // As if the process had been stopped for longer than a claim lives.
    assert_eq!(server.ask::<i64>(cmd("DEL").arg(server.keys("claim"))), 1);
    let quick = server.node();
    assert!(quick.registry.get(&session.id).is_some());
    slow.commit();
    assert_eq!((slow.registry.len(), slow.rooms.list("room").len()), (0, 0));
    assert_eq!(code(&slow, &session.id), CloseCode::DRAINING, "another process has it");
}

#[test]
fn a_claim_is_renewed_and_given_up() {
    let server = Server::new();
    let Store { place, .. } = server.store();
    store(&*place, b"something");
    let name = place.names().unwrap().remove(0);
    let claimed = place.claim(&name).unwrap().unwrap();
    let Store { place: other, .. } = server.store();
    assert!(other.claim(&name).unwrap().is_none());
    let key = server.keys("claim").remove(0);
    server.ask::<i64>(cmd("PEXPIRE").arg(&key).arg(5_000));
    place.sign(own(), &[own()].into()).unwrap();
    let millis: i64 = server.ask(cmd("PTTL").arg(&key));
    assert!(millis > 5_000, "{millis}");
    drop(claimed);
    assert!(other.claim(&name).unwrap().is_some());
}

#[test]
fn a_value_that_another_process_reads_is_expected_and_an_unclaimed_one_may_be_read() {
    let server = Server::new();
    let [reader, other] = [server.store().place, server.store().place];
    let (node, name) = (own(), {
        store(&*reader, b"something");
        reader.names().unwrap().remove(0)
    });
    let claimed = reader.claim(&name).unwrap().unwrap();
    other.sign(node, &[node].into()).unwrap();
    let look = other.look(node);
    assert_eq!((look.is_unsure, look.stored), (true, Vec::new()));
    drop(claimed);
    let look = loop {
        let look = other.look(node);
        if !look.is_unsure {
            break look;
        }
        std::thread::yield_now();
    };
    assert_eq!(look.stored, [name]);
}

#[test]
fn a_killed_process_is_forgotten_and_one_that_ends_removes_its_sign() {
    let server = Server::new();
    let places = [server.store().place, server.store().place];
    let nodes = [own(), own()];
    for (place, node) in places.iter().zip(nodes) {
        place.sign(node, &[node].into()).unwrap();
    }
    let millis: i64 = server.ask(cmd("PTTL").arg("bowline:store:processes"));
    assert!((1..=10_000).contains(&millis), "{millis}");
    let others = || loop {
        let look = places[1].look(nodes[1]);
        if !look.is_unsure {
            return look.others;
        }
        std::thread::yield_now();
    };
    while others() != [nodes[0]].into() {
        std::thread::yield_now();
    }
    let dead = own();
    let said = format!("1 {dead}");
    server.ask::<i64>(cmd("HSET").arg("bowline:store:processes").arg(dead.to_string()).arg(said));
    places[0].leave();
    while !others().is_empty() {
        std::thread::yield_now();
    }
    while server.ask::<i64>(cmd("HLEN").arg("bowline:store:processes")) > 1 {
        std::thread::yield_now();
    }
}

#[test]
fn prefixes_separate_stores_and_passwords_are_never_printed() {
    let server = Server::new();
    let with = |prefix| Store::from(RedisStore::new(&server.url()).unwrap().prefix(prefix));
    store(&*with("one").place, b"something");
    assert_eq!(with("one").place.names().unwrap().len(), 1);
    assert_eq!(with("two").place.names().unwrap().len(), 0);
    let store = RedisStore::new("redis://alice:hush-hush@127.0.0.1:1").unwrap();
    let text = format!("{store:?} {:?}", Store::from(store.clone()));
    assert!(!text.contains("hush") && text.contains("127.0.0.1:1"), "{text}");
    let error = RedisStore::new("http://alice:hush-hush@host").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
}

fn own() -> NodeId {
    NodeId::from_bytes(random())
}

/// Bytes of more than four chunks.
fn many() -> Vec<u8> {
    (0..4_400_000_u32).flat_map(|number| number.to_be_bytes().into_iter().take(1)).collect()
}

fn store(place: &dyn Place, bytes: &[u8]) {
    let mut unfinished = place.create(own()).unwrap();
    unfinished.write_all(bytes).unwrap();
    drop(unfinished.finish(None).unwrap());
}

fn code(node: &Arc<Node>, session: &bowline_protocol::SessionId) -> CloseCode {
    node.find(&attach(*session)).map(drop).unwrap_err().code
}

/// A Redis that keeps nothing on a disk.
pub(super) struct Server {
    port: u16,
    child: Option<Child>,
}

impl Server {
    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn start(&mut self) {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("apt-get install redis-server"));
        let until = Instant::now() + Duration::from_secs(30);
        while redis::Client::open(self.url()).unwrap().get_connection().is_err() {
            assert!(Instant::now() < until, "Redis did not start");
            std::thread::yield_now();
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        // Tests cut connections, this one included.
        let ask = || command.query(&mut client.get_connection().ok()?).ok();
        (0..100).find_map(|_| ask()).unwrap()
    }

    fn keys(&self, kind: &str) -> Vec<String> {
        self.ask(cmd("KEYS").arg(format!("bowline:store:{kind}:*")))
    }
}

impl Ground for Server {
    const NAME: &str = "0000000000001-AQEBAQEB";

    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { port, child: None };
        server.start();
        server
    }

    fn store(&self) -> Store {
        RedisStore::new(&self.url()).unwrap().into()
    }

    fn names(&self) -> Vec<String> {
        let name = |key: String| key.rsplit(':').next().unwrap().to_owned();
        self.keys("value").into_iter().map(name).collect()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        let key = format!("bowline:store:value:{name}");
        let chunks: u32 = self.ask(cmd("HLEN").arg(&key));
        let read = |number| self.ask::<Vec<u8>>(cmd("HGET").arg(&key).arg(number));
        (0..chunks).flat_map(read).collect()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let key = format!("bowline:store:value:{name}");
        self.ask::<i64>(cmd("DEL").arg(&key).arg(format!("bowline:store:claim:{name}")));
        self.ask::<i64>(cmd("HSET").arg(&key).arg(0).arg(bytes));
        self.ask::<i64>(cmd("ZADD").arg("bowline:store:stored").arg(1).arg(name));
    }

    fn remove(&self, name: &str) {
        self.ask::<i64>(cmd("DEL").arg(format!("bowline:store:value:{name}")));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
