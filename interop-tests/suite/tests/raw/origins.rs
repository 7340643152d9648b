//! Which pages are let in, on every endpoint. Spec: 09-security, "Origin".

use super::scene::{Scene, assert_refused, open};

/// Each with whether it takes an open.
const ENDPOINTS: [(&str, &str, bool); 6] = [
    ("GET", "ws", false),
    ("GET", "sse", false),
    ("POST", "sse", true),
    ("POST", "poll", true),
    ("POST", "post", true),
    ("POST", "ticket", true),
];

async fn assert_all_refuse(scene: &Scene, host: Option<&str>, headers: &[(&str, &str)]) {
    let own = scene.server.address().to_string();
    for (method, endpoint, opens) in ENDPOINTS {
        let mut request =
            format!("{method} /bowline/{endpoint} HTTP/1.1\r\nhost: {}\r\n", host.unwrap_or(&own));
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let body = if opens { open() } else { String::new() };
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        let mut client = scene.connect().await;
        client.send(request).await.unwrap();
        assert_refused(&client.response().await.unwrap(), 403, 4301);
    }
}

async fn status(scene: &Scene, host: &str, headers: &[(&str, &str)]) -> u16 {
    let body = open();
    let mut request = format!("POST /bowline/poll HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n{body}", body.len());
    let mut client = scene.connect().await;
    client.send(request).await.unwrap();
    client.response().await.unwrap().head.status
}

#[tokio::test]
async fn a_request_of_two_origins_is_of_none() {
    let scene = Scene::with(|builder| builder.allow_origin("https://app.example"));
    let own = format!("http://{}", scene.server.address());
    for [one, other] in [[&*own, &*own], [&own, "http://evil.test"], ["https://app.example"; 2]] {
        assert_all_refuse(&scene, None, &[("origin", one), ("origin", other)]).await;
    }
    let any = Scene::with(|builder| builder.dangerously_accept_any_origin());
    assert_all_refuse(&any, None, &[("origin", "http://a.test"), ("origin", "http://b.test")])
        .await;
}

#[tokio::test]
async fn a_name_that_is_made_to_lead_here_is_refused_when_the_own_hosts_are_known() {
    let scene = Scene::with(|builder| builder.allow_host("app.example"));
    let evil = Some("evil.test:8080");
    assert_all_refuse(&scene, evil, &[("origin", "http://evil.test:8080")]).await;
    // A browser sends no origin with some requests to what it takes for the same one.
    assert_all_refuse(&scene, evil, &[]).await;
    assert_all_refuse(&scene, evil, &[("x-forwarded-host", "app.example")]).await;
    for host in ["app.example", "APP.example:8443", "127.0.0.1:1", "localhost:1", "[::1]:1"] {
        let origin = format!("https://{}", host.to_lowercase());
        assert_eq!(status(&scene, host, &[("origin", &origin)]).await, 200, "{host}");
        assert_eq!(status(&scene, host, &[]).await, 200, "{host}");
    }
    let mut client = scene.connect().await;
    client.send("GET /bowline/health HTTP/1.1\r\nhost: balancer.internal\r\n\r\n").await.unwrap();
    assert_eq!(client.response().await.unwrap().head.status, 200);
}

#[tokio::test]
async fn where_a_proxy_has_ended_tls_its_word_decides_which_pages_are_of_the_same_origin() {
    let scene = Scene::with(|builder| builder.trusted_proxies(["127.0.0.1"]));
    let tls = ("x-forwarded-proto", "https");
    let page = |scheme: &str| format!("{scheme}://app.example");
    let told = async |headers: &[(&str, &str)]| status(&scene, "app.example", headers).await;
    assert_eq!(told(&[tls, ("origin", &page("https"))]).await, 200);
    assert_eq!(
        told(&[("forwarded", "for=192.0.2.1;proto=https"), ("origin", &page("https"))]).await,
        200
    );
    assert_all_refuse(&scene, Some("app.example"), &[tls, ("origin", &page("http"))]).await;
    let host = [("x-forwarded-host", "app.example"), tls];
    let page_of = |scheme: &str| format!("{scheme}://app.example");
    assert_eq!(
        status(&scene, "inner:8080", &[host[0], host[1], ("origin", &page_of("https"))]).await,
        200
    );
    assert_all_refuse(&scene, Some("inner:8080"), &[host[0], ("origin", "http://inner:8080")])
        .await;
    // Nobody has said that this is a proxy.
    let scene = Scene::start();
    assert_eq!(status(&scene, "app.example", &[("origin", &page("https"))]).await, 200);
    assert_eq!(status(&scene, "app.example", &[tls, ("origin", &page("http"))]).await, 200);
    assert_all_refuse(&scene, Some("inner:8080"), &[host[0], ("origin", &page("https"))]).await;
}
