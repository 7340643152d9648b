//! The client's log lines.

use std::sync::{Mutex, Once};
use std::time::Duration;

use bowline_client::{Client, Status};
use log::{Level, Log, Metadata, Record};

use crate::host::{World, soon, welcome_new};
use crate::lifecycle::{connected, settle, until};

/// Stores the log lines of all tests of this process.
struct Memory(Mutex<Vec<(Level, String)>>);

static MEMORY: Memory = Memory(Mutex::new(Vec::new()));

impl Log for Memory {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target().starts_with("bowline_client") {
            self.0.lock().unwrap().push((record.level(), record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// The log lines about a mount point, except those about attempts.
fn logged(mount: &str) -> Vec<(Level, String)> {
    let all = MEMORY.0.lock().unwrap();
    let own = all.iter().filter_map(|(level, line)| {
        let line = line.strip_prefix(mount)?.strip_prefix(": ")?;
        (*level < Level::Debug).then(|| (*level, line.to_owned()))
    });
    own.collect()
}

#[tokio::test]
async fn what_becomes_of_the_session_is_logged_without_secrets() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&MEMORY).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    let mount = "http://logged/bowline";
    let mut world = World::new();
    let client = world.build(Client::builder(mount).auth("hunter2"));
    let mut statuses = client.status_stream();
    let mut peer = connected(&mut world, &client).await;
    client.emit("say", "private").unwrap();
    peer.received().await;
    peer.send("x 4100 \"a secret\"");
    until(&mut statuses, |status| matches!(status, Status::SessionLost { .. })).await;
    settle().await;
    world.advance(Duration::from_millis(100));
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(welcome_new(2));
    until(&mut statuses, Status::is_connected).await;
    peer.cut();
    until(&mut statuses, |status| !status.is_connected()).await;
    peer = {
        world.advance(Duration::from_millis(100));
        world.accept().await
    };
    peer.received().await;
    peer.send("x 4300 \"a secret\"");
    until(&mut statuses, Status::is_closed).await;
    soon(client.close()).await;

    let lines = logged(mount);
    let (levels, words): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    let (info, warn) = (Level::Info, Level::Warn);
    assert_eq!(levels, [info, warn, info, info, warn], "{words:#?}");
    assert!(words[0].contains(" opened over websocket"), "{words:#?}");
    assert!(
        words[1].contains("lost (4100") && words[1].contains(" 1 may or may not"),
        "{words:#?}"
    );
    assert!(words[3].starts_with("websocket was lost after"), "{words:#?}");
    assert!(words[4].starts_with("closed for good (4300"), "{words:#?}");
    let all = MEMORY.0.lock().unwrap();
    let secret = ["hunter2", "private", "confidence"];
    assert!(all.iter().all(|(_, line)| !secret.iter().any(|word| line.contains(word))), "{all:#?}");
}
