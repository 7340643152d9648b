//! What a soak does.

use bowline_client::Transport;
use bowline_fixtures::flow::Flow;
use clap::{Parser, ValueEnum, value_parser};
use serde::Serialize;

/// Sends numbered messages both ways through a network that keeps breaking.
#[derive(Debug, Clone, Parser)]
pub struct Plan {
    /// Messages over all clients and flows; rounded up so that each flow has as many.
    #[arg(long, default_value_t = 20_000)]
    pub messages: u64,
    /// Clients at once.
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u64).range(1..))]
    pub clients: u64,
    /// Connections that are cut.
    #[arg(long, default_value_t = 400)]
    pub cuts: u64,
    /// Chooses the moments and victims of the cuts: the same ones as long as `Cargo.lock` has the
    /// same version of fastrand.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// What the clients use.
    #[arg(long, value_enum, default_value_t = Transports::Mixed)]
    pub transport: Transports,
    /// With streams of items in both directions as well.
    #[arg(long)]
    pub streams: bool,
    /// With topics as well: subscriptions that come and go, and what clients publish.
    #[arg(long)]
    pub topics: bool,
    /// With a network between cuts that holds back, reorders, mutes and forges as well.
    #[arg(long)]
    pub hostile: bool,
}

/// What the clients of a run use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Transports {
    /// This one only.
    WebSocket,
    /// This one only.
    Sse,
    /// This one only.
    Polling,
    /// All of them: the clients change transports all the time.
    Mixed,
}

impl Plan {
    /// The flows of each client.
    pub(crate) fn flows(&self) -> Vec<Flow> {
        let streams = [Flow::StreamUp, Flow::StreamDown].into_iter().filter(|_| self.streams);
        let topics = [Flow::Topic].into_iter().filter(|_| self.topics);
        Flow::ALL.into_iter().chain(streams).chain(topics).collect()
    }

    /// Messages of one flow of one client.
    pub(crate) fn per_flow(&self) -> u64 {
        self.messages.div_ceil(self.flows().len() as u64 * self.clients)
    }

    pub(crate) fn transports(&self) -> Vec<Transport> {
        match self.transport {
            Transports::WebSocket => vec![Transport::WebSocket],
            Transports::Sse => vec![Transport::Sse],
            Transports::Polling => vec![Transport::Polling],
            Transports::Mixed => ALL.to_vec(),
        }
    }
}

pub(crate) const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
