//! Runs a plan.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use bowline_client::{Backoff, Client};
use tokio::task::JoinSet;

use bowline_fault_proxy::FaultProxy;
use bowline_fixtures::test_server::{Shape, TestServer};

use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::report::Report;
use crate::{chaos, flows, streams, topics};

/// Runs the plan. Prints its progress to standard error.
///
/// # Errors
/// When the machine does not let it start, or a client is not let in.
pub async fn run(plan: &Plan) -> Result<Report, String> {
    let ledger = Arc::new(Ledger::new(plan.clients, plan.per_flow(), plan.flows()));
    let shape = Shape { one_request_per_connection: true, ..Shape::default() };
    let builder = flows::server(web::Data::from(Arc::clone(&ledger)), plan.hostile);
    let builder = topics::open(streams::serve(builder, &ledger));
    let server = TestServer::start_with(builder.build(), shape);
    let proxy = FaultProxy::start(server.address()).await.map_err(|error| error.to_string())?;
    let clients = connect(plan, &proxy, &ledger).await?;

    let mut running = JoinSet::new();
    for (index, client) in clients.iter().enumerate() {
        flows::start(&mut running, client, index, &ledger, server.bowline());
        if plan.streams {
            streams::start(&mut running, client, index, &ledger, plan.seed);
        }
        if plan.topics {
            topics::start(&mut running, client, index, &ledger, server.bowline(), plan.seed);
        }
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

/// How long the last messages may take once the network is whole.
const PATIENCE: Duration = Duration::from_secs(60);
