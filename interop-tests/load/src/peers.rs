//! The servers that can be measured.

use crate::dialect::Transport;

/// A server program that takes a port as its last argument.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// As the command line and the table name it.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    pub(crate) program: Program,
    pub(crate) dialect: &'static str,
    transports: &'static [Transport],
    /// Its sessions outlive their connections.
    pub(crate) sessions: bool,
}

/// Where the program comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Program {
    /// This project.
    Own(&'static str),
    /// `interop-tests/load/peers`.
    Rust(&'static str),
    /// `interop-tests/load/node`.
    Node(&'static str),
}

impl Peer {
    pub(crate) fn speaks(&self, transport: Transport) -> bool {
        self.transports.contains(&transport)
    }
}

/// All of them; the first is ours.
pub const PEERS: &[Peer] = &[
    Peer {
        name: "bowline",
        about: "this project",
        program: Program::Own("load-server"),
        dialect: "bowline",
        transports: &[Transport::WebSocket, Transport::Events, Transport::Polling],
        sessions: true,
    },
    Peer {
        name: "socketioxide",
        about: "socketioxide 0.18.9 on axum 0.8.9",
        program: Program::Rust("socketioxide"),
        dialect: "socketio",
        transports: &[Transport::WebSocket, Transport::Polling],
        sessions: false,
    },
    Peer {
        name: "socket.io",
        about: "socket.io 4.8.4 on Node",
        program: Program::Node("socketio.js"),
        dialect: "socketio",
        transports: &[Transport::WebSocket, Transport::Polling],
        sessions: false,
    },
    Peer {
        name: "ws",
        about: "ws 8.23.0 on Node, no session layer",
        program: Program::Node("ws.js"),
        dialect: "raw",
        transports: &[Transport::WebSocket],
        sessions: false,
    },
    Peer {
        name: "actix-ws",
        about: "actix-web 4.18.1 with actix-ws 0.4.0, no session layer",
        program: Program::Rust("actix-ws"),
        dialect: "raw",
        transports: &[Transport::WebSocket],
        sessions: false,
    },
    Peer {
        name: "actix-raw",
        about: "actix-web 4.18.1 and frames written by hand, no session layer, no checks",
        program: Program::Rust("actix-raw"),
        dialect: "raw",
        transports: &[Transport::WebSocket, Transport::Events, Transport::Polling],
        sessions: false,
    },
];
