//! Who is compared.

use tokio::process::Command;

use bowline_processes::{Programs, Words};

/// A library: a server, and clients in one process.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    server: Words,
    clients: Words,
    /// Whose figures are promises.
    pub(super) is_ours: bool,
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
