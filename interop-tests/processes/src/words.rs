//! Where programs are, and how they are called.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use tokio::process::Command;

/// What the programs for Node need.
#[derive(Debug, Clone, Args)]
pub struct NodeTools {
    /// The folder with the programs for Node.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub scripts: PathBuf,
    /// A folder whose `node_modules` has the peers and the driver of the browser.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub modules: PathBuf,
    /// The npm package of Bowline, put together.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub package: PathBuf,
}

/// Where the programs are.
#[derive(Debug, Clone, Args)]
pub struct Programs {
    /// This program, which is Bowline's server and its native clients as well.
    #[arg(skip = std::env::current_exe().expect("the system names the program that runs"))]
    pub native: PathBuf,
    /// What the programs for Node need.
    #[command(flatten)]
    pub node: NodeTools,
}

/// Reads a number of a command line, and refuses one that is lower.
#[must_use]
pub fn at_least(lowest: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(lowest..)
}

/// A program and its words.
#[derive(Debug)]
pub enum Words {
    /// [`Programs::native`] with this word.
    Native(&'static str),
    /// A script for Node with these words.
    Node(&'static str, &'static [&'static str]),
}

impl Words {
    /// The command that starts it.
    #[must_use]
    pub fn command(&self, programs: &Programs) -> Command {
        match self {
            Self::Native(word) => {
                let mut command = Command::new(&programs.native);
                command.arg(word);
                command
            }
            Self::Node(script, words) => {
                let NodeTools { scripts, modules, package } = &programs.node;
                let mut command = Command::new("node");
                // Node 20 has a WebSocket only if it is asked for one; newer versions take the word
                // as well.
                command.args(["--no-warnings", "--experimental-websocket"]);
                command.arg(scripts.join(script)).args(*words);
                command.env("BOWLINE_MODULES", modules).env("BOWLINE_PACKAGE", package);
                command
            }
        }
    }
}
