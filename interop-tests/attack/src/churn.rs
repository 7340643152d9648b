//! Sessions that come and go.

use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::Instant;

use crate::check::Check;
use crate::scenario::{Attack, Held, Scenario};
use crate::wire;

pub(crate) const ROWS: &[Scenario] = &[
    Scenario {
        name: "churn",
        about: "2,000,000 sessions opened and closed over one connection, or as many as 30 s allow",
        settings: &[],
        peak: 100.0,
        ends: false,
        attack: |attack| churn(attack).boxed_local(),
    },
    Scenario {
        name: "one-address",
        about: "12,000 sessions opened and left behind, from the address of everybody else",
        settings: &[],
        peak: 300.0,
        ends: false,
        attack: |attack| crowd(attack, false).boxed_local(),
    },
    Scenario {
        name: "one-proxy",
        about: "the same behind a proxy that says who is who",
        settings: &["proxied"],
        peak: 300.0,
        ends: false,
        attack: |attack| crowd(attack, true).boxed_local(),
    },
];

async fn churn(attack: &Attack) -> Result<Held, String> {
    let until = Instant::now() + Duration::from_secs(attack.scaled(30, 3) as u64);
    let requests = (0..attack.scaled(2_000_000, 20_000))
        .map(|_| wire::post("poll", "", &format!("{}\nx 1000", wire::open(""))));
    let counts = wire::pipeline(attack.address, requests, until).await;
    counts.map_err(|error| format!("the churn: {error}"))?;
    Ok(Held::default())
}

/// Opens sessions that nobody serves, and looks whether others still get in.
async fn crowd(attack: &Attack, proxied: bool) -> Result<Held, String> {
    let from = |host: &str| {
        if proxied { format!("X-Forwarded-For: {host}\r\n") } else { String::new() }
    };
    let until = Instant::now() + Duration::from_secs(attack.scaled(30, 3) as u64);
    let crowd = (0..attack.scaled(12_000, 12_000))
        .map(|_| wire::post("poll", &from("203.0.113.7"), &wire::open("")));
    let counts = wire::pipeline(attack.address, crowd, until).await;
    counts.map_err(|error| format!("the crowd: {error}"))?;
    // Whoever is refused asks again.
    let (mut missing, begun) = (50, Instant::now());
    let until = begun + Duration::from_secs(20);
    while missing > 0 && Instant::now() < until {
        let others = (0..missing).map(|number| {
            wire::post("poll", &from(&format!("198.51.100.{number}")), &wire::open(""))
        });
        let counts = wire::pipeline(attack.address, others, until).await;
        missing -= wire::count(&counts.map_err(|error| format!("the others: {error}"))?, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let waited = if missing == 0 { begun.elapsed().as_secs_f64() } else { f64::INFINITY };
    Ok(Held::checks(vec![Check::below("s until 50 others are in", waited, 5.0)]))
}
