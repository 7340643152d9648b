//! More than anybody needs.

use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::Instant;

use crate::check::Check;
use crate::scenario::{Attack, Held, Scenario};
use crate::target::MIB;
use crate::wire;
use bowline_raw_client::masked_frame;

pub(crate) const ROWS: &[Scenario] = &[
    Scenario {
        name: "tiny-packets",
        about: "two clients that send messages of 2 MiB in packets of a few bytes",
        settings: &[],
        peak: 100.0,
        ends: false,
        attack: |attack| tiny(attack).boxed_local(),
    },
    Scenario {
        name: "log",
        about: "one connection that makes mistakes as fast as it can",
        settings: &[],
        peak: 50.0,
        ends: false,
        attack: |attack| mistakes(attack).boxed_local(),
    },
];

async fn tiny(attack: &Attack) -> Result<Held, String> {
    let until = Instant::now() + Duration::from_secs(attack.scaled(10, 2) as u64);
    let flood = async || {
        let mut client = wire::websocket(attack.address, &wire::open("")).await?;
        // Volatile events have no number, and nobody handles them.
        let message = masked_frame(0x81, "v n\n".repeat(attack.scaled(500_000, 50_000)).trim_end());
        while Instant::now() < until {
            if client.send(&message).await.is_err() {
                break;
            }
        }
        std::io::Result::Ok(())
    };
    let clients = futures::future::try_join(flood(), flood()).await;
    clients.map_err(|error| format!("a flood: {error}"))?;
    Ok(Held::default())
}

async fn mistakes(attack: &Attack) -> Result<Held, String> {
    let until = Instant::now() + Duration::from_secs(attack.scaled(3, 1) as u64);
    let long = "x".repeat(8000);
    let requests = (0..usize::MAX).map(|number| match number % 4 {
        0 => wire::post("poll", "Origin: http://evil.test\r\n", &wire::open("")),
        1 => wire::post("poll", "", &format!("{}\n? {long}", wire::open(""))),
        2 => wire::post("poll", "", &format!("{}\ne unknown{number} \"{long}\"", wire::open(""))),
        _ => wire::post("poll", "", &format!("{}\ne echo \"{long}\"", wire::open(""))),
    });
    let sent = wire::pipeline(attack.address, requests, until).await;
    sent.map_err(|error| format!("the mistakes: {error}"))?;
    let size = std::fs::metadata(&attack.log).map_err(|error| error.to_string())?.len();
    Ok(Held::checks(vec![Check::below("MiB of log", size as f64 / MIB, 0.25)]))
}
