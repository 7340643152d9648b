//! What `server/fuzz` reaches of the server: what strangers and other nodes send, as it is read.

use std::sync::Arc;

use bytes::Bytes;

use crate::broker::LocalBroker;
use crate::config::Config;
use crate::node::{Handlers, Hooks, Node};
use crate::{cluster, transport};

/// Reads an HTTP body and answers it. The first byte is the endpoint to which it is sent,
/// [`CREDENTIALS`] in the rest stand for those of an open session.
///
/// # Panics
/// When the answer is none that the protocol has.
pub fn body(data: &[u8]) {
    thread_local! {
        static NODE: Arc<Node> = Node::new(Config::default(), handlers(), Hooks::default());
    }
    let Some((&endpoint, rest)) = data.split_first() else { return };
    NODE.with(|node| transport::fuzzing::body(node, endpoint, rest));
}

/// Receives a message of another node. The first byte is the channel on which it arrives, the
/// second how the rest is one.
///
/// # Panics
/// When a message that was read is written as another one.
pub fn bus(data: &[u8]) {
    thread_local!(static NODE: Arc<Node> = {
        let broker = Some(Arc::new(LocalBroker::new()) as _);
        let config = Config { broker, ..Config::default() };
        let node = Node::new(config, handlers(), Hooks::default());
        transport::serve_relayed(&node);
        node
    });
    let Some((&[channel, form], rest)) = data.split_first_chunk() else { return };
    NODE.with(|node| {
        let cluster = node.cluster.as_ref().expect("the node has a broker");
        let rest = Bytes::copy_from_slice(rest);
        cluster::fuzzing::message((cluster, &node.local), channel, form, rest);
    });
}

fn handlers() -> Handlers {
    let mut handlers = Handlers::default();
    handlers.on::<&str, _>("say", async |text: String| crate::Json(text));
    handlers
}

/// What stands for the id and the secret of a session.
pub const CREDENTIALS: &[u8] = b"@@";
