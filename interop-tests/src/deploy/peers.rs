//! Who is compared.

use std::path::Path;

use tokio::process::Command;

use super::Plan;
use crate::program::Words;

/// A library: a server, and clients.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    server: Server,
    clients: Words,
    /// Whose figures are promises.
    pub(super) is_ours: bool,
}

#[derive(Debug)]
enum Server {
    Words(Words),
    /// A program of `interop-tests/load/peers`.
    Rust(&'static str),
}

pub(super) const PEERS: [Peer; 4] = [
    Peer {
        name: "bowline",
        server: Server::Words(Words::Native("serve")),
        clients: Words::Native("clients"),
        is_ours: true,
    },
    Peer {
        name: "socket.io with recovery",
        server: Server::Words(Words::Node("socketio-server.mjs", &["--recovery"])),
        clients: Words::Node("socketio.mjs", &[]),
        is_ours: false,
    },
    Peer {
        name: "socket.io",
        server: Server::Words(Words::Node("socketio-server.mjs", &[])),
        clients: Words::Node("socketio.mjs", &[]),
        is_ours: false,
    },
    Peer {
        name: "socketioxide",
        server: Server::Rust("socketioxide-deploy"),
        clients: Words::Node("socketio.mjs", &[]),
        is_ours: false,
    },
];

impl Peer {
    /// Its server, without what it is told to do.
    pub(super) fn server(&self, plan: &Plan) -> Command {
        match &self.server {
            Server::Words(words) => words.command(&plan.programs),
            Server::Rust(program) => Command::new(Path::new(&plan.peer_programs).join(program)),
        }
    }

    /// The programs of its clients, and how many clients each of them has.
    pub(super) fn clients(&self, plan: &Plan) -> Vec<(Command, usize)> {
        let own = self.clients.command(&plan.programs);
        if !(self.is_ours && plan.npm) {
            return vec![(own, plan.clients)];
        }
        let npm = Words::Node("bowline.mjs", &[]).command(&plan.programs);
        let half = plan.clients / 2;
        vec![(own, plan.clients - half), (npm, half)]
    }
}
