//! Questions to other nodes, and their answers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bowline_protocol::NodeId;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::Bus;
use super::wire::Message;
use crate::locks::lock;

/// The questions that are open.
#[derive(Default)]
pub(super) struct Calls {
    open: Mutex<HashMap<u64, mpsc::UnboundedSender<Reply>>>,
    last: AtomicU64,
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// The node itself has received its question.
    Echo,
    Heard(NodeId, Message, Bytes),
    /// A node is gone and answers nothing more.
    Gone(NodeId),
    /// The connection to the others is lost.
    Down,
}

/// A question that is open for as long as this lives.
pub(crate) struct Call {
    pub(super) number: u64,
    pub(crate) replies: mpsc::UnboundedReceiver<Reply>,
    pub(super) bus: Arc<Bus>,
}

/// A node that asks, and the number of its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Asker {
    pub(crate) node: NodeId,
    pub(crate) call: u64,
}

impl Bus {
    /// Opens a question.
    pub(crate) fn call(self: &Arc<Self>) -> Call {
        let number = self.calls.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, replies) = mpsc::unbounded_channel();
        lock(&self.calls.open).insert(number, sender);
        Call { number, replies, bus: Arc::clone(self) }
    }

    /// A message that refers to a question came.
    pub(crate) fn resolve(&self, call: u64, reply: Reply) {
        if let Some(open) = lock(&self.calls.open).get(&call) {
            let _ = open.send(reply);
        }
    }

    /// All questions may concern this.
    pub(crate) fn resolve_all(&self, reply: &Reply) {
        for open in lock(&self.calls.open).values() {
            let _ = open.send(reply.clone());
        }
    }
}

impl Call {
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        lock(&self.bus.calls.open).remove(&self.number);
    }
}

/// The nodes that have received a question and not answered it.
pub(crate) struct Missing {
    heard: usize,
    answered: HashSet<NodeId>,
    gone: HashSet<NodeId>,
    refused: usize,
}

impl Missing {
    pub(crate) fn new(heard: usize) -> Self {
        Self { heard, answered: HashSet::new(), gone: HashSet::new(), refused: 0 }
    }

    /// True for the first answer of a node.
    pub(crate) fn answered(&mut self, node: NodeId) -> bool {
        self.answered.insert(node)
    }

    pub(crate) fn gone(&mut self, node: NodeId) {
        self.gone.insert(node);
    }

    pub(crate) fn refused(&mut self, node: NodeId) {
        self.refused += usize::from(self.answered(node));
    }

    pub(crate) fn is_over(&self) -> bool {
        self.answered.len() >= self.heard
    }

    /// How many answers are missing when no more time is left. A node that is gone may be one of
    /// those that have received the question, which is known of none.
    pub(crate) fn unexplained(&self) -> usize {
        let gone = self.gone.difference(&self.answered).count();
        self.heard.saturating_sub(self.answered.len() + gone) + self.refused
    }
}

#[cfg(test)]
mod tests {
    use bowline_protocol::NodeId;

    use super::Missing;

    const NODES: [NodeId; 3] =
        [NodeId::from_bytes([1; 6]), NodeId::from_bytes([2; 6]), NodeId::from_bytes([3; 6])];

    #[test]
    fn an_answer_counts_once_and_a_node_that_is_gone_after_its_answer_is_not_counted_again() {
        let mut missing = Missing::new(2);
        assert!(missing.answered(NODES[0]));
        assert!(!missing.answered(NODES[0]));
        missing.gone(NODES[0]);
        assert!(!missing.is_over());
        assert_eq!(missing.unexplained(), 1);
        assert!(missing.answered(NODES[1]));
        assert!(missing.is_over());
    }

    #[test]
    fn a_node_that_is_gone_ends_no_question_before_its_time_for_it_may_not_have_heard_it() {
        let mut missing = Missing::new(1);
        missing.gone(NODES[0]);
        assert!(!missing.is_over());
        assert_eq!(missing.unexplained(), 0);
    }

    #[test]
    fn more_answers_than_were_expected_do_no_harm_and_a_refusal_is_no_answer() {
        let mut missing = Missing::new(1);
        missing.refused(NODES[0]);
        assert!(missing.answered(NODES[1]));
        missing.gone(NODES[2]);
        assert!(missing.is_over());
        assert_eq!(missing.unexplained(), 1);
    }
}
