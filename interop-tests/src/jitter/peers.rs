//! Who is compared.

use std::path::PathBuf;

use tokio::process::Command;

use crate::networks::NodeTools;

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// This program, which is Bowline's server and its native clients as well.
    pub native: PathBuf,
    /// What the programs for Node need.
    pub node: NodeTools,
}

/// A library: a server, and clients in one process.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    server: Words,
    clients: Words,
    /// Whose figures are promises.
    pub(super) is_ours: bool,
}

/// A program and its words.
#[derive(Debug)]
enum Words {
    Native(&'static str),
    Node(&'static str, &'static [&'static str]),
}

pub(super) const PEERS: [Peer; 4] = [
    Peer {
        name: "bowline, npm package",
        server: Words::Native("server"),
        clients: Words::Node("bowline.mjs", &[]),
        is_ours: true,
    },
    Peer {
        name: "bowline, native client",
        server: Words::Native("server"),
        clients: Words::Native("clients"),
        is_ours: true,
    },
    Peer {
        name: "socket.io with recovery",
        server: Words::Node("socketio-server.mjs", &["--recovery"]),
        clients: Words::Node("socketio.mjs", &[]),
        is_ours: false,
    },
    Peer {
        name: "socket.io",
        server: Words::Node("socketio-server.mjs", &[]),
        clients: Words::Node("socketio.mjs", &[]),
        is_ours: false,
    },
];

impl Peer {
    pub(super) fn server(&self, programs: &Programs) -> Command {
        self.server.command(programs)
    }

    pub(super) fn clients(&self, programs: &Programs) -> Command {
        self.clients.command(programs)
    }
}

impl Words {
    fn command(&self, programs: &Programs) -> Command {
        match self {
            Self::Native(word) => {
                let mut command = Command::new(&programs.native);
                command.arg(word);
                command
            }
            Self::Node(script, words) => {
                let NodeTools { scripts, modules, package } = &programs.node;
                let mut command = Command::new("node");
                // Node 20 has a WebSocket only if it is asked for one; newer versions take the word as well.
                command.args(["--no-warnings", "--experimental-websocket"]);
                command.arg(scripts.join(script)).args(*words);
                command.env("BOWLINE_MODULES", modules).env("BOWLINE_PACKAGE", package);
                command
            }
        }
    }
}
