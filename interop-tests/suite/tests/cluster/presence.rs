//! Who is present in a room is known on all nodes, and told to its members.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_client::{Client, Events, PRESENCE, PresenceChange};
use bowline_contract::Echo;
use bowline_fixtures::nodes::{Bus, Nodes, builder, builder_for, eventually, stats};
use bowline_fixtures::test_server::TestServer;
use bowline_fixtures::within_a_minute;
use bowline_server::{BowlineBuilder, SessionId, Socket};
use futures::StreamExt as _;
use tokio::sync::mpsc;

macro_rules! on_every_bus {
    ($($story:ident)*) => {
        $(mod $story {
            use super::*;

            #[tokio::test]
            async fn within_a_process() {
                within_a_minute(super::$story(Bus::Local)).await;
            }

            #[tokio::test]
            async fn over_redis() {
                within_a_minute(super::$story(Bus::Redis)).await;
            }
        })*
    };
}

on_every_bus! {
    who_enters_is_seen_on_every_node_until_leaving
    who_moves_to_another_node_has_neither_come_nor_gone
    members_who_move_are_told_of_everyone_who_comes_and_goes_meanwhile
    who_is_away_is_marked_on_every_node_and_the_hooks_are_told
}

async fn who_is_away_is_marked_on_every_node_and_the_hooks_are_told(bus: Bus) {
    let (hooked, mut told) = mpsc::unbounded_channel();
    let nodes = Nodes::start_with(bus, 2, || {
        let (away, back) = (hooked.clone(), hooked.clone());
        builder()
            .away_after(Duration::from_millis(50))
            .on_away(move |socket: Socket| {
                let _ = away.send(("away", socket.id()));
                std::future::ready(())
            })
            .on_back(move |socket: Socket| {
                let _ = back.send(("back", socket.id()));
                std::future::ready(())
            })
    })
    .await;
    let (anna, ben) = (nodes.client(0).await, nodes.member(1, "room").await);
    let mut changes = ben.on::<_, PresenceChange<String>>(PRESENCE);
    let id = anna.session_id().unwrap();
    enter(&nodes, &anna, "anna");
    for away in [false, true, false] {
        let change = changes.next().await.unwrap().unwrap().payload;
        assert_eq!((change.joined.len(), change.left.len()), (1, 0));
        assert_eq!((&*change.joined[0].info, change.joined[0].away), ("anna", away));
        for server in &nodes.servers {
            let people = server.bowline().presence("room").list::<String>().await.unwrap();
            assert_eq!(people[0].away, away);
        }
        if away { anna.wake() } else { anna.suspend() }
    }
    assert_eq!(told.recv().await.unwrap(), ("away", id));
    assert_eq!(told.recv().await.unwrap(), ("back", id));
}

async fn who_enters_is_seen_on_every_node_until_leaving(bus: Bus) {
    let nodes = Nodes::start(bus, 3).await;
    let (anna, ben) = (nodes.member(0, "room").await, nodes.member(1, "room").await);
    let (mut to_anna, mut to_ben) = (Watch::new(&anna), Watch::new(&ben));
    enter(&nodes, &anna, "anna");
    to_anna.until(&["anna"]).await;
    to_ben.until(&["anna"]).await;
    enter(&nodes, &ben, "ben");
    to_anna.until(&["anna", "ben"]).await;
    to_ben.until(&["anna", "ben"]).await;
    // Nobody of the third node is there, and it can be asked all the same.
    for server in &nodes.servers {
        assert_eq!(list(server).await, ["anna", "ben"]);
    }

    enter(&nodes, &anna, "anna, away");
    to_ben.until(&["anna, away", "ben"]).await;
    assert_eq!(list(&nodes.servers[1]).await, ["anna, away", "ben"]);
    let socket = nodes.servers[1].bowline().socket(&ben.session_id().unwrap()).unwrap();
    nodes.servers[1].bowline().presence("room").leave(&socket);
    to_anna.until(&["anna, away"]).await;
    to_ben.until(&["anna, away"]).await;
    anna.close().await;
    to_ben.until(&[]).await;
    for server in &nodes.servers {
        assert_eq!(list(server).await, [""; 0]);
    }
    assert_eq!(to_ben.log, ["+anna", "+ben", "+anna, away", "-ben", "-anna, away"]);
}

async fn who_moves_to_another_node_has_neither_come_nor_gone(bus: Bus) {
    let nodes = Nodes::start_with(bus, 3, draining_soon).await;
    let (proxy, balancer) = nodes.front().await;
    balancer.set_targets(vec![nodes.servers[0].address()]);
    let ben = nodes.member(1, "room").await;
    let mut to_ben = Watch::new(&ben);
    let mut movers = Vec::new();
    for name in ["anna", "cara", "dora"] {
        let client = builder_for(&proxy.url("/bowline")).build().unwrap();
        client.connect().await.unwrap();
        enter(&nodes, &client, name);
        movers.push(client);
    }
    // Cara is a member as well.
    let cara = &movers[1];
    let socket = nodes.servers[0].bowline().socket(&cara.session_id().unwrap()).unwrap();
    socket.join_everywhere("room").await.unwrap();
    let mut to_cara = Watch::new(cara);
    to_ben.until(&["anna", "cara", "dora"]).await;
    balancer.set_targets(nodes.servers[1..].iter().map(TestServer::address).collect());
    nodes.servers[0].bowline().shutdown(Duration::from_secs(20)).await;

    assert_eq!(stats(&nodes.servers[0]).handed_over, 3);
    for server in &nodes.servers[1..] {
        assert_eq!(list(server).await, ["anna", "cara", "dora"]);
    }
    enter(&nodes, &ben, "ben");
    to_ben.until(&["anna", "ben", "cara", "dora"]).await;
    assert_eq!(to_ben.log.len(), 4, "they came once, and nobody went: {:?}", to_ben.log);
    to_cara.next().await;
    assert_eq!(to_cara.log, ["+ben"]);
    for mover in movers {
        mover.close().await;
    }
    to_ben.until(&["ben"]).await;
}

async fn members_who_move_are_told_of_everyone_who_comes_and_goes_meanwhile(bus: Bus) {
    const ROUNDS: usize = 40;
    let nodes = Nodes::start_with(bus, 3, draining_soon).await;
    let (proxy, balancer) = nodes.front().await;
    balancer.set_targets(vec![nodes.servers[0].address()]);
    let mut members = Vec::new();
    for _ in 0..4 {
        let client = builder_for(&proxy.url("/bowline")).build().unwrap();
        client.connect().await.unwrap();
        let socket = nodes.servers[0].bowline().socket(&client.session_id().unwrap()).unwrap();
        socket.join_everywhere("room").await.unwrap();
        members.push(client);
    }
    let mut watches: Vec<_> = members.iter().map(Watch::new).collect();
    let people = [nodes.client(1).await, nodes.client(1).await, nodes.client(2).await];
    enter(&nodes, &people[0], "first");
    for watch in &mut watches {
        watch.until(&["first"]).await;
    }
    balancer.set_targets(nodes.servers[1..].iter().map(TestServer::address).collect());
    let come_and_go = async {
        for round in 0..ROUNDS {
            let person = &people[round % people.len()];
            let node = nodes.owner(&person.session_id().unwrap()).bowline();
            let socket = node.socket(&person.session_id().unwrap()).unwrap();
            node.presence("room").enter(&socket, &format!("{round}")).unwrap();
            if round % 2 == 0 {
                node.presence("room").leave(&socket);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let drain = nodes.servers[0].bowline().shutdown(Duration::from_secs(20));
    futures::join!(come_and_go, drain);
    assert_eq!(stats(&nodes.servers[0]).handed_over, 4);
    for person in &people {
        enter(&nodes, person, "last");
    }
    for watch in &mut watches {
        watch.until(&["last", "last", "last"]).await;
    }
    assert_eq!(list(&nodes.servers[1]).await, ["last", "last", "last"]);
}

#[tokio::test]
async fn an_outage_heals_to_the_right_list_and_tells_only_the_difference() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Local, 2).await;
        let (anna, ben) = (nodes.member(0, "room").await, nodes.member(1, "room").await);
        let (cara, dora) = (nodes.client(0).await, nodes.client(1).await);
        let (mut to_anna, mut to_ben) = (Watch::new(&anna), Watch::new(&ben));
        for (client, name) in [(&anna, "anna"), (&ben, "ben"), (&dora, "dora")] {
            enter(&nodes, client, name);
        }
        to_anna.until(&["anna", "ben", "dora"]).await;
        to_ben.until(&["anna", "ben", "dora"]).await;
        let (before_anna, before_ben) = (to_anna.log.len(), to_ben.log.len());

        let local = nodes.local.as_ref().unwrap();
        local.set_reachable(false);
        enter(&nodes, &cara, "cara");
        enter(&nodes, &anna, "anna, away");
        dora.close().await;
        to_anna.until(&["anna, away", "ben", "cara", "dora"]).await;
        to_ben.until(&["anna", "ben"]).await;
        // What is known of the others may be old, and that is said once the node has noticed.
        let room = nodes.servers[0].bowline().presence("room");
        while room.list::<String>().await.is_ok() {}
        local.set_reachable(true);
        to_anna.until(&["anna, away", "ben", "cara"]).await;
        to_ben.until(&["anna, away", "ben", "cara"]).await;
        for server in &nodes.servers {
            assert_eq!(list(server).await, ["anna, away", "ben", "cara"]);
        }
        assert_eq!(to_anna.log[before_anna..], ["+cara", "+anna, away", "-dora"]);
        let mut to_ben: Vec<_> = to_ben.log[before_ben..].to_vec();
        to_ben.sort_unstable();
        assert_eq!(to_ben, ["+anna, away", "+cara", "-dora"]);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_gone_takes_its_people_along_and_brings_them_back_if_it_was_not() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Shaky, 2).await;
        let (anna, cara) = (nodes.member(0, "room").await, nodes.client(1).await);
        let mut to_anna = Watch::new(&anna);
        enter(&nodes, &anna, "anna");
        enter(&nodes, &cara, "cara");
        to_anna.until(&["anna", "cara"]).await;

        nodes.lines[1].fall_silent();
        eventually(|| stats(&nodes.servers[0]).nodes == 0).await;
        to_anna.until(&["anna"]).await;
        assert_eq!(list(&nodes.servers[0]).await, ["anna"]);
        nodes.lines[1].end_silence();
        to_anna.until(&["anna", "cara"]).await;
        assert_eq!(to_anna.log, ["+anna", "+cara", "-cara", "+cara"]);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_alone_was_cut_off_for_a_moment_learns_and_says_what_was_missed() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Shaky, 2).await;
        let (anna, ben) = (nodes.member(0, "room").await, nodes.member(1, "room").await);
        let (cara, dora) = (nodes.client(0).await, nodes.client(1).await);
        let (mut to_anna, mut to_ben) = (Watch::new(&anna), Watch::new(&ben));
        enter(&nodes, &cara, "cara");
        enter(&nodes, &dora, "dora");
        to_anna.until(&["cara", "dora"]).await;
        to_ben.until(&["cara", "dora"]).await;

        nodes.lines[1].fall_silent();
        enter(&nodes, &anna, "anna");
        enter(&nodes, &ben, "ben");
        cara.close().await;
        dora.close().await;
        // On a slow machine each may have taken the other node for dead by then.
        to_anna.until_without("cara").await;
        to_ben.until_without("dora").await;
        nodes.lines[1].end_silence();
        nodes.lines[1].cut();
        nodes.lines[1].mend();
        to_anna.until(&["anna", "ben"]).await;
        to_ben.until(&["anna", "ben"]).await;
        for server in &nodes.servers {
            assert_eq!(list(server).await, ["anna", "ben"]);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_said_before_a_room_had_members_is_told_to_those_who_are_there_first() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Local, 2).await;
        let ben = nodes.member(1, "room").await;
        let mut to_ben = Watch::new(&ben);
        let anna = nodes.client(0).await;
        // The first of all to use presence; and nobody of this node is a member.
        enter(&nodes, &anna, "anna");
        to_ben.until(&["anna"]).await;
        let later = nodes.member(1, "other").await;
        later.request(Echo, &"done".to_owned()).await.unwrap();
        assert_eq!(to_ben.log, ["+anna"]);
    })
    .await;
}

/// What a member is told.
struct Watch {
    changes: Events<PresenceChange<String>>,
    present: BTreeMap<SessionId, String>,
    log: Vec<String>,
}

impl Watch {
    fn new(client: &Client) -> Self {
        let changes = client.on::<_, PresenceChange<String>>(PRESENCE);
        Self { changes, present: BTreeMap::new(), log: Vec::new() }
    }

    async fn next(&mut self) {
        let change = self.changes.next().await.unwrap().unwrap().payload;
        assert_eq!(change.room, "room");
        for person in change.joined {
            self.log.push(format!("+{}", person.info));
            self.present.insert(person.session, person.info);
        }
        for person in change.left {
            self.log.push(format!("-{}", person.info));
            self.present.remove(&person.session);
        }
    }

    /// Listens until these are present, as far as the member knows.
    async fn until(&mut self, expected: &[&str]) {
        let is_as_expected = |present: &[&String]| present == expected;
        self.listen(is_as_expected, &format!("{expected:?}")).await;
    }

    /// Listens until this one has left, as far as the member knows.
    async fn until_without(&mut self, info: &str) {
        self.listen(|present| present.iter().all(|one| *one != info), &format!("no {info}")).await;
    }

    async fn listen(&mut self, is_over: impl Fn(&[&String]) -> bool, expected: &str) {
        loop {
            let mut present: Vec<_> = self.present.values().collect();
            present.sort_unstable();
            if is_over(&present) {
                return;
            }
            let told = tokio::time::timeout(Duration::from_secs(20), self.next()).await;
            assert!(told.is_ok(), "expected {expected}, was told {:?}", self.log);
        }
    }
}

fn enter(nodes: &Nodes, client: &Client, info: &str) {
    let session = client.session_id().unwrap();
    let bowline = nodes.owner(&session).bowline();
    let socket = bowline.socket(&session).unwrap();
    bowline.presence("room").enter(&socket, info).unwrap();
}

/// What everyone who is present says, in alphabetical order.
async fn list(server: &TestServer) -> Vec<String> {
    let people = server.bowline().presence("room").list::<String>().await.unwrap();
    let mut infos: Vec<_> = people.into_iter().map(|person| person.info).collect();
    infos.sort_unstable();
    infos
}

fn draining_soon() -> BowlineBuilder {
    builder().drain_spread(Duration::from_millis(100))
}
