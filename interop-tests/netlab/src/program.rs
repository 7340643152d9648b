//! The programs of a row: children that are told little and say what they see.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use crate::books::Books;

/// The books of a row, and when they change.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    books: Arc<Mutex<Books>>,
    changed: watch::Sender<()>,
}

/// A child that ends with this value.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { books: Arc::default(), changed: watch::channel(()).0 }
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is something to find.
    pub(crate) async fn find<T>(&self, mut find: impl FnMut(&Books) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(found) = self.look(&mut find) {
                return found;
            }
            // The sender is a field of self.
            let _ = changes.changed().await;
        }
    }

    /// Takes what a program says. What is not a record is for people.
    fn take(&self, line: &str) {
        match serde_json::from_str(line) {
            Ok(record) => {
                self.books.lock().unwrap_or_else(PoisonError::into_inner).write(record);
                self.changed.send_replace(());
            }
            Err(_) => log::info!("{line}"),
        }
    }
}

impl Program {
    /// Starts it. What it says goes to the ledger.
    pub(crate) fn start(mut command: Command, ledger: &Ledger) -> Result<Self, String> {
        let shown = format!("{:?}", command.as_std());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        if !log::log_enabled!(log::Level::Info) {
            command.stderr(Stdio::null());
        }
        let mut child =
            command.spawn().map_err(|error| format!("{shown} does not start: {error}"))?;
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (input, ledger) = (child.stdin.take(), ledger.clone());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                ledger.take(&line);
            }
        });
        Ok(Self { child, input })
    }

    /// Tells it to send nothing new.
    pub(crate) async fn stop(&mut self) {
        if let Some(input) = &mut self.input {
            // It may have died, which the books show.
            let _ = input.write_all(b"stop\n").await;
        }
    }

    /// Tells it to end, and waits for that a little.
    pub(crate) async fn end(mut self) {
        drop(self.input.take());
        if tokio::time::timeout(GOODBYE, self.child.wait()).await.is_err() {
            // Gone already is as good.
            let _ = self.child.kill().await;
        }
    }

    /// Its process, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it without a word.
    pub(crate) async fn kill(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill().await;
    }
}

const GOODBYE: std::time::Duration = std::time::Duration::from_secs(3);
