//! What the processes of a test have in common.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::config::{Config, SessionValue};
use crate::node::{Handlers, Hooks, Node};
use crate::store::place::Settings;
use crate::store::{FileStore, Store};

/// The place of the sessions of a test between its processes. It is removed when this is dropped.
pub(super) trait Ground {
    /// A name that a value may have.
    const NAME: &str;

    fn new() -> Self;

    fn store(&self) -> Store;

    /// The complete values.
    fn names(&self) -> Vec<String>;

    fn read(&self, name: &str) -> Vec<u8>;

    /// Writes a complete value.
    fn write(&self, name: &str, bytes: &[u8]);

    fn remove(&self, name: &str);

    /// A process that serves.
    fn node(&self) -> Arc<Node> {
        self.node_with(|_| ())
    }

    fn node_with(&self, with: impl FnOnce(&mut Settings)) -> Arc<Node> {
        let node = self.started(self.config(with));
        node.commit();
        node
    }

    fn config(&self, with: impl FnOnce(&mut Settings)) -> Config {
        let mut store = self.store();
        with(&mut store.settings);
        let session_values = vec![SessionValue::new::<u32>("number")];
        Config { store: Some(store), session_values, ..Config::default() }
    }

    /// A process that has read the store, and does not serve yet.
    fn started(&self, config: Config) -> Arc<Node> {
        let node = Node::new(config, Handlers::default(), Hooks::default());
        crate::keeper::begin(&node);
        node
    }
}

/// A folder for sessions that is removed at the end.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    /// A process that serves, and makes checkpoints when the test calls for them.
    pub(super) fn node_with_checkpoints(&self) -> Arc<Node> {
        self.node_with(|to| to.checkpoint_every = Some(Duration::from_secs(24 * 3600)))
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.names().into_iter().map(|name| self.0.join(name)).collect()
    }
}

impl Ground for Folder {
    const NAME: &str = "1.sessions";

    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bowline-sessions-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn store(&self) -> Store {
        FileStore::new(&self.0).into()
    }

    fn names(&self) -> Vec<String> {
        let paths = self.0.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let whole = paths.filter(|path| path.extension().is_some_and(|name| name == "sessions"));
        whole.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(&self.0).unwrap();
        fs::write(self.0.join(name), bytes).unwrap();
    }

    fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.0.join(name));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
