//! What the file contains after a restart or a power cut, and how disks may fail.

#![expect(clippy::disallowed_methods, reason = "a test may wait")]

mod broken;
mod crash;
mod faulty;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bowline_protocol::Position;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::{HistoryFile, QUEUE, disk};
use crate::broker::{
    Appended, Bounds, Broker, Deliver, DurableLogs as _, Entry, Keep, LocalBroker, Once,
    Publication, Slice, Trimmed, Unavailable, acceptance, stamped,
};

const KEEP: Keep = Keep { messages: 1000, bytes: 1_000_000, age: Duration::from_secs(600) };

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bowline-histories-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("histories")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn opened(path: &Path) -> HistoryFile {
    HistoryFile::open(path).unwrap_or_else(|error| panic!("{error}"))
}

impl HistoryFile {
    /// One on a storage of the test.
    fn on(storage: faulty::Faulty) -> Self {
        let first = disk::database(storage.clone(), true).unwrap();
        let again = Box::new(move || disk::database(storage.clone(), false));
        let disk = disk::Disk::new(first, again, Duration::ZERO);
        let found = disk.read().unwrap();
        Self::start(Path::new("histories"), disk, found).unwrap()
    }
}

async fn append(
    file: &HistoryFile,
    log: &str,
    message: impl Into<Bytes>,
    keep: Keep,
) -> Result<Position, Unavailable> {
    let (done, outcome) = oneshot::channel();
    let told = Box::new(move |appended| drop(done.send(appended)));
    file.append(log, message.into(), keep, None, told);
    outcome.await.unwrap().map(|appended: Appended| appended.at)
}

fn messages(slice: &Slice) -> Vec<(u64, Bytes)> {
    slice.entries.iter().map(|entry| (entry.offset, entry.message.clone())).collect()
}

/// Logs in a file, and everything else in memory.
struct WithFile(LocalBroker, std::sync::Arc<HistoryFile>);

impl std::fmt::Debug for WithFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WithFile")
    }
}

impl Broker for WithFile {
    fn run(&self, deliver: Deliver) -> BoxFuture<'static, ()> {
        self.0.run(deliver)
    }

    fn publish(&self, messages: Vec<Publication>) {
        self.0.publish(messages);
    }

    fn subscribe(&self, channel: &str, effective: Option<oneshot::Sender<()>>) {
        self.0.subscribe(channel, effective);
    }

    fn unsubscribe(&self, channel: &str) {
        self.0.unsubscribe(channel);
    }

    fn directory(
        &self,
        key: &str,
        change: Entry,
    ) -> BoxFuture<'static, Result<Option<Bytes>, Unavailable>> {
        self.0.directory(key, change)
    }

    fn append(
        &self,
        log: &str,
        message: Bytes,
        keep: Keep,
        once: Option<Once>,
    ) -> BoxFuture<'static, Result<Appended, Unavailable>> {
        let (done, outcome) = oneshot::channel();
        let (said, channel, local) = (message.clone(), log.into(), self.0.neighbour());
        let told = move |appended: Result<Appended, Unavailable>| {
            if let Ok(Appended { at, is_repeated: false }) = &appended {
                let message = stamped(at, &said);
                local.publish(vec![Publication { channel, message, heard: None }]);
            }
            drop(done.send(appended));
        };
        self.1.append(log, message, keep, once, Box::new(told));
        outcome.map(|outcome| outcome.unwrap_or(Err(Unavailable))).boxed()
    }

    fn read(&self, log: &str, keep: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>> {
        self.1.read(log, keep)
    }

    fn trim(
        &self,
        log: &str,
        to: Option<Position>,
        keep: Keep,
    ) -> BoxFuture<'static, Result<u64, Unavailable>> {
        let (channel, local) = (log.into(), self.0.neighbour());
        let trimmed = self.1.trim(log, to, keep);
        let finish = async move {
            let Some(Trimmed { to, count }) = trimmed.await? else { return Ok(0) };
            let message = stamped(&to, b"");
            local.publish(vec![Publication { channel, message, heard: None }]);
            Ok(count)
        };
        finish.boxed()
    }
}

#[tokio::test]
async fn a_file_keeps_what_every_broker_promises_of_logs() {
    let folder = Folder::new();
    let file = std::sync::Arc::new(opened(&folder.file()));
    let local = LocalBroker::new();
    let neighbour = WithFile(local.neighbour(), std::sync::Arc::clone(&file));
    acceptance::run(WithFile(local, file), neighbour).await;
}

#[tokio::test]
async fn positions_and_messages_go_on_after_a_restart() {
    let folder = Folder::new();
    let mut last = None;
    for start in 0..5u64 {
        let file = opened(&folder.file());
        let kept = file.read("room", KEEP).await.unwrap();
        assert_eq!(kept.end.offset, start * 10);
        assert!(last.is_none_or(|last| last == kept.end));
        let expected = (0..start * 10).map(|number| (number + 1, number.to_string().into()));
        assert_eq!(messages(&kept), expected.collect::<Vec<(u64, Bytes)>>());
        for number in start * 10..start * 10 + 10 {
            let at = append(&file, "room", number.to_string(), KEEP).await.unwrap();
            assert_eq!((at.offset, &at.epoch), (number + 1, &kept.end.epoch));
        }
        // A log without messages has its epoch too.
        let silent = file.read("silent", KEEP).await.unwrap().end;
        last = Some(Position { offset: (start + 1) * 10, ..kept.end });
        drop(file);
        assert_eq!(opened(&folder.file()).read("silent", KEEP).await.unwrap().end, silent);
    }
}

#[tokio::test]
async fn messages_appended_together_are_written_together_and_reported_in_order() {
    let folder = Folder::new();
    let file = opened(&folder.file());
    let (told, order) = mpsc::channel();
    for number in 0..500u64 {
        let (told, log) = (told.clone(), format!("room {}", number % 3));
        let done =
            move |appended: Result<Appended, Unavailable>| drop(told.send((number, appended)));
        file.append(&log, number.to_string().into(), KEEP, None, Box::new(done));
    }
    for number in 0..500u64 {
        let (said, appended) = order.recv().unwrap();
        assert_eq!((said, appended.unwrap().at.offset), (number, number / 3 + 1));
    }
}

#[tokio::test]
async fn memory_and_disk_stay_within_the_same_bounds() {
    let folder = Folder::new();
    let bounds = Bounds { logs: 20, bytes: 100_000, ids: 9 };
    let file = opened(&folder.file());
    file.bound(bounds);
    let few = Keep { messages: 3, ..KEEP };
    for number in 0..10 {
        append(&file, "few", number.to_string(), few).await.unwrap();
    }
    for number in 0..400u64 {
        let log = format!("room {}", number / 8);
        append(&file, &log, vec![b'a'; 2000], KEEP).await.unwrap();
        assert!(file.bytes() <= bounds.bytes);
    }
    let kept = file.read("room 49", KEEP).await.unwrap();
    drop(file);
    let found = disk::open(&folder.file()).unwrap().1.logs;
    let bytes = |found: &disk::Found| found.messages.iter().map(|(.., m)| m.len()).sum::<usize>();
    let all: usize = found.iter().map(bytes).sum();
    // The next group removes what memory has dropped for the last one.
    assert!(found.len() <= bounds.logs + 1, "{}", found.len());
    assert!(all <= bounds.bytes + 2000, "{all}");
    let before = found.iter().find(|found| found.log == "room 49").unwrap();
    assert_eq!(before.messages.len(), kept.entries.len());
}

#[tokio::test]
async fn what_is_too_old_or_too_much_is_not_there_after_a_restart() {
    let folder = Folder::new();
    let file = opened(&folder.file());
    let short = Keep { age: Duration::from_millis(1), ..KEEP };
    let few = Keep { messages: 3, ..KEEP };
    for number in 0..10u64 {
        append(&file, "short", number.to_string(), short).await.unwrap();
        append(&file, "few", number.to_string(), few).await.unwrap();
    }
    drop(file);
    let file = opened(&folder.file());
    let kept = file.read("few", few).await.unwrap();
    assert_eq!(messages(&kept), [(8, "7".into()), (9, "8".into()), (10, "9".into())]);
    let kept = loop {
        let kept = file.read("short", short).await.unwrap();
        if kept.entries.is_empty() {
            break kept;
        }
    };
    assert_eq!(kept.end.offset, 10, "where it has ended is known");
}

#[tokio::test]
async fn a_log_that_was_forgotten_begins_anew_and_nothing_of_before_comes_back() {
    let folder = Folder::new();
    let file = opened(&folder.file());
    file.bound(Bounds { logs: 2, bytes: usize::MAX, ids: 9 });
    let first = append(&file, "room", "before", KEEP).await.unwrap();
    for other in ["one", "two", "three"] {
        append(&file, other, "said", KEEP).await.unwrap();
    }
    let anew = append(&file, "room", "after", KEEP).await.unwrap();
    assert_ne!(anew.epoch, first.epoch);
    drop(file);
    let kept = opened(&folder.file()).read("room", KEEP).await.unwrap();
    assert_eq!((kept.end.clone(), messages(&kept)), (anew, vec![(1, "after".into())]));
}

#[tokio::test]
async fn a_disk_that_is_too_slow_is_not_waited_for_without_bound() {
    let folder = Folder::new();
    let file = opened(&folder.file());
    let (go_on, wait) = mpsc::channel::<()>();
    let (stuck, is_stuck) = mpsc::channel();
    let told = move |_| {
        stuck.send(()).unwrap();
        let _ = wait.recv();
    };
    file.append("room", "first".into(), KEEP, None, Box::new(told));
    is_stuck.recv().unwrap();
    let (told, outcomes) = mpsc::channel();
    let message = Bytes::from(vec![b'a'; QUEUE / 8]);
    for _ in 0..10 {
        let told = told.clone();
        file.append(
            "room",
            message.clone(),
            KEEP,
            None,
            Box::new(move |at| told.send(at).unwrap()),
        );
    }
    assert_eq!([(); 3].map(|()| outcomes.recv().unwrap()), [const { Err(Unavailable) }; 3]);
    assert_eq!(file.read("room", KEEP).await.unwrap().entries.len(), 1, "reading goes on");
    go_on.send(()).unwrap();
    assert_eq!(
        [(); 7].map(|()| outcomes.recv().unwrap().unwrap().at.offset),
        [2, 3, 4, 5, 6, 7, 8]
    );
}

#[tokio::test]
async fn an_open_waits_for_the_process_that_has_the_file() {
    let folder = Folder::new();
    let older = opened(&folder.file());
    let path = folder.file();
    let newer = std::thread::spawn(move || opened(&path));
    append(&older, "room", "said", KEEP).await.unwrap();
    drop(older);
    let kept = newer.join().unwrap().read("room", KEEP).await.unwrap();
    assert_eq!(messages(&kept), [(1, "said".into())]);
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new();
    let _file = opened(&folder.file());
    assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
}
