//! Sends all clients of a node away.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;

use crate::node::Node;

/// Tells every client to come back later, and waits until all have left and nothing of the application is
/// under way, at the latest until the deadline. Returns how many carriers are left.
pub(crate) async fn drain(node: &Arc<Node>, deadline: Duration) -> usize {
    let until = node.now() + deadline;
    // The answers of a session that is handed over travel with it.
    let patience = if node.cluster.is_some() { Duration::ZERO } else { ANSWERS.min(deadline) };
    node.start_draining(patience);
    if let Some(cluster) = &node.cluster {
        cluster.cut_edges();
    }
    let mut at_work = node.registry.all();
    at_work.retain(|session| {
        let is_at_work = session.is_at_work();
        session.send_away();
        is_at_work
    });
    if let Some(cluster) = &node.cluster {
        cluster.hand_over_all(node, deadline).await;
    }
    loop {
        at_work.retain(|session| !session.send_away());
        let carriers = node.carriers();
        let is_done = carriers == 0 && at_work.is_empty() && !node.has_hooks_under_way();
        if is_done || node.now() >= until {
            if let Some(cluster) = &node.cluster {
                cluster.say_goodbye().await;
            }
            return carriers;
        }
        rt::time::sleep(CHECK).await;
    }
}

/// How long a client waits for the answers of handlers under way before it is sent away without them. Handlers
/// have the whole deadline.
const ANSWERS: Duration = Duration::from_millis(500);

/// How often a drain looks whether everyone has left.
const CHECK: Duration = Duration::from_millis(20);
