//! Sends all clients of a node away.

#![expect(clippy::disallowed_methods, reason = "a server that ends waits for its sessions")]

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use bowline_protocol::Time;

use crate::node::Node;
use crate::session::LiveSession;

/// Tells every client to come back later, and waits until all have left and nothing of the
/// application is under way, at the latest until the deadline. Returns how many carriers are left.
pub(crate) async fn drain(node: &Arc<Node>, deadline: Duration) -> usize {
    let deadline = if node.stores_sessions() { deadline - reserve(deadline) } else { deadline };
    let until = node.now() + deadline;
    // The answers of a session that is handed over travel with it.
    let patience = if node.cluster.is_some() { Duration::ZERO } else { ANSWERS.min(deadline) };
    node.start_draining(patience);
    if let Some(cluster) = &node.cluster {
        cluster.cut_edges();
    }
    // Also those whose handlers have just come to an end: their answers are on the way.
    let mut at_work = node.registry.all();
    at_work.retain(|session| !session.send_away());
    if let Some(cluster) = &node.cluster {
        cluster.hand_over_all(&node.local, deadline).await;
    }
    let mut leaving = Leaving::new(node);
    loop {
        at_work.retain(|session| !session.send_away());
        let carriers = node.carriers();
        let have_left = leaving.have_left(node, carriers);
        let is_done = have_left
            && at_work.is_empty()
            && !node.has_hooks_under_way()
            && !(node.stores_sessions() && anybody_at_work(node));
        if is_done || node.now() >= until {
            if let Some(cluster) = &node.cluster {
                cluster.say_goodbye().await;
            }
            return carriers;
        }
        rt::time::sleep(CHECK).await;
    }
}

/// What is left of a deadline for writing sessions.
pub(super) fn reserve(deadline: Duration) -> Duration {
    RESERVE.min(deadline / 4)
}

/// True if something has come, before its client was sent away, that is being handled.
fn anybody_at_work(node: &Node) -> bool {
    node.registry.all().iter().any(|session| session.is_at_work())
}

/// Carriers that the server has asked to end, and whose peers still read.
struct Leaving {
    carriers: usize,
    /// When one has last ended or been written to.
    moved: Time,
}

impl Leaving {
    fn new(node: &Node) -> Self {
        Self { carriers: node.carriers(), moved: node.now() }
    }

    /// True if all have, or those that are left take nothing of what is written to them.
    fn have_left(&mut self, node: &Node, carriers: usize) -> bool {
        let now = node.now();
        if std::mem::replace(&mut self.carriers, carriers) != carriers {
            self.moved = now;
        } else if now - self.moved >= STUCK && carriers > 0 {
            let since = self.moved;
            let hears = |session: &Arc<LiveSession>| session.was_written_since(since);
            if !node.registry.all().iter().any(hears) {
                return true;
            }
            self.moved = now;
        }
        carriers == 0
    }
}

/// A peer that takes nothing for so long is not waited for. It would take longer to come back than
/// that.
const STUCK: Duration = Duration::from_millis(400);

/// How long a client waits for the answers of handlers under way before it is sent away without
/// them. Handlers have the whole deadline.
const ANSWERS: Duration = Duration::from_millis(500);

/// For writing sessions there is at least so much time, or a quarter of all.
const RESERVE: Duration = Duration::from_secs(2);

/// How often a drain looks whether everyone has left.
const CHECK: Duration = Duration::from_millis(20);
