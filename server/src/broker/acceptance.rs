//! What every broker promises, as tests that any broker can be run through.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use bowline_server::broker::{LocalBroker, acceptance};
//!
//! let first = LocalBroker::new();
//! let second = first.neighbour();
//! acceptance::run(first, second).await;
//! # }
//! ```

#![expect(clippy::disallowed_methods, reason = "a suite of tests")]

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use bowline_protocol::Position;

use uuid::Uuid;

use super::{Appended, Broker, Deliver, Delivery, Entry, Keep, Once, Publication, read_stamped};

/// Runs two brokers that reach each other, and have not been run, through the whole suite.
///
/// # Panics
/// When a promise is broken, or within a minute when one is not kept.
pub async fn run(first: impl Broker, second: impl Broker) {
    let (mut first, mut second) = (Member::start(first), Member::start(second));
    let whole = async {
        first.is_up().await;
        second.is_up().await;
        only_listeners_receive(&mut first, &mut second).await;
        messages_arrive_in_order(&mut first, &mut second).await;
        bytes_arrive_as_they_are(&mut first, &mut second).await;
        a_node_that_has_unlistened_receives_nothing(&mut first, &mut second).await;
        the_directory_is_shared(&first, &second).await;
        a_claim_is_won_once(&first, &second).await;
        entries_expire(&first, &second).await;
        appended_messages_are_kept_and_sent_in_order(&first, &mut second).await;
        a_log_keeps_no_more_than_it_is_to(&first, &second).await;
        a_message_with_an_id_is_appended_once(&first, &mut second).await;
        deleted_messages_are_gone_and_listeners_are_notified(&first, &mut second).await;
    };
    tokio::time::timeout(Duration::from_secs(60), whole).await.expect("the broker hangs");
}

struct Member {
    broker: Box<dyn Broker>,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    task: tokio::task::JoinHandle<()>,
}

impl Member {
    fn start(broker: impl Broker) -> Self {
        let (sender, deliveries) = mpsc::unbounded_channel();
        let deliver: Deliver = Arc::new(move |delivery| drop(sender.send(delivery)));
        let task = tokio::spawn(broker.run(deliver));
        Self { broker: Box::new(broker), deliveries, task }
    }

    async fn is_up(&mut self) {
        assert_eq!(self.deliveries.recv().await, Some(Delivery::Up));
    }

    async fn subscribe(&self, channel: &str) {
        let (effective, is_effective) = oneshot::channel();
        self.broker.subscribe(channel, Some(effective));
        is_effective.await.expect("a subscription becomes effective");
    }

    async fn publish(&self, channel: &str, message: &'static [u8]) -> usize {
        let (heard, count) = oneshot::channel();
        let message = Bytes::from_static(message);
        self.broker.publish(vec![Publication {
            channel: channel.into(),
            message,
            heard: Some(heard),
        }]);
        count.await.expect("a broker that is up knows who heard")
    }

    async fn next(&mut self) -> (Arc<str>, Bytes) {
        match self.deliveries.recv().await {
            Some(Delivery::Message { channel, message }) => (channel, message),
            other => panic!("a message was expected, not {other:?}"),
        }
    }

    async fn entry(&self, key: &str, change: Entry) -> Option<Bytes> {
        self.broker.directory(key, change).await.expect("the directory can be reached")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn only_listeners_receive(first: &mut Member, second: &mut Member) {
    assert_eq!(first.publish("one", b"nobody").await, 0);
    second.subscribe("one").await;
    assert_eq!(first.publish("one", b"second").await, 1);
    assert_eq!(first.publish("two", b"nobody").await, 0);
    first.subscribe("one").await;
    // Listening twice has the same effect as once.
    first.subscribe("one").await;
    assert_eq!(first.publish("one", b"both").await, 2);
    assert_eq!(second.next().await, ("one".into(), "second".into()));
    assert_eq!(second.next().await, ("one".into(), "both".into()));
    assert_eq!(first.next().await, ("one".into(), "both".into()));
}

async fn messages_arrive_in_order(first: &mut Member, second: &mut Member) {
    second.subscribe("order").await;
    let some = |numbers: Range<u32>| {
        let message = |number: u32| Publication {
            channel: "order".into(),
            message: Bytes::copy_from_slice(&number.to_be_bytes()),
            heard: None,
        };
        first.broker.publish(numbers.map(message).collect());
    };
    (0..1_000).for_each(|number| some(number..number + 1));
    some(1_000..2_000);
    for number in 0..2_000u32 {
        assert_eq!(&*second.next().await.1, number.to_be_bytes());
    }
}

async fn bytes_arrive_as_they_are(first: &mut Member, second: &mut Member) {
    let odd = "\u{0}a room \"{with}\" spaces\r\n\u{1F984}";
    second.subscribe(odd).await;
    let every: Bytes = (0..=255).cycle().take(300_000).collect();
    let message = every.clone();
    first.broker.publish(vec![Publication { channel: odd.into(), message, heard: None }]);
    assert_eq!(second.next().await, (odd.into(), every));
}

async fn a_node_that_has_unlistened_receives_nothing(first: &mut Member, second: &mut Member) {
    second.subscribe("left").await;
    second.broker.unsubscribe("left");
    // Waits until the broker has processed the commands so far.
    second.subscribe("mark").await;
    assert_eq!(first.publish("left", b"nobody").await, 0);
    assert_eq!(first.publish("mark", b"second").await, 1);
    assert_eq!(second.next().await, ("mark".into(), "second".into()));
    // Unlistening and listening again immediately ends with listening.
    second.broker.unsubscribe("mark");
    second.subscribe("mark").await;
    assert_eq!(first.publish("mark", b"again").await, 1);
    assert_eq!(second.next().await.1, "again");
}

async fn the_directory_is_shared(first: &Member, second: &Member) {
    let value = || Bytes::from_static(b"\x00 value");
    assert_eq!(first.entry("entry", Entry::Read).await, None);
    first.entry("entry", Entry::Write(value(), LONG)).await;
    assert_eq!(second.entry("entry", Entry::Read).await, Some(value()));
    second.entry("entry", Entry::Remove).await;
    assert_eq!(first.entry("entry", Entry::Read).await, None);
}

async fn a_claim_is_won_once(first: &Member, second: &Member) {
    let claim = |value: &'static str| Entry::Claim(value.into(), LONG);
    let (one, other) =
        tokio::join!(first.entry("claim", claim("first")), second.entry("claim", claim("second")));
    assert_eq!(one, other);
    assert!(one.is_some());
}

async fn entries_expire(first: &Member, second: &Member) {
    let short = Duration::from_millis(20);
    first.entry("short", Entry::Write("value".into(), short)).await;
    while second.entry("short", Entry::Read).await.is_some() {
        tokio::task::yield_now().await;
    }
}

async fn appended_messages_are_kept_and_sent_in_order(first: &Member, second: &mut Member) {
    let keep = Keep { messages: 100, bytes: MANY, age: LONG };
    let empty = second.broker.read("log", keep).await.expect("the log can be read");
    assert_eq!((empty.end.offset, empty.entries), (0, Vec::new()));
    second.subscribe("log").await;
    for number in 0..50u8 {
        // Both at the same time: whichever is first, all listeners receive the same order.
        let by = |member: &Member, bytes: [u8; 2]| {
            member.broker.append("log", Bytes::copy_from_slice(&bytes), keep, None)
        };
        let (one, other) = tokio::join!(by(first, [b'1', number]), by(second, [b'2', number]));
        let (one, other) = (one.expect("it is appended"), other.expect("it is appended"));
        let (one, other) = (one.at, other.at);
        assert_eq!(one.epoch, empty.end.epoch);
        assert_eq!(one.offset + other.offset, 4 * u64::from(number) + 3, "{one:?} {other:?}");
    }
    let kept = first.broker.read("log", keep).await.expect("the log can be read");
    assert_eq!(kept.end.offset, 100);
    let offsets: Vec<u64> = kept.entries.iter().map(|entry| entry.offset).collect();
    assert_eq!(offsets, (1..=100).collect::<Vec<_>>());
    for entry in kept.entries {
        let (channel, message) = second.next().await;
        let at = Position { offset: entry.offset, ..empty.end.clone() };
        assert_eq!((&*channel, read_stamped(&message)), ("log", Some((at, entry.message))));
    }
}

async fn a_log_keeps_no_more_than_it_is_to(first: &Member, second: &Member) {
    let append = |keep| first.broker.append("short log", Bytes::from_static(b"\x00\n"), keep, None);
    let few = Keep { messages: 3, bytes: MANY, age: LONG };
    for _ in 0..5 {
        append(few).await.expect("it is appended");
    }
    let kept = second.broker.read("short log", few).await.expect("the log can be read");
    assert_eq!(kept.entries.iter().map(|entry| entry.offset).collect::<Vec<_>>(), [3, 4, 5]);
    // 2 bytes, and 64 for each.
    let small = Keep { bytes: 2 * 66, ..few };
    append(small).await.expect("it is appended");
    let kept = second.broker.read("short log", small).await.expect("the log can be read");
    assert_eq!(kept.entries.iter().map(|entry| entry.offset).collect::<Vec<_>>(), [5, 6]);
    let tiny = Keep { bytes: 1, ..few };
    append(tiny).await.expect("it is appended");
    let kept = second.broker.read("short log", tiny).await.expect("the log can be read");
    assert_eq!(kept.entries.iter().map(|entry| entry.offset).collect::<Vec<_>>(), [7]);
    let short = Keep { age: Duration::from_millis(20), ..few };
    append(short).await.expect("it is appended");
    let end = loop {
        let kept = second.broker.read("short log", short).await.expect("the log can be read");
        if kept.entries.is_empty() {
            break kept.end;
        }
        tokio::task::yield_now().await;
    };
    // The messages are dropped; the position of the end is not.
    assert_eq!(end, Position { offset: 8, ..kept.end });
}

async fn a_message_with_an_id_is_appended_once(first: &Member, second: &mut Member) {
    let keep = Keep { messages: 100, bytes: MANY, age: LONG };
    let append = async |by: &Member, log: &str, id: u128, age| {
        let (once, message) = (Once { id: Uuid::from_u128(id), age }, Bytes::from_static(b"m"));
        by.broker.append(log, message, keep, Some(once)).await.expect("it is appended")
    };
    second.subscribe("once").await;
    let (one, other) =
        tokio::join!(append(first, "once", 1, LONG), append(second, "once", 1, LONG));
    assert_eq!((one.at.offset, &one.at), (1, &other.at));
    assert!(one.is_repeated != other.is_repeated, "one of them is appended");
    let next = append(first, "once", 2, LONG).await;
    assert_eq!((next.at.offset, next.is_repeated), (2, false));
    assert_eq!(append(second, "once", 1, LONG).await, Appended { is_repeated: true, ..one });
    assert_eq!(append(second, "twice", 1, LONG).await.at.offset, 1, "a log has its own ids");
    for offset in 1..=2 {
        let (at, _) = read_stamped(&second.next().await.1).expect("a stamp");
        assert_eq!(at.offset, offset);
    }
    let short = Duration::from_millis(20);
    assert!(!append(first, "once", 3, short).await.is_repeated);
    while append(first, "once", 3, short).await.is_repeated {
        tokio::task::yield_now().await;
    }
    for offset in 3..=4 {
        let (at, _) = read_stamped(&second.next().await.1).expect("a stamp");
        assert_eq!(at.offset, offset, "an old id is no longer known");
    }
}

async fn deleted_messages_are_gone_and_listeners_are_notified(first: &Member, second: &mut Member) {
    let keep = Keep { messages: 100, bytes: MANY, age: LONG };
    let append = async || {
        let message = Bytes::from_static(b"m");
        let appended = first.broker.append("trimmed", message, keep, None).await;
        appended.expect("it is appended").at
    };
    let offsets = async |by: &Member| {
        let log = by.broker.read("trimmed", keep).await.expect("the log can be read");
        (log.end.offset, log.entries.iter().map(|entry| entry.offset).collect::<Vec<_>>())
    };
    let trim = |to| first.broker.trim("trimmed", to, keep);
    for _ in 0..4 {
        append().await;
    }
    second.subscribe("trimmed").await;
    let end = append().await;
    let at = |offset| Position { offset, ..end.clone() };
    assert_eq!(trim(Some(at(2))).await, Ok(2));
    assert_eq!(offsets(second).await, (5, vec![3, 4, 5]));
    assert_eq!(trim(Some(at(2))).await, Ok(0), "they are deleted already");
    let elsewhere = Position { epoch: "another".to_owned(), offset: 5 };
    assert_eq!(trim(Some(elsewhere)).await, Ok(0), "the history has begun anew since");
    assert_eq!(trim(Some(at(99))).await, Ok(3));
    assert_eq!(append().await, at(6), "places continue");
    assert_eq!(trim(None).await, Ok(1));
    assert_eq!(offsets(second).await, (6, vec![]));
    append().await;
    assert_eq!(offsets(second).await, (7, vec![7]));
    let heard = [(5, &b"m"[..]), (2, b""), (2, b""), (5, b""), (6, b"m"), (6, b""), (7, b"m")];
    for (offset, message) in heard {
        let stamp = read_stamped(&second.next().await.1);
        assert_eq!(stamp, Some((at(offset), Bytes::from_static(message))));
    }
}

const LONG: Duration = Duration::from_secs(600);
const MANY: usize = 1 << 20;
