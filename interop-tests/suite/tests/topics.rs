//! Topics: who is let in, what arrives, and what becomes of a subscription in time.

#[path = "topics/grants.rs"]
mod grants;
#[path = "topics/nodes.rs"]
mod nodes;
#[path = "topics/races.rs"]
mod races;
#[path = "topics/recovery.rs"]
mod recovery;

use std::time::Duration;

use bowline_client::{Client, Subscription, TopicItem};
use bowline_fixtures::nodes::builder_for;
use bowline_fixtures::test_server::{Shape, TestServer};
use bowline_server::BowlineBuilder;
use futures::StreamExt as _;

fn serve(builder: BowlineBuilder) -> TestServer {
    TestServer::start_with(builder.build(), Shape::default())
}

async fn connect(server: &TestServer) -> Client {
    let url = format!("http://{}/bowline", server.address());
    let client = builder_for(&url).build().expect("the address is valid");
    client.connect().await.expect("the server lets it in");
    client
}

/// The next item, in words.
async fn next(subscription: &mut Subscription) -> String {
    match subscription.next().await {
        Some(item) => in_words(&item),
        None => "nothing".to_owned(),
    }
}

fn in_words(item: &TopicItem) -> String {
    match item {
        TopicItem::Message(message) => {
            format!("{} {} {}", message.topic, message.name, message.payload.json_or_null())
        }
        TopicItem::Missed(missing) => format!("missed {missing:?}"),
        TopicItem::Ended { code } => format!("ended: {code}"),
        other => format!("{other:?}"),
    }
}

/// A rule of the tests: histories of topics below `log/`.
fn with_log(builder: BowlineBuilder) -> BowlineBuilder {
    builder.history("log/", 100, Duration::from_secs(60))
}
