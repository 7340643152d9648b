//! Pages of the server's own origin, whose host is in `:authority`. Spec: 09-security, "Origin".

use bowline_fixtures::within_a_minute;

use super::client::{Connection, open, serve};

/// Each with a body that would be taken, or none.
const ENDPOINTS: [(&str, &str, bool); 5] = [
    ("POST", "sse", true),
    ("POST", "poll", true),
    ("POST", "ticket", true),
    ("GET", "health", false),
    ("OPTIONS", "post", false),
];

#[tokio::test]
async fn a_page_of_the_servers_own_origin_is_let_in() {
    within_a_minute(async {
        let server = serve(|builder| builder);
        let connection = Connection::open(&server).await;
        let own = format!("http://{}", server.address());
        for (method, endpoint, opens) in ENDPOINTS {
            let body = if opens { open() } else { String::new() };
            let request = connection.request(method, endpoint).header("origin", &own);
            let answer = connection.send(request, &body).await.unwrap();
            assert!(matches!(answer.status, 200 | 204), "{endpoint}: {}", answer.status);
            // It needs no permission.
            assert_eq!(answer.headers.get("access-control-allow-origin"), None);
            let versions = server.journal().versions(&format!("/bowline/{endpoint}"));
            assert_eq!(versions, [actix_web::http::Version::HTTP_2]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    within_a_minute(async {
        let server = serve(|builder| builder.allow_origin("https://app.example"));
        let connection = Connection::open(&server).await;
        let (own, evil) = (server.address().to_string(), "evil.example");
        let page = |host: &str| format!("http://{host}");
        for (method, endpoint, opens) in ENDPOINTS {
            for (origin, header, value) in [
                (page(evil), "accept", "*/*"),
                // Other headers can name whom they like, and say nothing about where the page is
                // from.
                (page(evil), "host", evil),
                (page(&own), "host", evil),
                (page(evil), "x-forwarded-host", evil),
                (page(evil), "forwarded", "host=evil.example"),
                ("null".to_owned(), "host", "null"),
            ] {
                let body = if opens { open() } else { String::new() };
                let request = connection.request(method, endpoint);
                let request = request.header("origin", &origin).header(header, value);
                let answer = connection.send(request, &body).await.unwrap();
                assert_eq!(answer.status, 403, "{endpoint} {origin} {header}");
                assert_eq!(answer.headers.get("access-control-allow-origin"), None);
                assert_eq!(answer.text().await, "x 4301");
            }
            let body = if opens { open() } else { String::new() };
            let request = connection.request(method, endpoint);
            let request = request.header("origin", "https://app.example");
            let answer = connection.send(request, &body).await.unwrap();
            assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example");
            assert!(matches!(answer.status, 200 | 204), "{endpoint}: {}", answer.status);
        }
    })
    .await;
}
