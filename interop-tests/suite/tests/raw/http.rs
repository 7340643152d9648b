//! Requests that are wrong before their first line is read. Spec: 02-carriers, "Errors" and
//! "Methods and CORS"; 08-limits, "HTTP bodies"; 09-security, "Origin".

use std::time::Duration;

use super::journal;
use super::scene::{Scene, assert_refused, open};

const BODIES: [&str; 4] = ["sse", "poll", "post", "ticket"];

#[tokio::test]
async fn only_the_methods_of_a_path_are_allowed() {
    let scene = Scene::start();
    let table = [
        ("ws", &["HEAD", "POST", "PUT"][..], "GET, OPTIONS"),
        ("sse", &["HEAD", "PUT", "DELETE"], "GET, POST, OPTIONS"),
        ("ticket", &["HEAD", "GET", "PATCH"], "POST, OPTIONS"),
        ("poll", &["HEAD", "GET", "PUT"], "POST, OPTIONS"),
        ("post", &["HEAD", "GET", "BREW"], "POST, OPTIONS"),
        ("health", &["POST", "DELETE"], "GET, HEAD, OPTIONS"),
    ];
    for (endpoint, methods, allow) in table {
        let path = format!("/bowline/{endpoint}");
        for method in methods {
            let response = scene.request(method, &path, &[]).await;
            assert_eq!((response.head.status, response.text()), (405, ""), "{method} {path}");
            assert_eq!(response.head.header("allow"), Some(allow), "{method} {path}");
            assert_eq!(response.head.header("cache-control"), Some("no-store"));
        }
        let response = scene.request("OPTIONS", &path, &[]).await;
        assert_eq!((response.head.status, response.text()), (204, ""), "{path}");
        assert_eq!(response.head.header("allow"), Some(allow), "{path}");
        assert_eq!(response.head.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_load_balancer_is_told_whether_to_send_clients() {
    let scene = Scene::with(|builder| builder.drain_spread(Duration::from_secs(7)));
    let ask = async || {
        let response = scene.request("GET", "/bowline/health", &[]).await;
        let retry_after = response.head.header("retry-after").map(str::to_owned);
        (response.head.status, response.text().to_owned(), retry_after)
    };
    assert_eq!(ask().await, (200, "ok\n".to_owned(), None));
    assert_eq!(scene.server.bowline().session_count(), 0);
    scene.server.bowline().shutdown(Duration::ZERO).await;
    assert_eq!(ask().await, (503, "draining\n".to_owned(), Some("7".to_owned())));
}

#[tokio::test]
async fn unknown_paths_are_not_found_with_any_method() {
    let scene = Scene::start();
    for method in ["GET", "POST", "OPTIONS", "HEAD"] {
        for path in ["/bowline/websocket", "/bowline/WS", "/bowline/x%20y"] {
            let response = scene.request(method, path, &[]).await;
            assert_eq!((response.head.status, response.text()), (404, ""), "{method} {path}");
            assert_eq!(response.head.header("cache-control"), Some("no-store"));
        }
    }
}

#[tokio::test]
async fn pages_of_a_listed_origin_may_read_every_answer() {
    let listed = "https://app.example";
    let scene = Scene::with(|builder| builder.allow_origin(listed));
    let assert_allowed = |head: &bowline_raw_client::Head| {
        assert_eq!(head.header("access-control-allow-origin"), Some(listed));
        assert_eq!(head.header("access-control-allow-credentials"), Some("true"));
        let exposed = head.header("access-control-expose-headers");
        assert_eq!(exposed, Some("content-encoding, retry-after"));
        assert!(head.header("vary").unwrap().eq_ignore_ascii_case("origin"));
    };
    let origin = [("Origin", listed)];
    for (body, status) in [(open(), 200), ("nonsense".to_owned(), 400)] {
        let mut client = scene.connect().await;
        client.request("POST", "/bowline/poll", &origin, body).await.unwrap();
        let response = client.response().await.unwrap();
        assert_eq!(response.head.status, status);
        assert_allowed(&response.head);
    }
    assert_allowed(&scene.request("GET", "/bowline/post", &origin).await.head);
    assert_allowed(&scene.request("GET", "/bowline/nothing", &origin).await.head);
    let preflight = scene.request("OPTIONS", "/bowline/sse", &origin).await.head;
    assert_allowed(&preflight);
    let header = |name| preflight.header(name).unwrap_or_default();
    assert_eq!(header("access-control-allow-methods"), "GET, POST, OPTIONS");
    assert_eq!(header("access-control-allow-headers"), "content-type, authorization");
    let head = scene.connect().await.upgrade("/bowline/ws", &origin).await.unwrap();
    assert_eq!(head.status, 101);

    // The server's own pages need no permission, and others than pages have no origin.
    let own = format!("http://{}", scene.server.address());
    for headers in [&[("Origin", own.as_str())][..], &[]] {
        let response = scene.request("OPTIONS", "/bowline/sse", headers).await;
        assert_eq!(response.head.status, 204);
        assert_eq!(response.head.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_before_anything_else() {
    let scene = Scene::with(|builder| builder.allow_origin("https://app.example"));
    let mut innocent = scene.innocent().await;
    let own = scene.server.address().to_string();
    let wrong = [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        "http://app.example".to_owned(),
        "https://app.example.evil.example".to_owned(),
        "https://app.example:444".to_owned(),
        format!("http://{own}0"),
        format!("http://{own}@evil.example"),
        format!("http://evil.example/{own}"),
        String::new(),
        "\u{7f}\u{80}".to_owned(),
    ];
    for origin in &wrong {
        let headers = [("Origin", origin.as_str())];
        for (method, endpoint) in [
            ("POST", "sse"),
            ("POST", "poll"),
            ("POST", "post"),
            ("POST", "ticket"),
            ("GET", "sse"),
            ("OPTIONS", "poll"),
            ("GET", "ws"),
        ] {
            let path = format!("/bowline/{endpoint}");
            let response = scene.request(method, &path, &headers).await;
            if response.head.status == 400 {
                continue; // actix itself has refused the header's bytes
            }
            assert_refused(&response, 403, 4301);
            assert_eq!(response.head.header("access-control-allow-origin"), None);
        }
        let head = scene.connect().await.upgrade("/bowline/ws", &headers).await.unwrap();
        assert!(matches!(head.status, 400 | 403), "{origin}: no upgrade");
        innocent.assert_served().await;
    }
    journal::assert_logged(&["WARN", "\"https://evil.example\"", "refused"]);
    assert_eq!(scene.server.bowline().session_count(), 1);
}

#[tokio::test]
async fn what_is_no_websocket_request_is_refused() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let (upgrade, connection) = (("Upgrade", "websocket"), ("Connection", "Upgrade"));
    let version = ("Sec-WebSocket-Version", "13");
    for headers in [
        &[][..],
        &[upgrade, connection, version],
        &[upgrade, connection, key],
        &[upgrade, version, key],
        &[connection, version, key],
        &[upgrade, connection, key, ("Sec-WebSocket-Version", "8")],
        &[("Upgrade", "h2c"), connection, key, version],
    ] {
        let response = scene.request("GET", "/bowline/ws", headers).await;
        assert_eq!(response.head.status, 426);
        assert_eq!(response.head.header("upgrade"), Some("websocket"));
        // Something in between may have taken the header out: no reason to end the session.
        assert!(response.text().starts_with("This address is for WebSockets"));
        innocent.assert_served().await;
    }
}

#[tokio::test]
async fn a_stream_is_refused_to_an_old_http_and_a_poll_is_not() {
    let scene = Scene::start();
    let ask = async |endpoint: &str, body: &str| {
        let mut client = scene.connect().await;
        let request = format!(
            "POST /bowline/{endpoint} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            scene.server.address(),
            body.len()
        );
        client.send(request).await.unwrap();
        String::from_utf8(client.rest().await.unwrap().into()).unwrap()
    };
    let refused = ask("sse", &open()).await;
    assert!(refused.contains("\r\n\r\nx 4004 \"streams need HTTP/1.1; use polling\""), "{refused}");
    assert_eq!(scene.server.bowline().session_count(), 0, "nothing was opened for it");
    let polled = ask("poll", &open()).await;
    assert!(polled.contains("\r\n\r\nwelcome sid="), "{polled}");
    super::scene::Session::welcomed(polled.split("\r\n\r\n").nth(1).unwrap());
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_as_soon_as_it_is() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let over = vec![b'v'; 2 * 1024 * 1024 + 1];
    for endpoint in BODIES {
        // It says that far more will come, and does not wait to be believed.
        let mut client = scene.connect().await;
        let head = format!(
            "POST /bowline/{endpoint} HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000000\r\n\r\n"
        );
        client.send(head).await.unwrap();
        client.send(&over).await.unwrap();
        assert_refused(&client.response().await.unwrap(), 413, 4305);
        innocent.assert_served().await;

        let mut client = scene.connect().await;
        let head = format!(
            "POST /bowline/{endpoint} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        client.send(head).await.unwrap();
        for chunk in over.chunks(100_000) {
            client.send(format!("{:x}\r\n", chunk.len())).await.unwrap();
            client.send(chunk).await.unwrap();
            client.send("\r\n").await.unwrap();
        }
        assert_refused(&client.response().await.unwrap(), 413, 4305);
        innocent.assert_served().await;
    }
    journal::assert_logged(&["POST /bowline/ticket: 4305"]);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let mut body = session.attach("recv=0 next=1") + "\ne up 1\nv ";
    let line = 1024 * 1024 - 2;
    body.extend(std::iter::repeat_n('v', 100));
    body.extend(std::iter::repeat_n(' ', line - 100));
    body.push_str("\nv t ");
    body.extend(std::iter::repeat_n('1', 2 * 1024 * 1024 - body.len()));
    assert_eq!(scene.post("post", &body).await.text(), "c 1");
    body.push('1');
    assert_refused(&scene.post("post", &body).await, 413, 4305);
}

#[tokio::test]
async fn a_body_that_does_not_end_is_not_waited_for() {
    let scene = Scene::with(|builder| builder.handshake_timeout(Duration::from_millis(50)));
    let mut innocent = scene.innocent().await;
    for endpoint in BODIES {
        for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
            let mut client = scene.connect().await;
            let head = format!("POST /bowline/{endpoint} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
            client.send(head + "5\r\nopen \r\n").await.unwrap();
            assert_refused(&client.response().await.unwrap(), 408, 4003);
            innocent.assert_served().await;
        }
    }
    journal::assert_logged(&["POST /bowline/sse: 4003"]);
}

#[tokio::test]
async fn a_body_that_is_cut_off_does_nothing() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let session = scene.open_polling().await;
    for endpoint in BODIES {
        let body = session.attach("n=9 recv=0 next=1") + "\ne up 1\n";
        let mut client = scene.connect().await;
        let head = format!(
            "POST /bowline/{endpoint} HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n{body}"
        );
        client.send(head).await.unwrap();
        client.finish().await.unwrap();
        // Whatever the answer is, if there is one: the connection ends.
        let _ = client.rest().await;
        innocent.assert_served().await;
    }
    let polled = scene.post("poll", session.attach("n=2 recv=0 next=1 greet=1")).await;
    assert!(polled.text().contains(" recv=0 "), "{}", polled.text());
}

#[tokio::test]
async fn a_body_that_is_not_text_is_refused_and_its_session_is_not() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let session = scene.open_polling().await;
    for endpoint in BODIES {
        for wrong in [&b"\nv t \xff"[..], b"\nv t \xc3", b"\nv t \xed\xa0\x80", b"\nv t \xc0\x80"] {
            let body = [session.attach("n=2 recv=0 next=1").as_bytes(), wrong].concat();
            assert_refused(&scene.post(endpoint, body).await, 400, 4306);
        }
        innocent.assert_served().await;
    }
    let polled = scene.post("poll", session.attach("n=2 recv=0 next=1 greet=1")).await;
    assert!(polled.text().starts_with("welcome "));
}
