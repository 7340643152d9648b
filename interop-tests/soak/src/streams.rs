//! Numbered items of streams, in both directions. Streams are short, so that many begin and end
//! while the network breaks; some are dropped in the middle.

use std::sync::Arc;

use bowline_client::{Client, StreamError};
use bowline_fixtures::flow::Flow;
use bowline_server::{BowlineBuilder, Ext, Failure, ItemStream, Items, Json};
use fastrand::Rng;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use crate::flows::Who;
use crate::ledger::Ledger;

/// The server's side.
pub(crate) fn serve(builder: BowlineBuilder, ledger: &Arc<Ledger>) -> BowlineBuilder {
    let books = Arc::clone(ledger);
    builder
        .stream("numbers", |(from, to): (u64, u64)| async move {
            ItemStream::new(stream::iter(from..=to))
        })
        .stream("collect", move |numbers: Items<u64>, Ext(Who(client)): Ext<Who>, (): ()| {
            let books = Arc::clone(&books);
            async move {
                let arrived = numbers.try_fold(0_u64, async |count, number| {
                    books.arrived(client, Flow::StreamUp, number);
                    Ok(count + 1)
                });
                Ok::<_, Failure>(Json(arrived.await?))
            }
        })
}

/// The client's side of both directions.
pub(crate) fn start(
    running: &mut JoinSet<()>,
    client: &Client,
    index: usize,
    ledger: &Arc<Ledger>,
    seed: u64,
) {
    let rng = Rng::with_seed(seed.wrapping_add(index as u64));
    let (up, down) = (client.clone(), client.clone());
    let (books, mut other) = (Arc::clone(ledger), rng.clone());
    running.spawn(async move {
        if let Err(error) = send(&up, &books, &mut other).await {
            eprintln!("client {index}: a stream up ended with: {error}");
        }
    });
    let (books, mut rng) = (Arc::clone(ledger), rng);
    running.spawn(async move {
        if let Err(error) = receive(&down, index, &books, &mut rng).await {
            eprintln!("client {index}: a stream down ended with: {error}");
        }
    });
}

/// Sends all numbers, in streams of a few.
async fn send(client: &Client, ledger: &Ledger, rng: &mut Rng) -> Result<(), StreamError> {
    let (mut next, last) = (1, ledger.per_flow());
    while next <= last {
        let count = rng.u64(1..=60).min(last + 1 - next);
        let opened = client.stream::<()>("collect", &()).both_ways().await?;
        let (mut sender, items) = opened;
        for number in next..next + count {
            sender.send(&number).await?;
        }
        sender.finish();
        let collected: u64 = items.result().await?;
        assert_eq!(collected, count, "the server has taken all items");
        next += count;
    }
    Ok(())
}

/// Receives all numbers. What is dropped in the middle goes on in the next stream.
async fn receive(
    client: &Client,
    index: usize,
    ledger: &Ledger,
    rng: &mut Rng,
) -> Result<(), StreamError> {
    let (mut next, last) = (1, ledger.per_flow());
    while next <= last {
        let to = (next + rng.u64(0..60)).min(last);
        let window = (rng.u64(1..20), 1024);
        let opened = client.stream::<u64>("numbers", &(next, to));
        let mut items = opened.window(window.0, window.1).await?;
        let leaves_after = rng.u64(1..120);
        let mut taken = 0;
        while let Some(number) = items.next().await {
            ledger.arrived(index, Flow::StreamDown, number?);
            next += 1;
            taken += 1;
            if taken == leaves_after {
                break;
            }
        }
    }
    Ok(())
}
