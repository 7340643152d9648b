//! Runs the vectors of streams: the sizes of items, and what windows allow.
//!
//! `vectors/README.md` describes the format.
#![cfg(feature = "serde")]

mod common;

use bowline_protocol::{
    Batch, ItemTooLarge, Limits, Packet, ReceiveWindow, SendWindow, Window, item_size,
};
use serde::{Deserialize, Deserializer};

use common::{Chapters, read_json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    spec: String,
    line: Option<String>,
    size: Option<usize>,
    window: Option<Window>,
    sender: Option<Vec<Send>>,
    receiver: Option<Vec<Receive>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Send {
    Send {
        send: u64,
        #[serde(deserialize_with = "nullable")]
        may: Option<bool>,
    },
    Taken {
        taken: u64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Receive {
    Receive {
        receive: u64,
        may: bool,
    },
    Take {
        take: u64,
        #[serde(deserialize_with = "nullable")]
        credit: Option<u64>,
    },
}

/// A member that is always there, and may be `null`.
fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

#[test]
fn sizes_and_windows_are_those_of_the_vectors() {
    let vectors = read_json::<Vec<Vector>>("streams.json");
    let chapters = Chapters::read();
    assert!(!vectors.is_empty());
    for Vector { name, spec, line, size, window, sender, receiver } in vectors {
        assert!(chapters.has_anchor(&spec), "{name}: {spec}");
        match (line, size, window, sender, receiver) {
            (Some(line), Some(size), None, None, None) => assert_eq!(size_of(line), size, "{name}"),
            (None, None, Some(window), Some(steps), None) => send(&name, window, steps),
            (None, None, Some(window), None, Some(steps)) => receive(&name, window, steps),
            _ => panic!("{name}: a line and a size, or a window and the steps of one end"),
        }
    }
}

fn size_of(line: String) -> usize {
    let mut batch = Batch::new(line.into(), &Limits::default()).unwrap();
    let Some(Ok(Packet::Event(item))) = batch.next_packet() else { panic!("it is an event") };
    item_size(&item.payload)
}

fn send(name: &str, window: Window, steps: Vec<Send>) {
    let mut sender = SendWindow::new(window);
    for step in steps {
        match step {
            Send::Send { send, may } => {
                let fits = sender.fits(send);
                let refused = Err(ItemTooLarge { limit: window.bytes / 2 });
                assert_eq!(fits, may.map_or(refused, Ok), "{name}: {send}");
                if fits == Ok(true) {
                    sender.sent(send);
                }
            }
            Send::Taken { taken } => _ = sender.taken(taken),
        }
    }
}

fn receive(name: &str, window: Window, steps: Vec<Receive>) {
    let mut receiver = ReceiveWindow::new(window);
    for step in steps {
        match step {
            Receive::Receive { receive, may } => {
                assert_eq!(receiver.received(receive).is_ok(), may, "{name}: {receive}");
            }
            Receive::Take { take, credit } => {
                receiver.received(take).unwrap();
                assert_eq!(receiver.take(take), credit, "{name}: {take}");
            }
        }
    }
}
