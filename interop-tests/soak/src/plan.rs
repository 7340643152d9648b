//! What a soak does.

use bowline_client::Transport;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Messages over all clients and flows; rounded up to a multiple of four times the clients.
    pub messages: u64,
    /// Clients at once.
    pub clients: u64,
    /// Connections that are cut.
    pub cuts: u64,
    /// Chooses the moments and victims of the cuts: the same ones as long as `Cargo.lock` has the
    /// same version of fastrand.
    pub seed: u64,
    /// What the clients use; `None` changes transports all the time.
    pub transport: Option<Transport>,
    /// With a network between cuts that holds back, reorders, mutes and forges as well.
    pub hostile: bool,
}

impl Plan {
    /// Messages of one flow of one client.
    pub(crate) const fn per_flow(&self) -> u64 {
        self.messages.div_ceil(4 * self.clients)
    }

    pub(crate) fn transports(&self) -> Vec<Transport> {
        self.transport.map_or_else(|| ALL.to_vec(), |transport| vec![transport])
    }
}

pub(crate) const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
