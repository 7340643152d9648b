//! The tables on the disk.

#![expect(
    clippy::disallowed_methods,
    reason = "an open waits until another process gives the file away"
)]

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bowline_protocol::Position;
use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{
    Builder, Database, Error, ReadableDatabase as _, ReadableTable as _,
    ReadableTableMetadata as _, StorageBackend, Table, TableDefinition,
};

use uuid::Uuid;

use super::writer::Forgotten;
use crate::broker::{Keep, Once};

/// By the name of a log: its epoch, its last offset, when it was used, and how many messages, bytes
/// and milliseconds it keeps. Times are milliseconds of the system's clock.
type Logs = TableDefinition<'static, &'static str, (&'static str, u64, u64, u64, u64, u64)>;
/// By the name of a log and the offset: when it was said, and the message.
type Messages = TableDefinition<'static, (&'static str, u64), (u64, &'static [u8])>;

/// By the millisecond until which an id is known, the name of its log, and the id: the epoch and
/// the offset of the message that was appended with it.
type Ids = TableDefinition<'static, (u64, &'static str, u128), (&'static str, u64)>;

const LOGS: Logs = TableDefinition::new("bowline logs 1");
const MESSAGES: Messages = TableDefinition::new("bowline messages 1");
const IDS: Ids = TableDefinition::new("bowline ids 1");

/// What one transaction writes.
pub(super) struct Group<'a> {
    /// Milliseconds.
    pub(super) now: u64,
    /// The end of each log.
    pub(super) rows: HashMap<&'a str, (&'a Position, Keep)>,
    /// Logs, offsets, messages.
    pub(super) messages: Vec<(&'a str, u64, &'a Bytes)>,
    /// Logs, ids, positions.
    pub(super) ids: Vec<(&'a str, Once, &'a Position)>,
    /// How many ids there may be afterwards.
    pub(super) id_limit: usize,
}

impl Group<'_> {
    pub(super) fn new(now: u64, id_limit: usize) -> Self {
        let (rows, messages, ids) = (HashMap::new(), Vec::new(), Vec::new());
        Self { now, rows, messages, ids, id_limit }
    }
}

/// What was on the disk.
#[derive(Default)]
pub(super) struct Content {
    pub(super) logs: Vec<Found>,
    /// The oldest first.
    pub(super) ids: Vec<FoundId>,
}

/// An id that was on the disk.
pub(super) struct FoundId {
    pub(super) log: String,
    pub(super) id: Uuid,
    /// Milliseconds.
    pub(super) until: u64,
    pub(super) at: Position,
}

/// The state of a log beside its messages.
pub(super) struct Row {
    pub(super) end: Position,
    /// Milliseconds.
    pub(super) used: u64,
    pub(super) keep: Keep,
}

/// A log that was on the disk.
pub(super) struct Found {
    pub(super) log: String,
    pub(super) row: Row,
    /// The offset before the oldest message on the disk.
    pub(super) begin: u64,
    /// Offsets, milliseconds, messages: the last that there are, without holes.
    pub(super) messages: Vec<(u64, u64, Bytes)>,
}

/// The database, which is opened again after it has failed.
pub(super) struct Disk {
    database: Option<Database>,
    open: Open,
    failed: Option<Instant>,
    patience: Duration,
}

/// Opens the storage once more.
pub(super) type Open = Box<dyn Fn() -> Result<Database, Error> + Send>;

/// Opens a file and reads it. Renames one that is damaged.
pub(super) fn open(path: &Path) -> Result<(Disk, Content), Error> {
    match open_as_it_is(path) {
        Err(error) if is_damage(&error) => {
            let aside = aside(path);
            log::error!(
                "the histories in {} are damaged ({error}): the file is now {}, and they begin \
                    anew",
                path.display(),
                aside.display()
            );
            std::fs::rename(path, aside)?;
            open_as_it_is(path)
        }
        outcome => outcome,
    }
}

fn open_as_it_is(path: &Path) -> Result<(Disk, Content), Error> {
    let owned = path.to_owned();
    let first = wait_for(|| database(file(path)?, true))?;
    let again = Box::new(move || database(file(&owned)?, false));
    let disk = Disk::new(first, again, RETRY);
    let found = disk.read()?;
    Ok((disk, found))
}

/// Waits for another process that has the file, and is about to end.
fn wait_for(open: impl Fn() -> Result<Database, Error>) -> Result<Database, Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(Error::DatabaseAlreadyOpen) if Instant::now() < until => sleep(LOOK),
            outcome => return outcome,
        }
    }
}

fn file(path: &Path) -> io::Result<FileBackend> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file: File = options.open(path)?;
    FileBackend::new(file).map_err(io::Error::other)
}

/// Opens a storage. With `whole` checks all of it, which is necessary if another program may have
/// written it.
pub(super) fn database(storage: impl StorageBackend, whole: bool) -> Result<Database, Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(whole);
    Ok(builder.create_with_backend(storage)?)
}

/// The file can be read, but its content is not what was written.
fn is_damage(error: &Error) -> bool {
    match error {
        Error::Corrupted(_) => true,
        Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".broken");
    name.into()
}

impl Disk {
    pub(super) const fn new(database: Database, open: Open, patience: Duration) -> Self {
        Self { database: Some(database), open, failed: None, patience }
    }

    /// Everything that the file contains.
    pub(super) fn read(&self) -> Result<Content, Error> {
        let database = self.database.as_ref().ok_or(Error::DatabaseClosed)?;
        let transaction = database.begin_write()?;
        // Creates the tables if they do not exist.
        drop((transaction.open_table(LOGS)?, transaction.open_table(MESSAGES)?));
        drop(transaction.open_table(IDS)?);
        transaction.commit()?;
        let transaction = database.begin_read()?;
        let (logs, messages) = (transaction.open_table(LOGS)?, transaction.open_table(MESSAGES)?);
        let mut all = Content::default();
        for entry in transaction.open_table(IDS)?.iter()? {
            let (key, value) = entry?;
            let ((until, log, id), (epoch, offset)) = (key.value(), value.value());
            let at = Position { epoch: epoch.to_owned(), offset };
            all.ids.push(FoundId { log: log.to_owned(), id: Uuid::from_u128(id), until, at });
        }
        for entry in logs.iter()? {
            let (log, row) = entry?;
            let (epoch, offset, used, count, bytes, millis) = row.value();
            let end = Position { epoch: epoch.to_owned(), offset };
            let (count, bytes) = (size(count), size(bytes));
            let keep = Keep { messages: count, bytes, age: Duration::from_millis(millis) };
            let mut found = Found {
                log: log.value().to_owned(),
                row: Row { end, used, keep },
                begin: offset,
                messages: Vec::new(),
            };
            for message in messages.range((log.value(), 0)..=(log.value(), offset))? {
                let (key, value) = message?;
                let (at, bytes) = value.value();
                found.take(key.value().1, at, Bytes::copy_from_slice(bytes));
            }
            found.finish();
            all.logs.push(found);
        }
        Ok(all)
    }

    /// Writes a group, after removing the messages that were dropped. Afterwards all of it is on
    /// the disk, or, after an error, possibly.
    pub(super) fn write(
        &mut self,
        group: &Group<'_>,
        forgotten: &[(String, Forgotten)],
    ) -> Result<(), Error> {
        let outcome = self.opened().and_then(|database| write(database, group, forgotten));
        if outcome.is_err() {
            // A database that has failed refuses everything until it is opened again.
            self.database = None;
            self.failed = self.failed.or_else(|| Some(Instant::now()));
        }
        outcome
    }

    fn opened(&mut self) -> Result<&Database, Error> {
        if self.database.is_none() {
            if self.failed.is_some_and(|at| at.elapsed() < self.patience) {
                return Err(Error::PreviousIo);
            }
            self.failed = Some(Instant::now());
            self.database = Some((self.open)()?);
            self.failed = None;
        }
        self.database.as_ref().ok_or(Error::DatabaseClosed)
    }
}

fn write(
    database: &Database,
    group: &Group<'_>,
    forgotten: &[(String, Forgotten)],
) -> Result<(), Error> {
    let transaction = database.begin_write()?;
    {
        let mut logs = transaction.open_table(LOGS)?;
        let mut messages = transaction.open_table(MESSAGES)?;
        for (log, forgotten) in forgotten {
            let last = match forgotten {
                Forgotten::UpTo(offset) => *offset,
                Forgotten::All => u64::MAX,
            };
            messages.retain_in((log.as_str(), 0)..=(log.as_str(), last), |_, _| false)?;
            if matches!(forgotten, Forgotten::All) {
                logs.remove(log.as_str())?;
            }
        }
        for (log, (end, keep)) in &group.rows {
            let age = u64::try_from(keep.age.as_millis()).unwrap_or(u64::MAX);
            let (count, bytes) = (keep.messages as u64, keep.bytes as u64);
            logs.insert(*log, (&*end.epoch, end.offset, group.now, count, bytes, age))?;
        }
        for (log, offset, message) in &group.messages {
            messages.insert((*log, *offset), (group.now, &***message))?;
        }
        if !group.ids.is_empty() {
            write_ids(&mut transaction.open_table(IDS)?, group)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Adds the ids of a group, and removes those that are no longer known.
fn write_ids(
    table: &mut Table<'_, (u64, &'static str, u128), (&'static str, u64)>,
    group: &Group<'_>,
) -> Result<(), Error> {
    table.retain_in(..(group.now, "", 0), |_, _| false)?;
    for (log, Once { id, age }, at) in &group.ids {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let key = (group.now.saturating_add(age), *log, id.as_u128());
        table.insert(key, (&*at.epoch, at.offset))?;
    }
    while table.len()? > group.id_limit as u64 {
        table.pop_first()?;
    }
    Ok(())
}

impl Found {
    /// Adds the next message; a hole makes earlier ones worthless.
    fn take(&mut self, offset: u64, at: u64, message: Bytes) {
        if self.messages.is_empty() {
            self.begin = self.begin.min(offset.saturating_sub(1));
        }
        if self.messages.last().is_some_and(|(last, ..)| last.saturating_add(1) != offset) {
            self.messages.clear();
        }
        self.messages.push((offset, at, message));
    }

    fn finish(&mut self) {
        if self.messages.last().is_some_and(|(last, ..)| *last != self.row.end.offset) {
            self.messages.clear();
        }
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The bytes of the file that are kept in memory beside the logs, while a group is written.
const CACHE: usize = 8 * 1024 * 1024;
/// How long another process may have the file.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the file is tried again.
const LOOK: Duration = Duration::from_millis(50);
/// How long nothing is tried after an error.
const RETRY: Duration = Duration::from_secs(1);
