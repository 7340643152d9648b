//! A program of a peer: a child that is given lines and says lines.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::said::Said;

/// It ends with this value.
#[derive(Debug)]
pub(super) struct Program {
    shown: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Program {
    pub(super) fn start(mut command: Command) -> Result<Self, String> {
        let shown = format!("{:?}", command.as_std());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| format!("{shown} does not start: {error}"))?;
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Ok(Self { shown, input, output, _child: child })
    }

    /// Gives it a line.
    pub(super) async fn order(&mut self, line: &str) -> Result<(), String> {
        let written = self.input.write_all(format!("{line}\n").as_bytes()).await;
        written.map_err(|error| format!("{} takes no orders: {error}", self.shown))
    }

    /// Waits for what it is expected to say.
    pub(super) async fn hear<T>(
        &mut self,
        patience: Duration,
        mut expected: impl FnMut(Said) -> Option<T>,
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
}
