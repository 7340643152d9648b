//! Faults of requests and upgrades.

use super::*;

#[tokio::test]
async fn upgrades_are_refused_and_other_requests_pass() {
    story(async |proxy, mut server| {
        proxy.refuse_upgrade(Some(426));
        let mut client = Client::connect(&proxy).await;
        for _ in 0..2 {
            let (head, _) = client.send(UPGRADE).await.unwrap();
            assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
            assert_eq!(client.send(&post("body")).await.unwrap().1, "body");
            assert!(server.requests.recv().await.unwrap().starts_with("POST"));
        }
        assert_eq!(proxy.counters().refused_upgrades, 2);
        proxy.refuse_upgrade(None);
        let (head, _) = client.send(UPGRADE).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        proxy.refuse_upgrade(Some(426));
        assert!(client.echoes(UPGRADE).await, "what an upgraded connection says is no request");
    })
    .await;
}

#[tokio::test]
async fn a_dead_upgrade_is_agreed_to_and_then_silent() {
    story(async |proxy, _server| {
        proxy.dead_upgrades(true);
        let mut client = Client::connect(&proxy).await;
        let (head, _) = client.send(UPGRADE).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client.0.write_all(b"anyone?").await.unwrap();
        proxy.wait_for(|counters| counters.bytes_muted == 7).await;
        assert_eq!(proxy.open_connections(), 1);
        proxy.dead_upgrades(false);
        let mut client = Client::connect(&proxy).await;
        client.send(UPGRADE).await.unwrap();
        assert!(client.echoes("anyone?").await);
    })
    .await;
}

#[tokio::test]
async fn a_body_is_cut_after_so_many_bytes_once() {
    story(async |proxy, _server| {
        for after in [0, 3] {
            let mut client = Client::connect(&proxy).await;
            client.send(&post("untouched")).await.unwrap();
            proxy.cut_mid_body(after);
            client.0.write_all(post("0123456789").as_bytes()).await.unwrap();
            let answer = String::from_utf8(client.end().await.unwrap()).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("Content-Length: 10"), "{head}");
            assert_eq!(body, &"0123456789"[..after]);
        }
        let mut client = Client::connect(&proxy).await;
        assert_eq!(client.send(&post("whole")).await.unwrap().1, "whole");
        assert_eq!(proxy.counters().cut, 2);
    })
    .await;
}

#[tokio::test]
async fn a_body_too_short_to_be_cut_leaves_it_to_the_next() {
    story(async |proxy, _server| {
        proxy.cut_mid_body(8);
        let mut client = Client::connect(&proxy).await;
        assert_eq!(client.send(&post("short")).await.unwrap().1, "short");
        client.0.write_all(post("long enough").as_bytes()).await.unwrap();
        assert!(client.end().await.unwrap().ends_with(b"\r\n\r\nlong eno"));
    })
    .await;
}

#[tokio::test]
async fn posts_arrive_twice_and_are_answered_once() {
    story(async |proxy, mut server| {
        proxy.replay_posts(true);
        let mut client = Client::connect(&proxy).await;
        for (count, body) in ["twice", ""].into_iter().enumerate() {
            assert_eq!(client.send(&post(body)).await.unwrap().1, body);
            for _ in 0..2 {
                assert_eq!(server.requests.recv().await.unwrap(), post(body));
            }
            proxy.wait_for(|counters| counters.replayed == count + 1).await;
        }
        client.send(GET).await.unwrap();
        client.send(&post(&"x".repeat(70_000))).await.unwrap();
        proxy.replay_posts(false);
        client.send(&post("once")).await.unwrap();
        drop((client, proxy));
        let mut last = Vec::new();
        while last.last().is_none_or(|request| request != &post("once")) {
            last.push(server.requests.recv().await.unwrap());
        }
        assert_eq!(last.len(), 3);
    })
    .await;
}

fn upgrade(upgrade: Upgrade) -> Faults {
    Faults { upgrade, ..Faults::default() }
}

#[tokio::test]
async fn an_upgrade_that_is_swallowed_is_never_answered() {
    story(async |proxy, mut server| {
        proxy.set(upgrade(Upgrade::Refuse(Refusal::Silence)));
        let mut client = Client::connect(&proxy).await;
        client.0.write_all(UPGRADE.as_bytes()).await.unwrap();
        proxy.wait_for(|counters| counters.refused_upgrades == 1).await;
        client.0.write_all(b"anyone?").await.unwrap();
        proxy.wait_for(|counters| counters.bytes_muted == 7).await;
        assert_eq!((proxy.open_connections(), server.requests.try_recv().is_err()), (1, true));
        assert!(Client::connect(&proxy).await.send(&post("a")).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_refused_upgrade_shows_a_page() {
    story(async |proxy, _server| {
        proxy.refuse_upgrade(Some(200));
        let (head, body) = Client::connect(&proxy).await.send(UPGRADE).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("<h1>"), "{head}{body}");
    })
    .await;
}

#[tokio::test]
async fn an_upgraded_connection_is_killed_after_a_while_and_others_are_not() {
    story(async |proxy, _server| {
        proxy.set(upgrade(Upgrade::Kill(Duration::from_millis(50), Cut::Finish)));
        let mut other = Client::connect(&proxy).await;
        assert!(other.echoes("hello").await);
        let mut client = Client::connect(&proxy).await;
        let (head, _) = client.send(UPGRADE).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(client.end().await.unwrap(), b"");
        proxy.wait_for(|counters| counters.cut == 1).await;
        assert!(other.echoes("alive").await);
    })
    .await;
}

#[tokio::test]
async fn an_upgraded_connection_is_mute_one_way() {
    story(async |proxy, _server| {
        proxy.set(upgrade(Upgrade::Mute(Direction::Down)));
        let mut client = Client::connect(&proxy).await;
        assert!(client.send(UPGRADE).await.unwrap().0.starts_with("HTTP/1.1 101 "));
        client.0.write_all(b"echo").await.unwrap();
        let counters = proxy.wait_for(|counters| counters.bytes_muted == 4).await;
        assert_eq!(counters.bytes_up, UPGRADE.len() + 4, "the way up is open");
    })
    .await;
}

#[tokio::test]
async fn only_posts_pass() {
    story(async |proxy, mut server| {
        let only_posts = Some(Refusal::Status(403));
        proxy.set(Faults { only_posts, ..Faults::default() });
        let mut client = Client::connect(&proxy).await;
        assert!(client.send(GET).await.unwrap().0.starts_with("HTTP/1.1 403 "));
        assert!(client.send(UPGRADE).await.unwrap().0.starts_with("HTTP/1.1 403 "));
        assert_eq!(client.send(&post("body")).await.unwrap().1, "body");
        assert!(server.requests.recv().await.unwrap().starts_with("POST"));
        proxy.wait_for(|counters| counters.refused_requests + counters.refused_upgrades == 2).await;
    })
    .await;
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_refused_with_it() {
    story(async |proxy, mut server| {
        let only_posts = Some(Refusal::Status(403));
        proxy.set(Faults { only_posts, ..Faults::default() });
        let mut client = Client::connect(&proxy).await;
        let put = post("POST / HTTP/1.1").replacen("POST", "PUT", 1);
        assert!(client.send(&put).await.unwrap().0.starts_with("HTTP/1.1 403 "));
        assert_eq!(client.send(&post("body")).await.unwrap().1, "body");
        assert_eq!(server.requests.recv().await.unwrap(), post("body"));
        let chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        assert!(client.send(chunked).await.unwrap().0.starts_with("HTTP/1.1 403 "));
        assert_eq!(client.end().await.unwrap(), b"", "and the connection ends with it");
        assert!(server.requests.try_recv().is_err());
    })
    .await;
}

#[tokio::test]
async fn of_two_posts_the_later_arrives_first() {
    story(async |proxy, mut server| {
        proxy.set(Faults { reorder_posts: Some(Duration::from_secs(3600)), ..Faults::default() });
        let (mut first, mut second) =
            (Client::connect(&proxy).await, Client::connect(&proxy).await);
        first.0.write_all(post("first").as_bytes()).await.unwrap();
        proxy.wait_for(|counters| counters.bytes_received == post("first").len()).await;
        assert_eq!(second.send(&post("second")).await.unwrap().1, "second");
        assert_eq!(read_message(&mut first.0).await.unwrap().1, "first");
        for body in ["second", "first"] {
            assert_eq!(server.requests.recv().await.unwrap(), post(body));
        }
        assert_eq!(proxy.counters().reordered, 1);
    })
    .await;
}

#[tokio::test]
async fn a_post_that_nobody_overtakes_is_held_for_a_while() {
    story(async |proxy, _server| {
        let limit = Duration::from_millis(50);
        proxy.set(Faults { reorder_posts: Some(limit), ..Faults::default() });
        let (mut client, start) = (Client::connect(&proxy).await, Instant::now());
        assert_eq!(client.send(&post("alone")).await.unwrap().1, "alone");
        assert!(start.elapsed() >= limit && proxy.counters().reordered == 0);
    })
    .await;
}

#[tokio::test]
async fn requests_arrive_without_the_headers_that_are_stripped() {
    story(async |proxy, mut server| {
        let strip = vec!["upgrade".to_owned(), "connection".to_owned()];
        proxy.set(Faults { strip, ..Faults::default() });
        let mut client = Client::connect(&proxy).await;
        assert!(client.send(UPGRADE).await.unwrap().0.starts_with("HTTP/1.1 200 "));
        assert_eq!(server.requests.recv().await.unwrap(), "GET /ws HTTP/1.1\r\n\r\n");
    })
    .await;
}

#[tokio::test]
async fn http_1_0_is_spoken_both_ways() {
    story(async |proxy, mut server| {
        proxy.set(Faults { http_1_0: true, ..Faults::default() });
        let mut client = Client::connect(&proxy).await;
        let (head, _) = client.send(UPGRADE).await.unwrap();
        assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
        let request = server.requests.recv().await.unwrap();
        assert_eq!(request, "GET /ws HTTP/1.0\r\nConnection: close\r\n\r\n");
        assert_eq!(client.end().await.unwrap(), b"");
    })
    .await;
}
