//! Who is compared.

use std::path::Path;

use tokio::process::Command;

use super::Plan;
use bowline_processes::Words;

/// A library: a server, and clients.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    server: Server,
    clients: Words,
    /// What idle connections of `bowline_load` speak with it.
    pub(super) dialect: &'static str,
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
        dialect: "bowline",
        is_ours: true,
    },
    Peer {
        name: "socket.io with recovery",
        server: Server::Words(Words::Node("socketio-server.mjs", &["--recovery"])),
        clients: Words::Node("socketio.mjs", &[]),
        dialect: "socketio",
        is_ours: false,
    },
    Peer {
        name: "socket.io",
        server: Server::Words(Words::Node("socketio-server.mjs", &[])),
        clients: Words::Node("socketio.mjs", &[]),
        dialect: "socketio",
        is_ours: false,
    },
    Peer {
        name: "socketioxide",
        server: Server::Rust("socketioxide-deploy"),
        clients: Words::Node("socketio.mjs", &[]),
        dialect: "socketio",
        is_ours: false,
    },
];

impl Peer {
    /// Its server, without what it is told to do. The processes that follow each other are counted
    /// from 0.
    pub(super) fn server(&self, plan: &Plan, process: usize) -> Command {
        match &self.server {
            Server::Words(Words::Native(word)) if plan.is_old(process) => {
                let mut command = Command::new(&plan.old_program);
                command.arg(word);
                command
            }
            Server::Words(words) => words.command(&plan.programs),
            Server::Rust(program) => Command::new(Path::new(&plan.peer_programs).join(program)),
        }
    }

    /// The programs of its clients: of what kind they are, and how many clients each has.
    pub(super) fn clients(&self, plan: &Plan) -> Vec<(&'static str, Command, usize)> {
        let own = || self.clients.command(&plan.programs);
        if !(self.is_ours && plan.npm) {
            return vec![(self.name, own(), plan.clients)];
        }
        let half = plan.clients / 2;
        let native = ("bowline, native clients", own(), plan.clients - half);
        let npm = parts(half).map(|clients| {
            let command = Words::Node("bowline.mjs", &[]).command(&plan.programs);
            ("bowline, npm clients", command, clients)
        });
        std::iter::once(native).chain(npm).collect()
    }
}

/// Shares clients among programs for Node, each of which has one thread.
fn parts(clients: usize) -> impl Iterator<Item = usize> {
    let programs = clients.div_ceil(IN_ONE_PROGRAM);
    (0..programs).map(move |at| clients / programs + usize::from(at < clients % programs))
}

/// Clients of the npm package in one program.
const IN_ONE_PROGRAM: usize = 250;

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn each_client_is_in_one_program_and_none_has_too_many() {
        assert_eq!(parts(0).count(), 0);
        assert_eq!(parts(250).collect::<Vec<_>>(), [250]);
        assert_eq!(parts(1000).collect::<Vec<_>>(), [250; 4]);
        assert_eq!(parts(752).collect::<Vec<_>>(), [188; 4]);
        assert_eq!(parts(251).collect::<Vec<_>>(), [126, 125]);
    }
}
