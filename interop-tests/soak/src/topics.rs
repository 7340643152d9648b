//! Numbered messages of a topic, which a client receives through subscriptions that come and go.
//! Grants are short, so that many are renewed.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::{Client, Since, TopicItem};
use bowline_fixtures::flow::Flow;
use bowline_server::{Bowline, BowlineBuilder, Grant};
use fastrand::Rng;
use futures::StreamExt as _;
use tokio::task::JoinSet;

use crate::flows::under_way;
use crate::ledger::Ledger;

/// The server's side.
pub(crate) fn open(builder: BowlineBuilder) -> BowlineBuilder {
    let grant = || async { Grant::subscribe().expires_in(GRANT) };
    let history = Duration::from_secs(600);
    builder.topic("feed/{client}", grant).history("feed/", 10_000, history)
}

/// The client's side.
pub(crate) fn start(
    running: &mut JoinSet<()>,
    client: &Client,
    index: usize,
    ledger: &Arc<Ledger>,
    bowline: &Bowline,
    seed: u64,
) {
    let mut rng = Rng::with_seed(seed.wrapping_mul(31).wrapping_add(index as u64));
    let (client, ledger, bowline) = (client.clone(), Arc::clone(ledger), bowline.clone());
    running.spawn(async move {
        let topic = format!("feed/{index}");
        let publish = publish(&bowline, index, &topic, &ledger);
        let receive = receive(&client, index, &topic, &ledger, &mut rng);
        if let Err(error) = futures::try_join!(publish, receive) {
            eprintln!("client {index}: its topic ended with: {error}");
        }
    });
}

async fn publish(
    bowline: &Bowline,
    index: usize,
    topic: &str,
    ledger: &Ledger,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    for number in 1..=ledger.per_flow() {
        under_way(index, Flow::Topic, number, ledger).await;
        bowline.topic(topic).emit("number", &number).await?;
    }
    Ok(())
}

/// Receives all numbers, in subscriptions of a few messages: each goes on behind the one before.
async fn receive(
    client: &Client,
    index: usize,
    topic: &str,
    ledger: &Ledger,
    rng: &mut Rng,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut since = Since::Last(1_000);
    while ledger.highest(index, Flow::Topic) < ledger.per_flow() {
        let mut subscription = client.subscribe(topic).since(since.clone()).await?;
        for _ in 0..rng.u32(1..100) {
            match subscription.next().await {
                Some(TopicItem::Message(message)) => {
                    ledger.arrived(index, Flow::Topic, message.decode()?);
                    since = message.at.map_or(since, Since::After);
                }
                other => return Err(format!("{other:?} was not expected").into()),
            }
            if ledger.highest(index, Flow::Topic) == ledger.per_flow() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// How long a grant is valid.
const GRANT: Duration = Duration::from_secs(2);
