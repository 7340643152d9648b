//! A folder that contains the sessions between two processes.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_protocol::NodeId;

use super::names::Names;
use super::place::{self, Look, Place, Removed, Settings, Store};
use crate::locks::lock;

/// Stores the sessions of a process that ends in a folder, for the next one: see
/// [`BowlineBuilder::store`](crate::BowlineBuilder::store).
///
/// The server creates the folder with mode 0700 and its files with 0600. A file contains the
/// secrets by which clients own their sessions, the packets that they have not confirmed, and the
/// values that the application keeps with them, readable for everyone who may read the file. It
/// exists from the end of one process to the start of the next, which removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a store is given to BowlineBuilder::store"]
pub struct FileStore {
    folder: PathBuf,
    settings: Settings,
}

impl FileStore {
    /// In this folder, which the server creates if it does not exist. It has to be on a disk that
    /// outlives the process, and belongs to one application on one machine.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), settings: Settings::new() }
    }

    /// The name of the application, of at most 1,024 bytes: the server leaves alone what others
    /// have stored in the same folder. Defaults to the path at which Bowline is mounted.
    pub fn application(mut self, name: &str) -> Self {
        self.settings.set_application(name);
        self
    }

    /// Bytes that one session may use in the store. Defaults to 16 MiB. A larger session is lost:
    /// the server notifies its client, and logs how many there were.
    pub const fn session_limit(mut self, bytes: u64) -> Self {
        self.settings.session_limit = bytes;
        self
    }

    /// Bytes that all sessions may use in the store. Defaults to 4 GiB. Sessions beyond it are
    /// lost: the server notifies their clients, and logs how many there were.
    pub const fn limit(mut self, bytes: u64) -> Self {
        self.settings.limit = bytes;
        self
    }

    /// Stores the sessions at this interval while they are served, so that a process that is killed
    /// does not lose all of them. Defaults to never; less than a second is a second. Each
    /// checkpoint writes everything that a session is, on a thread of its own.
    ///
    /// After a crash, a session continues if its client has sent and received nothing since the
    /// last checkpoint. The client receives a gap of its session, since the process may have
    /// emitted something that did not arrive. The server notifies every other client that its
    /// session is lost, as without checkpoints. A session that has ended since may return: an
    /// application that logs users out also checks attachments
    /// ([`BowlineBuilder::on_attach`](crate::BowlineBuilder::on_attach)). Nodes with a broker make
    /// no checkpoints.
    pub fn checkpoint_every(mut self, time: Duration) -> Self {
        self.settings.checkpoint_every = Some(time.max(Duration::from_secs(1)));
        self
    }
}

impl From<FileStore> for Store {
    fn from(store: FileStore) -> Self {
        let FileStore { folder, settings } = store;
        Self {
            settings,
            place: Arc::new(Folder {
                path: folder,
                names: Names::default(),
                sign: Mutex::default(),
            }),
        }
    }
}

/// The folder of a store.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    names: Names,
    sign: Mutex<Option<Sign>>,
}

impl Place for Folder {
    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn prepare(&self) -> io::Result<usize> {
        self.make()?;
        self.sweep()
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let files = self.with_extension(WHOLE)?.into_iter();
        let name = |path: PathBuf| path.file_name()?.to_str().map(str::to_owned);
        let mut names: Vec<String> = files.filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    fn create(&self, node: NodeId) -> io::Result<Box<dyn place::Unfinished>> {
        self.make()?;
        let name = self.names.next(node);
        let path = self.file_of(&name, UNFINISHED);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        private::file(&mut options);
        let file = options.open(&path)?;
        // Locked while it is written. On a file system without locks other processes may treat it
        // as abandoned.
        let _ = file.try_lock();
        let whole = self.file_of(&name, WHOLE);
        Ok(Box::new(Unfinished { path, whole, folder: self.path.clone(), is_whole: false, file }))
    }

    fn claim(&self, name: &str) -> io::Result<Option<Box<dyn place::Claimed>>> {
        let claimed = Claimed::new(&self.path.join(name))?;
        Ok(claimed.map(|claimed| Box::new(claimed) as _))
    }

    fn sign(&self, own: NodeId, nodes: &BTreeSet<NodeId>) -> io::Result<()> {
        let mut sign = lock(&self.sign);
        match &mut *sign {
            Some(sign) => sign.add(nodes),
            None => sign.insert(Sign::new(self.process(own))?).add(nodes),
        }
    }

    fn leave(&self) {
        drop(lock(&self.sign).take());
    }

    fn look(&self, own: NodeId) -> Look {
        // In this order: a process stores its values before it states that it holds no sessions.
        let Processes { mut living, others } = self.processes(own).unwrap_or_default();
        living.insert(own);
        let mut stored = self.names().unwrap_or_default();
        // These are checkpoints of running processes, which hold the sessions.
        stored.retain(|name| writer(name).is_none_or(|writer| !living.contains(&writer)));
        Look { others, stored, is_unsure: false }
    }
}

impl Folder {
    fn make(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        private::folder(&mut builder);
        builder.create(&self.path)
    }

    fn file_of(&self, name: &str, extension: &str) -> PathBuf {
        self.path.join(format!("{name}.{extension}"))
    }

    /// The file that states that the process of this node is alive.
    fn process(&self, node: NodeId) -> PathBuf {
        self.file_of(&node.to_string(), PROCESS)
    }

    /// Reads the signs of other processes, and removes those of dead ones.
    fn processes(&self, own: NodeId) -> io::Result<Processes> {
        let own = self.process(own);
        let mut processes = Processes::default();
        for path in self.with_extension(PROCESS)? {
            let Ok(mut file) = File::open(&path) else { continue };
            if path == own {
            } else if file.try_lock().is_ok() {
                let _ = fs::remove_file(&path);
            } else {
                let mut text = String::new();
                let _ = Read::take(&mut file, MAX_SIGN).read_to_string(&mut text);
                processes
                    .others
                    .extend(text.lines().filter_map(|line| line.parse::<NodeId>().ok()));
                let node: Option<NodeId> =
                    path.file_stem().and_then(|name| name.to_str()?.parse().ok());
                processes.living.extend(node);
            }
        }
        Ok(processes)
    }

    /// Removes the files of processes that ended while they wrote. Returns how many there were.
    fn sweep(&self) -> io::Result<usize> {
        let mut removed = 0;
        for path in self.with_extension(UNFINISHED)? {
            let is_left = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            removed += usize::from(is_left && fs::remove_file(&path).is_ok());
        }
        Ok(removed)
    }

    fn with_extension(&self, extension: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|known| known == extension) {
                found.push(path);
            }
        }
        Ok(found)
    }
}

/// The signs of other processes.
#[derive(Default)]
struct Processes {
    /// The living ones, by their own nodes.
    living: BTreeSet<NodeId>,
    /// The nodes that issued the ids of sessions that they hold.
    others: BTreeSet<NodeId>,
}

/// The node whose process has written the value of this name.
fn writer(name: &str) -> Option<NodeId> {
    let (stem, _) = name.rsplit_once('.')?;
    stem.split_once('-')?.1.parse().ok()
}

/// A file that is being written. It is removed if it is dropped before it is complete.
struct Unfinished {
    file: File,
    path: PathBuf,
    whole: PathBuf,
    folder: PathBuf,
    is_whole: bool,
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl place::Unfinished for Unfinished {
    /// The file is complete even after a loss of power.
    fn finish(
        mut self: Box<Self>,
        before: Option<&dyn place::Claimed>,
    ) -> io::Result<Box<dyn place::Claimed>> {
        self.file.sync_all()?;
        // The lock stays with the copy.
        let claimed = Claimed { file: self.file.try_clone()?, path: self.whole.clone() };
        // Never both exist: one of them is older.
        before.map(place::Claimed::remove).transpose()?;
        fs::rename(&self.path, &self.whole)?;
        self.is_whole = true;
        sync_folder(&self.folder)?;
        Ok(Box::new(claimed))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_whole {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A complete file that no other process reads until this is dropped.
#[derive(Debug)]
struct Claimed {
    file: File,
    path: PathBuf,
}

impl Claimed {
    /// `None` if another process has it, or had it.
    fn new(path: &Path) -> io::Result<Option<Self>> {
        // A file that cannot be written could not be emptied, if it cannot be removed.
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            // The file system has no locks.
            Err(fs::TryLockError::Error(_)) | Ok(()) => {}
        }
        // Names are never used twice: it is this file, or the process that claimed it has removed
        // it.
        let is_there = fs::symlink_metadata(path).is_ok();
        Ok(is_there.then(|| Self { file, path: path.to_owned() }))
    }
}

impl place::Claimed for Claimed {
    fn reader(&self) -> Box<dyn Read + '_> {
        Box::new(&self.file)
    }

    fn remove(&self) -> io::Result<Removed> {
        match fs::remove_file(&self.path) {
            // Without locks two processes may have read it: the one that removes it continues the
            // sessions.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removed::Theirs),
            removed => removed.or_else(|error| self.file.set_len(0).map_err(|_| error))?,
        }
        self.path.parent().map_or(Ok(()), sync_folder)?;
        Ok(Removed::Ours)
    }
}

/// The sign of a process: a file that states that it is alive. It is removed when this is dropped;
/// a process that is killed leaves it unlocked.
#[derive(Debug)]
struct Sign {
    path: PathBuf,
    file: File,
    written: BTreeSet<NodeId>,
}

impl Sign {
    fn new(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private::file(&mut options);
        let file = options.open(&path)?;
        file.try_lock()?;
        Ok(Self { path, file, written: BTreeSet::new() })
    }

    /// Adds that the process holds sessions with ids of these nodes.
    fn add(&mut self, nodes: &BTreeSet<NodeId>) -> io::Result<()> {
        for node in nodes {
            if self.written.insert(*node) {
                self.file.write_all(format!("{node}\n").as_bytes())?;
            }
        }
        Ok(())
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns when a change of a folder is on the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Only the owner may read these.
#[cfg(unix)]
mod private {
    use std::fs::{DirBuilder, OpenOptions};
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

    pub(super) fn folder(builder: &mut DirBuilder) {
        builder.mode(0o700);
    }

    pub(super) fn file(options: &mut OpenOptions) {
        options.mode(0o600);
    }
}

#[cfg(not(unix))]
mod private {
    use std::fs::{DirBuilder, OpenOptions};

    pub(super) const fn folder(_: &mut DirBuilder) {}

    pub(super) const fn file(_: &mut OpenOptions) {}
}

const WHOLE: &str = "sessions";
const UNFINISHED: &str = "unfinished";
const PROCESS: &str = "process";
/// The most bytes that are read of a sign.
const MAX_SIGN: u64 = 1024 * 1024;
