//! The soak: numbered messages both ways, through a network that keeps breaking.
//!
//! Each client runs four flows at once: events up, events down, requests up, requests down. Every
//! message is numbered within its flow, and both ends write down what arrives. Meanwhile connections are
//! cut and transports changed, spread evenly over the run by its own progress. At the end the books are
//! compared.

mod chaos;
mod flow;
mod flows;
mod hostile;
mod ledger;
mod report;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use bowline_client::{Backoff, Client, Transport};
use tokio::task::JoinSet;

use crate::fault_proxy::FaultProxy;
use crate::test_server::{Shape, TestServer};

pub use flow::Flow;
pub(crate) use flow::Order;
pub use ledger::Ledger;
pub use report::Report;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Messages over all clients and flows; rounded up to a multiple of four times the clients.
    pub messages: u64,
    /// Clients at once.
    pub clients: u64,
    /// Connections that are cut.
    pub cuts: u64,
    /// Chooses the moments and victims of the cuts.
    pub seed: u64,
    /// What the clients use; `None` changes transports all the time.
    pub transport: Option<Transport>,
    /// With a network between cuts that holds back, reorders, mutes and forges as well.
    pub hostile: bool,
}

impl Plan {
    /// Messages of one flow of one client.
    const fn per_flow(&self) -> u64 {
        self.messages.div_ceil(4 * self.clients)
    }

    fn transports(&self) -> Vec<Transport> {
        self.transport.map_or_else(|| ALL.to_vec(), |transport| vec![transport])
    }
}

/// Runs the plan. Prints its progress to standard error.
///
/// # Errors
/// When the machine does not let it start, or a client is not let in.
pub async fn run(plan: &Plan) -> Result<Report, String> {
    let ledger = Arc::new(Ledger::new(plan.clients, plan.per_flow()));
    let shape = Shape { one_request_per_connection: true, ..Shape::default() };
    let bowline = flows::server(web::Data::from(Arc::clone(&ledger)), plan.hostile);
    let server = TestServer::start_with(bowline, shape);
    let proxy = FaultProxy::start(server.address()).await.map_err(|error| error.to_string())?;
    let clients = connect(plan, &proxy, &ledger).await?;

    let mut running = JoinSet::new();
    for (index, client) in clients.iter().enumerate() {
        flows::start(&mut running, client, index, &ledger, server.bowline());
    }
    let broken_as_planned = chaos::run(plan, &proxy, &clients, &ledger).await;
    let all_ended = tokio::time::timeout(PATIENCE, running.join_all()).await.is_ok();
    if !all_ended {
        eprintln!("the flows did not finish within {PATIENCE:?} after the last cut");
    }
    let finished = broken_as_planned && all_ended;
    let report = Report::new(plan, &ledger, &clients, &proxy, finished);
    for client in &clients {
        client.close().await;
    }
    Ok(report)
}

async fn connect(
    plan: &Plan,
    proxy: &FaultProxy,
    ledger: &Arc<Ledger>,
) -> Result<Vec<Client>, String> {
    let mut clients = Vec::new();
    for index in 0..plan.clients {
        let client = Client::builder(&proxy.url("/bowline"))
            .transports(plan.transports())
            .auth(&index)
            // The run cuts more often than a network that a client should be patient with.
            .backoff(Backoff { base: Duration::from_millis(20), cap: Duration::from_millis(200) })
            .build()
            .map_err(|error| error.to_string())?;
        flows::listen(&client, usize::try_from(index).unwrap_or(0), ledger);
        client.connect().await.map_err(|error| error.to_string())?;
        clients.push(client);
    }
    Ok(clients)
}

/// The name under which one client's number is kept with its session.
#[derive(Debug, Clone, Copy)]
struct Who(usize);

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];

/// How long the last messages may take once the network is whole.
const PATIENCE: Duration = Duration::from_secs(60);
