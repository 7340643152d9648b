//! A program that a run starts: a child that is given lines and says lines, and what it needs for
//! that itself.

use std::io::{BufRead as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// It ends with this value.
#[derive(Debug)]
pub struct Program {
    shown: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Program {
    /// Starts it. What it prints is for [`Self::hear`].
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut command: Command) -> Result<Self, String> {
        let shown = format!("{:?}", command.as_std());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| format!("{shown} does not start: {error}"))?;
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Ok(Self { shown, input, output, child })
    }

    /// Gives it a line.
    pub async fn order(&mut self, line: &str) -> Result<(), String> {
        let written = self.input.write_all(format!("{line}\n").as_bytes()).await;
        written.map_err(|error| format!("{} takes no orders: {error}", self.shown))
    }

    /// Waits for what it is expected to say.
    pub async fn hear<S: DeserializeOwned, T>(
        &mut self,
        patience: Duration,
        mut expected: impl FnMut(S) -> Option<T>,
    ) -> Result<T, String> {
        let hearing = async {
            while let Ok(Some(line)) = self.output.next_line().await {
                let said = serde_json::from_str(&line);
                if let Some(found) = said.ok().and_then(&mut expected) {
                    return Some(found);
                }
            }
            None
        };
        match timeout(patience, hearing).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(format!("{} has ended: what it printed above says why", self.shown)),
            Err(_) => Err(format!("{} has not done its work for {patience:?}", self.shown)),
        }
    }

    /// The id of its process, as text; empty once it has ended.
    pub fn id(&self) -> String {
        self.child.id().map_or_else(String::new, |id| id.to_string())
    }

    /// Asks it to end, as service managers do, or kills it, and says how long it took to end.
    pub async fn end(&mut self, kill: bool, patience: Duration) -> Result<Duration, String> {
        let (begun, signal) = (Instant::now(), if kill { "-KILL" } else { "-TERM" });
        let told = Command::new("kill").args([signal, &self.id()]).status().await;
        told.map_err(|error| format!("kill: {error}"))?;
        let ended = timeout(patience, self.child.wait()).await;
        ended
            .map_err(|_| format!("{} does not end within {patience:?}", self.shown))?
            .map_err(|error| error.to_string())?;
        Ok(begun.elapsed())
    }
}

/// In the program: the lines of the runner.
pub fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            // Whoever listens may have stopped.
            let _ = sender.send(line);
        }
    });
    orders
}

/// In the program: tells the runner something.
pub fn say(said: &impl Serialize) {
    let line = serde_json::to_string(said).expect("it is plain");
    // A runner that is gone needs no answer.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Milliseconds, the same for all programs of a machine.
pub fn wall_clock() -> f64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_secs_f64() * 1000.0
}
