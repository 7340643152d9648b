//! What is said, and by whom.

use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::Instant;

use crate::check::Check;
use crate::scenario::{Attack, Held, REDIS, Scenario};
use crate::wire;
use bowline_raw_client::RawClient;

pub(crate) const ROWS: &[Scenario] = &[
    Scenario {
        name: "close-reasons",
        about: "an application that closes with reasons that are no JSON, or several lines",
        settings: &[],
        peak: 20.0,
        ends: false,
        attack: |attack| reasons(attack).boxed_local(),
    },
    Scenario {
        name: "base64",
        about: "bytes that are larger than a packet once they are decoded",
        settings: &[],
        peak: 50.0,
        ends: false,
        attack: |attack| base64(attack).boxed_local(),
    },
    Scenario {
        name: "publish-token",
        about: "guesses at the token that lets programs publish",
        settings: &["token=a token that nobody knows"],
        peak: 20.0,
        ends: false,
        attack: |attack| guesses(attack).boxed_local(),
    },
    Scenario {
        name: "origins",
        about: "pages of other origins, requests that state two, and a name that was made to \
            lead here (DNS rebinding)",
        settings: &["host=app.example.com"],
        peak: 20.0,
        ends: false,
        attack: |attack| origins(attack).boxed_local(),
    },
    Scenario {
        name: "redis-keys",
        about: "10,000 opens that a hook refuses, with Redis beside the server",
        settings: &[REDIS],
        peak: 100.0,
        ends: false,
        attack: |attack| keys(attack).boxed_local(),
    },
];

async fn reasons(attack: &Attack) -> Result<Held, String> {
    let table = [
        "\"plain\"",
        "\"two\\nlines\"",
        "\"{\"",
        "\"\\\"\"",
        "\"x 4100\\ne said 1\"",
        "\"\\u0000\"",
    ];
    let mut strange = 0;
    for reason in table {
        let text = format!("{}\ne close {reason}", wire::open(""));
        let opened = wire::websocket(attack.address, &text).await;
        let mut client = opened.map_err(|error| format!("a session: {error}"))?;
        strange += odd_lines(&mut client).await;
    }
    Ok(Held::checks(vec![Check::equal("lines that no server says", strange, 0)]))
}

/// Lines of a session that are neither its welcome nor a close whose reason is JSON.
async fn odd_lines(client: &mut RawClient) -> usize {
    let mut odd = 0;
    while let Ok(Some(frame)) = client.frame().await {
        // The frame that closes a WebSocket comes last.
        let Some(text) = frame.text() else { break };
        for line in text.split('\n') {
            let is_close = line.strip_prefix("x 1000").is_some_and(|reason| {
                let reason = reason.trim_start();
                reason.is_empty() || serde_json::from_str::<serde_json::Value>(reason).is_ok()
            });
            let is_known = line.starts_with("welcome ")
                || line.starts_with("c ")
                || line == "a"
                || line == "h";
            odd += usize::from(!is_close && !is_known);
        }
    }
    odd
}

async fn base64(attack: &Attack) -> Result<Held, String> {
    // One byte more than 1 MiB is 1,398,104 letters, as 1 MiB itself would be with one less.
    let letters = (1024_usize * 1024).div_ceil(3) * 4;
    let mut taken = 0;
    for bytes in [1024 * 1024 + 1, 1024 * 1024 + 2] {
        let padding = (3 - bytes % 3) % 3;
        let body: String = "A".repeat(letters - padding) + &"=".repeat(padding);
        let text = format!("{}\nE bytes {body}", wire::open(""));
        let opened = wire::websocket(attack.address, &text).await;
        let mut client = opened.map_err(|error| format!("a session: {error}"))?;
        let mut said = String::new();
        while let Ok(Some(frame)) = client.frame().await {
            said.push_str(frame.text().unwrap_or_default());
            said.push('\n');
            if said.contains("\nx ") || said.contains("\nc ") || said.starts_with("x ") {
                break;
            }
        }
        taken += usize::from(!said.contains("x 4305"));
    }
    Ok(Held::checks(vec![Check::equal("packets that are too large and taken", taken, 0)]))
}

async fn guesses(attack: &Attack) -> Result<Held, String> {
    let until = Instant::now() + Duration::from_secs(attack.scaled(10, 2) as u64);
    let requests = (0..attack.scaled(10_000, 2_000)).map(|number| {
        let guess = format!("Authorization: Bearer guess number {number:010}\r\n");
        wire::post("publish", &guess, "{\"event\":\"news\",\"everyone\":true}")
    });
    let counts = wire::pipeline(attack.address, requests, until).await;
    let counts = counts.map_err(|error| format!("the guesses: {error}"))?;
    let log = std::fs::read_to_string(&attack.log).map_err(|error| error.to_string())?;
    Ok(Held::checks(vec![
        Check::below("guesses that were judged", wire::count(&counts, 401) as f64, 200.0),
        Check::equal("the log tells of them", usize::from(log.contains("publish")), 1),
    ]))
}

async fn origins(attack: &Attack) -> Result<Held, String> {
    let own = format!("Origin: http://{}\r\n", attack.address);
    let evil = "Origin: http://evil.test\r\n".to_owned();
    let here = attack.address.to_string();
    let table = [
        (&*here, evil.clone()),
        (&here, "Origin: null\r\n".to_owned()),
        (&here, format!("Origin: http://{}:1\r\n", attack.address.ip())),
        (&here, format!("{own}{evil}")),
        (&here, format!("{evil}{own}")),
        (&here, format!("{own}{own}")),
        ("evil.test", evil),
        ("evil.test", String::new()),
    ];
    let mut let_in = 0;
    for (host, origin) in table {
        let_in += usize::from(is_let_in(attack, host, &origin).await?);
    }
    let own_page = usize::from(is_let_in(attack, &here, &own).await?);
    Ok(Held::checks(vec![
        Check::equal("pages of others that are let in", let_in, 0),
        Check::equal("pages of its own that are let in", own_page, 1),
    ]))
}

async fn is_let_in(attack: &Attack, host: &str, origin: &str) -> Result<bool, String> {
    let request = wire::post("poll", origin, &wire::open(""));
    let request = request.replace("Host: x", &format!("Host: {host}"));
    let until = Instant::now() + Duration::from_secs(5);
    let counts = wire::pipeline(attack.address, std::iter::once(request), until).await;
    let counts = counts.map_err(|error| format!("{origin:?}: {error}"))?;
    Ok(wire::count(&counts, 200) > 0)
}

async fn keys(attack: &Attack) -> Result<Held, String> {
    let redis = attack.redis.as_ref().ok_or("there is no Redis")?;
    let before = redis.size();
    let until = Instant::now() + Duration::from_secs(60);
    let requests = (0..attack.scaled(10_000, 1_000))
        .map(|_| wire::post("poll", "", &wire::open("\"refused\"")));
    let sent = wire::pipeline(attack.address, requests, until).await;
    sent.map_err(|error| format!("the opens: {error}"))?;
    let left = redis.size().saturating_sub(before);
    Ok(Held::checks(vec![Check::below("keys left in Redis", left as f64, 100.0)]))
}
