//! Faults of connections and of the link.

use super::*;

#[tokio::test]
async fn without_a_fault_bytes_pass_and_are_counted() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        assert!(client.echoes("hello").await);
        let large = "x".repeat(3_000_000);
        let (head, body) = Client::connect(&proxy).await.send(&post(&large)).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && body == large);
        let counters = proxy.wait_for(|counters| counters.bytes_down > 3_000_000).await;
        assert!(counters.bytes_up > 3_000_000 && counters.accepted == 2);
        assert_eq!(proxy.url("/a"), format!("http://{}/a", proxy.addr()));
    })
    .await;
}

#[tokio::test]
async fn the_end_of_one_direction_is_passed_on() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        client.0.write_all(b"last words").await.unwrap();
        client.0.shutdown().await.unwrap();
        assert_eq!(client.end().await.unwrap(), b"last words");
        let counters = proxy.wait_for(|counters| counters.open == 0).await;
        assert_eq!((counters.accepted, counters.cut), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_ends_is_heard_while_the_client_has_not_ended() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
        assert_eq!(client.end().await.unwrap(), b"");
    })
    .await;
}

#[tokio::test]
async fn a_cut_ends_every_connection_as_it_was_asked_to() {
    story(async |proxy, _server| {
        for how in [Cut::Reset, Cut::Finish] {
            let mut clients = [Client::connect(&proxy).await, Client::connect(&proxy).await];
            for client in &mut clients {
                assert!(client.echoes("hello").await);
            }
            assert_eq!((proxy.open_connections(), proxy.cut_all(how)), (2, 2));
            for client in &mut clients {
                if how == Cut::Finish {
                    assert_eq!(client.end().await.unwrap(), b"");
                } else {
                    let kind = client.end().await.unwrap_err().kind();
                    assert_eq!(kind, io::ErrorKind::ConnectionReset);
                }
            }
            assert_eq!((proxy.open_connections(), proxy.cut_all(how)), (0, 0));
        }
        assert_eq!(proxy.counters().cut, 4);
        assert!(Client::connect(&proxy).await.echoes("again").await);
    })
    .await;
}

#[tokio::test]
async fn a_cut_of_one_picks_by_number() {
    story(async |proxy, _server| {
        assert_eq!(proxy.cut_one(7, Cut::Reset), 0);
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = Client::connect(&proxy).await;
            assert!(client.echoes("hello").await);
            clients.push(client);
        }
        assert_eq!(proxy.cut_one(7, Cut::Reset), 1);
        assert!(clients[1].end().await.is_err());
        assert!(clients[0].echoes("alive").await && clients[2].echoes("alive").await);
        assert_eq!((proxy.counters().cut, proxy.open_connections()), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn a_delay_is_kept_each_way() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        proxy.delay(Duration::from_millis(40), Duration::ZERO);
        let start = Instant::now();
        assert!(client.echoes("hello").await);
        assert!(start.elapsed() >= Duration::from_millis(80));
    })
    .await;
}

#[tokio::test]
async fn bytes_stay_in_order_under_jitter() {
    story(async |proxy, _server| {
        proxy.delay(Duration::ZERO, Duration::from_millis(3));
        let mut client = Client::connect(&proxy).await;
        let mut sent = String::new();
        for number in 0..200 {
            let word = format!("{number} ");
            client.0.write_all(word.as_bytes()).await.unwrap();
            sent.push_str(&word);
            tokio::task::yield_now().await;
        }
        client.0.shutdown().await.unwrap();
        assert_eq!(client.end().await.unwrap(), sent.as_bytes());
    })
    .await;
}

#[tokio::test]
async fn a_delayed_connection_holds_up_no_other() {
    story(async |proxy, _server| {
        let mut slow = Client::connect(&proxy).await;
        assert!(slow.echoes("hello").await); // 5 bytes each way, and 4 more below
        proxy.delay(Duration::from_secs(3600), Duration::ZERO);
        let mut late = std::pin::pin!(slow.echoes("late"));
        let mut quick = Client::connect(&proxy).await;
        tokio::select! {
            _ = &mut late => panic!("an hour has not passed"),
            _ = async {
                proxy.wait_for(|counters| counters.bytes_received == 14).await;
                proxy.delay(Duration::ZERO, Duration::ZERO);
                assert!(quick.echoes("quick").await);
            } => {}
        }
    })
    .await;
}

#[tokio::test]
async fn a_muted_direction_stays_open_and_silent() {
    for direction in [Direction::Up, Direction::Down, Direction::Both] {
        story(async |proxy, mut server| {
            let mut client = Client::connect(&proxy).await;
            client.send(GET).await.unwrap();
            server.requests.recv().await.unwrap();
            proxy.mute(Some(direction));
            client.0.write_all(GET.as_bytes()).await.unwrap();
            proxy.wait_for(|counters| counters.bytes_muted > 0).await;
            let arrived = direction == Direction::Down;
            assert_eq!(server.requests.try_recv().is_ok(), arrived);
            proxy.mute(None);
            let mut fresh = Client::connect(&proxy).await;
            assert!(fresh.echoes("hello").await);
            let before = proxy.counters().bytes_muted;
            client.0.write_all(GET.as_bytes()).await.unwrap();
            proxy.wait_for(|counters| counters.bytes_muted > before).await;
            assert_eq!(proxy.cut_all(Cut::Finish), 2);
            assert_eq!(client.end().await.unwrap(), b"");
        })
        .await;
    }
}

#[tokio::test]
async fn the_end_of_a_muted_connection_is_swallowed() {
    story(async |proxy, mut server| {
        let mut client = Client::connect(&proxy).await;
        client.send(GET).await.unwrap();
        server.requests.recv().await.unwrap();
        proxy.mute(Some(Direction::Up));
        client.0.write_all(b"x").await.unwrap();
        proxy.wait_for(|counters| counters.bytes_muted == 1).await;
        drop(client);
        proxy.mute(None);
        assert!(Client::connect(&proxy).await.echoes("hello").await);
        assert_eq!(proxy.cut_one(0, Cut::Finish), 1);
    })
    .await;
}

#[tokio::test]
async fn connections_are_refused_while_open_ones_live() {
    story(async |proxy, _server| {
        let mut old = Client::connect(&proxy).await;
        assert!(old.echoes("hello").await);
        proxy.refuse_connections(true);
        if let Ok(stream) = TcpStream::connect(proxy.addr()).await {
            assert!(Client(BufReader::new(stream)).end().await.is_err());
        }
        assert_eq!(proxy.counters().refused_connections, 1);
        assert!(old.echoes("alive").await);
        proxy.refuse_connections(false);
        assert!(Client::connect(&proxy).await.echoes("hello").await);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_moved_is_reached() {
    story(async |proxy, server| {
        drop(server);
        let mut client = Client::connect(&proxy).await;
        assert!(client.send(GET).await.is_err());
        proxy.wait_for(|counters| counters.refused_connections == 1).await;
        let moved = Echo::start().await;
        proxy.set_target(moved.addr);
        assert!(Client::connect(&proxy).await.echoes("hello").await);
    })
    .await;
}

#[tokio::test]
async fn dropping_the_proxy_closes_everything() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        assert!(client.echoes("hello").await);
        let addr = proxy.addr();
        drop(proxy);
        assert_eq!(client.end().await.unwrap(), b"");
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_the_server() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        let block = vec![b'x'; 64 * 1024];
        let (mut sent, limit) = (0, 128 << 20);
        let stalled = Duration::from_millis(100);
        while sent < limit {
            let Ok(written) = tokio::time::timeout(stalled, client.0.write(&block)).await else {
                break;
            };
            sent += written.unwrap();
        }
        assert!(sent < limit);
    })
    .await;
}

#[tokio::test]
async fn a_connection_over_a_distance_takes_a_round_trip_to_make() {
    story(async |proxy, _server| {
        proxy.delay(Duration::from_millis(25), Duration::ZERO);
        let start = Instant::now();
        let mut client = Client::connect(&proxy).await;
        assert!(client.echoes("hello").await);
        assert!(start.elapsed() >= Duration::from_millis(100));
    })
    .await;
}

#[tokio::test]
async fn a_slow_link_is_shared_by_its_connections() {
    story(async |proxy, _server| {
        proxy.set(Faults { rate: Some(20_000), ..Faults::default() });
        let mut clients = [Client::connect(&proxy).await, Client::connect(&proxy).await];
        let (text, start) = ("x".repeat(1000), Instant::now());
        let [first, second] = &mut clients;
        let echoed = tokio::join!(first.echoes(&text), second.echoes(&text));
        assert_eq!(echoed, (true, true));
        assert!(start.elapsed() >= Duration::from_millis(100));
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_ended_and_a_busy_one_is_not() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        assert!(client.echoes("hello").await);
        proxy.set(Faults {
            idle: Some((Duration::from_millis(300), Cut::Finish)),
            ..Faults::default()
        });
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(400) {
            assert!(client.echoes("busy").await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(client.end().await.unwrap(), b"");
        proxy.wait_for(|counters| counters.cut == 1 && counters.open == 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_half_open_connection_is_gone_for_the_server_alone() {
    story(async |proxy, mut server| {
        let mut client = Client::connect(&proxy).await;
        client.send(GET).await.unwrap();
        server.requests.recv().await.unwrap();
        assert_eq!(proxy.cut_all(Cut::Vanish), 1);
        client.0.write_all(GET.as_bytes()).await.unwrap();
        let silent = tokio::time::timeout(Duration::from_millis(50), client.end()).await;
        assert!(silent.is_err(), "the client is told nothing");
        assert!(server.requests.try_recv().is_err());
        assert!(Client::connect(&proxy).await.echoes("hello").await);
    })
    .await;
}

#[tokio::test]
async fn of_several_connections_one_is_served_at_a_time() {
    story(async |proxy, _server| {
        proxy.set(Faults { connections: Some(1), ..Faults::default() });
        let mut first = Client::connect(&proxy).await;
        assert!(first.echoes("hello").await);
        let mut second = Client::connect(&proxy).await;
        let mut waits = std::pin::pin!(second.echoes("let me in"));
        tokio::select! {
            biased;
            _ = &mut waits => panic!("the first is still there"),
            served = first.echoes("still here") => assert!(served),
        }
        drop(first);
        assert!(waits.await);
    })
    .await;
}
