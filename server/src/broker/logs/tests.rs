//! What logs in memory keep and drop.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Bounds, Keep, Log, Logs, OVERHEAD, new_position, read_stamped, stamped};

const KEEP: Keep = Keep { messages: 1000, bytes: 1_000_000, age: Duration::from_secs(10) };

fn kept<T: Copy>(log: &Log<T>) -> Vec<(u64, T)> {
    log.after(0).map(|(at, _, said)| (at, *said)).collect()
}

#[test]
fn a_log_keeps_so_many_messages_for_so_long() {
    let keep = Keep { messages: 3, ..KEEP };
    let (mut log, begin) = (Log::at(new_position()), Instant::now());
    for second in 0..5 {
        log.push(second, 10, begin + Duration::from_secs(second), keep);
    }
    assert_eq!(kept(&log), [(3, 2), (4, 3), (5, 4)]);
    assert_eq!(log.after(4).count(), 1);
    log.forget_old(begin + Duration::from_secs(13), keep);
    assert_eq!(kept(&log), [(5, 4)]);
    log.forget_old(begin + Duration::from_secs(14), keep);
    assert_eq!((kept(&log), log.begin(), log.end.offset), (Vec::new(), 5, 5));
    assert_eq!(log.bytes(), 0);
}

#[test]
fn a_log_keeps_so_many_bytes_and_the_newest_message_in_any_case() {
    let keep = Keep { bytes: 3 * (100 + OVERHEAD), ..KEEP };
    let (mut log, now) = (Log::at(new_position()), Instant::now());
    (0..5).for_each(|number| log.push(number, 100, now, keep));
    assert_eq!(kept(&log), [(3, 2), (4, 3), (5, 4)]);
    log.push(5, 1000, now, keep);
    assert_eq!(kept(&log), [(6, 5)]);
    log.push(6, 10, now, keep);
    assert_eq!((kept(&log), log.bytes()), (vec![(7, 6)], 10 + OVERHEAD));
}

#[test]
fn all_logs_together_keep_so_many_bytes_and_forget_what_was_not_used_for_longest() {
    let mut logs = Logs::within(Bounds { logs: 100, bytes: 100_000, ids: 9 });
    let message = Bytes::from(vec![b'a'; 1000]);
    for name in ["one", "two", "three", "four", "one"] {
        (0..20).for_each(|_| drop(logs.append(name, message.clone(), KEEP)));
        assert!(logs.bytes() <= 100_000);
    }
    let kept = ["one", "two", "three", "four"].map(|name| {
        let slice = logs.read(name, KEEP);
        (slice.end.offset, slice.entries.len())
    });
    // Their ends are known, so that followers that return learn what they have missed.
    assert_eq!(kept, [(40, 40), (20, 0), (20, 20), (20, 20)]);
    (0..200).for_each(|_| drop(logs.append("four", message.clone(), KEEP)));
    assert!(logs.bytes() <= 100_000, "{}", logs.bytes());
    assert_eq!(logs.read("four", KEEP).end.offset, 220);
}

#[test]
fn there_are_no_more_logs_than_there_may_be_and_empty_ones_go_first() {
    let mut logs = Logs::within(Bounds { logs: 100, bytes: 100_000, ids: 9 });
    let epoch = logs.append("kept", Bytes::from_static(b"message"), KEEP).epoch;
    for number in 0..10_000 {
        logs.read(&format!("asked for {number}"), KEEP);
        assert!(logs.by_name.len() <= 100);
    }
    assert_eq!(logs.read("kept", KEEP).end.epoch, epoch);
    for number in 0..1000 {
        logs.append(&format!("said to {number}"), Bytes::from_static(b"message"), KEEP);
    }
    assert!(logs.by_name.len() <= 100);
    assert_eq!(logs.read("said to 999", KEEP).entries.len(), 1);
    assert_ne!(logs.read("kept", KEEP).end.epoch, epoch, "it was the oldest");
}

#[test]
fn a_stamp_is_read_as_it_was_written_and_nothing_else_is() {
    let mut at = new_position();
    at.offset = u64::MAX;
    let message = Bytes::from_static(b"\n e \xff");
    assert_eq!(read_stamped(&stamped(&at, &message)), Some((at, message)));
    for bad in ["", "\n", "epoch\n", "epoch -1\n", "epoch 1", "epoch 1 2\n"] {
        assert_eq!(read_stamped(&Bytes::from_static(bad.as_bytes())), None, "{bad:?}");
    }
}
