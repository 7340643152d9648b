//! Questions to other nodes, and their answers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_protocol::{AnswerError, Encoded, NodeId, Payload, SessionId};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::wire::{Id, Message, Outcome, Target, To};
use super::{Cluster, PATIENCE, lock, node_channel};
use crate::audience::{self, Audience};
use crate::error::ClusterError;
use crate::node::Node;
use crate::request::Forget;

/// The questions that are open.
#[derive(Default)]
pub(super) struct Calls {
    open: Mutex<HashMap<u64, mpsc::UnboundedSender<Reply>>>,
    last: AtomicU64,
}

/// What comes back.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// The node itself has heard its question.
    Echo,
    Heard(NodeId, Message, Bytes),
    /// A node is gone and answers nothing more.
    Gone(NodeId),
    /// The connection to the others is lost.
    Down,
}

/// A question that is open for as long as this lives.
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) replies: mpsc::UnboundedReceiver<Reply>,
    cluster: Arc<Cluster>,
}

/// Where answers to a broadcast request go.
pub(crate) type Answers = mpsc::UnboundedSender<(SessionId, Result<Payload, AnswerError>)>;

impl Calls {
    /// A message that refers to a question came.
    pub(super) fn tell(&self, call: u64, reply: Reply) {
        if let Some(open) = lock(&self.open).get(&call) {
            let _ = open.send(reply);
        }
    }

    pub(super) fn tell_all(&self, reply: &Reply) {
        for open in lock(&self.open).values() {
            let _ = open.send(reply.clone());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        lock(&self.cluster.calls.open).remove(&self.number);
    }
}

impl Cluster {
    pub(super) fn call(self: &Arc<Self>) -> Call {
        let number = self.calls.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, replies) = mpsc::unbounded_channel();
        lock(&self.calls.open).insert(number, sender);
        Call { number, replies, cluster: Arc::clone(self) }
    }

    /// The sessions of other nodes that belong to the audience.
    pub(crate) fn find(
        self: &Arc<Self>,
        audience: &Audience,
    ) -> impl Future<Output = Result<Vec<SessionId>, ClusterError>> + Send + use<> {
        let find = Message::Find { to: audience.into() };
        let question = self.question(audience, find, Bytes::new());
        let (done, outcome) = oneshot::channel();
        self.handle.spawn(async move {
            let _ = done.send(gather(question).await);
        });
        async move { outcome.await.unwrap_or(Err(ClusterError::Unavailable)) }
    }

    /// Asks the members on other nodes. Each is told to `answers` once.
    pub(crate) fn ask(
        self: &Arc<Self>,
        audience: &Audience,
        packet: &Encoded,
        timeout: Duration,
        answers: Answers,
    ) {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let ask = Message::Ask { to: audience.into(), timeout: millis };
        let question = self.question(audience, ask, packet.as_bytes().clone());
        self.handle.spawn(follow(question, packet.clone(), timeout, answers));
    }

    /// Publishes a question.
    fn question(self: &Arc<Self>, audience: &Audience, message: Message, bytes: Bytes) -> Question {
        let call = self.call();
        let (told, heard) = oneshot::channel();
        self.ask_audience(audience, &message, &bytes, call.number, told);
        Question { call, heard, message, bytes, audience: audience.clone(), hops: HOPS }
    }

    /// Asks the members of this node for another one.
    pub(super) fn take_ask(
        self: &Arc<Self>,
        asker: (NodeId, u64),
        audience: &Audience,
        packet: &Encoded,
        timeout: Duration,
    ) {
        let (sender, mut answers) = mpsc::unbounded_channel();
        let members = audience.members();
        let sessions = members.iter().map(|session| Id(session.id)).collect();
        self.reply(asker, &Message::Asked { sessions }, &Bytes::new());
        let mut open = audience::ask(members, packet, timeout, &sender);
        drop(sender);
        let cluster = Arc::downgrade(self);
        self.handle.spawn(async move {
            while let Some((session, outcome)) = answers.recv().await {
                open.remove(&session).into_iter().for_each(Forget::disarm);
                let Some(cluster) = cluster.upgrade() else { return };
                let (outcome, bytes) = Outcome::new(outcome);
                let answered = Message::Answered { session: Id(session), outcome };
                cluster.reply(asker, &answered, &bytes);
            }
        });
    }

    pub(super) fn take_find(&self, asker: (NodeId, u64), audience: &Audience) {
        let sessions = audience.sessions().into_iter().map(Id).collect();
        self.reply(asker, &Message::Members { sessions }, &Bytes::new());
    }

    pub(super) fn reply(&self, (asker, call): (NodeId, u64), message: &Message, bytes: &Bytes) {
        self.send(&node_channel(asker), message, bytes, call);
    }
}

/// A question that was published.
struct Question {
    call: Call,
    /// Learns how many nodes have heard it.
    heard: oneshot::Receiver<usize>,
    message: Message,
    bytes: Bytes,
    audience: Audience,
    /// How often it may be sent on behind a session that has moved.
    hops: usize,
}

impl Question {
    /// Asks the node where the one session is now. True if that is this one.
    fn follow_to(&mut self, node: NodeId) -> bool {
        let cluster = &self.call.cluster;
        if node != cluster.id && self.hops > 0 {
            self.hops -= 1;
            // Without a number: what is counted is what was sent first.
            cluster.send(&node_channel(node), &self.message, &self.bytes, self.call.number);
        }
        node == cluster.id
    }
}

/// The nodes that have heard a question and not answered it.
pub(super) struct Missing {
    heard: usize,
    answered: HashSet<NodeId>,
    gone: HashSet<NodeId>,
    refused: usize,
}

impl Missing {
    pub(super) fn new(heard: usize) -> Self {
        Self { heard, answered: HashSet::new(), gone: HashSet::new(), refused: 0 }
    }

    /// True for the first answer of a node.
    pub(super) fn answered(&mut self, node: NodeId) -> bool {
        self.answered.insert(node)
    }

    pub(super) fn gone(&mut self, node: NodeId) {
        self.gone.insert(node);
    }

    fn refused(&mut self, node: NodeId) {
        self.refused += usize::from(self.answered(node));
    }

    pub(super) fn is_over(&self) -> bool {
        self.answered.len() >= self.heard
    }

    /// How many answers are missing when no more time is left. A node that is gone may be one of those that have
    /// heard the question, which is known of none.
    fn unexplained(&self) -> usize {
        let gone = self.gone.difference(&self.answered).count();
        self.heard.saturating_sub(self.answered.len() + gone) + self.refused
    }
}

/// Collects members until every node that heard the question has answered.
async fn gather(mut question: Question) -> Result<Vec<SessionId>, ClusterError> {
    let deadline = Instant::now() + PATIENCE;
    let heard = timeout_at(deadline, &mut question.heard).await.ok().and_then(Result::ok);
    let mut missing = Missing::new(heard.ok_or(ClusterError::Unavailable)?);
    let own = question.call.cluster.id;
    let mut found = Vec::new();
    while !missing.is_over() {
        match timeout_at(deadline, question.call.replies.recv()).await {
            Ok(Some(Reply::Heard(node, Message::Members { sessions }, _))) => {
                if missing.answered(node) {
                    found.extend(sessions.into_iter().map(|Id(session)| session));
                }
            }
            Ok(Some(Reply::Heard(_, Message::Moved { node: Id(node) }, _))) => {
                if question.follow_to(node) && missing.answered(own) {
                    found.extend(question.audience.sessions());
                }
            }
            Ok(Some(Reply::Heard(node, Message::Refused, _))) => missing.refused(node),
            Ok(Some(Reply::Echo)) => drop(missing.answered(own)),
            Ok(Some(Reply::Gone(node))) => missing.gone(node),
            Ok(Some(Reply::Heard(..) | Reply::Down)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    match missing.unexplained() {
        0 => Ok(found),
        nodes => Err(ClusterError::Unanswered { nodes }),
    }
}

/// Passes answers on until every session that was asked has answered.
async fn follow(mut question: Question, packet: Encoded, timeout: Duration, answers: Answers) {
    let begun = Instant::now();
    let (soon, deadline) = (begun + PATIENCE, begun + timeout + PATIENCE);
    let Ok(Ok(heard)) = timeout_at(deadline, &mut question.heard).await else { return };
    let own = question.call.cluster.id;
    let mut missing = Missing::new(heard);
    let mut asked: HashMap<NodeId, HashSet<SessionId>> = HashMap::new();
    // Those that have come to this node meanwhile.
    let mut open = HashMap::new();
    loop {
        let all_asked = missing.is_over() || (Instant::now() >= soon && missing.unexplained() == 0);
        if all_asked && asked.values().all(HashSet::is_empty) {
            break;
        }
        let until = if missing.is_over() || Instant::now() >= soon { deadline } else { soon };
        match timeout_at(until, question.call.replies.recv()).await {
            Ok(Some(Reply::Echo)) => drop(missing.answered(own)),
            Ok(Some(Reply::Heard(node, Message::Asked { sessions }, _))) => {
                if missing.answered(node) {
                    asked.insert(node, sessions.iter().map(|Id(session)| *session).collect());
                }
            }
            Ok(Some(Reply::Heard(
                node,
                Message::Answered { session: Id(session), outcome },
                bytes,
            ))) => {
                if asked.get_mut(&node).is_some_and(|sessions| sessions.remove(&session)) {
                    let _ = answers.send((session, outcome.into_result(bytes)));
                }
            }
            Ok(Some(Reply::Heard(_, Message::Moved { node: Id(node) }, _))) => {
                if question.follow_to(node) && missing.answered(own) {
                    open = audience::ask(question.audience.members(), &packet, timeout, &answers);
                }
            }
            Ok(Some(Reply::Heard(node, Message::Refused, _))) => missing.refused(node),
            Ok(Some(Reply::Heard(..) | Reply::Down)) => {}
            Ok(Some(Reply::Gone(node))) => {
                missing.gone(node);
                for session in asked.remove(&node).into_iter().flatten() {
                    let _ = answers.send((session, Err(AnswerError::SessionLost { sent: true })));
                }
            }
            Err(_) if until < deadline => {}
            Ok(None) | Err(_) => break,
        }
    }
    for session in asked.into_values().flatten() {
        let _ = answers.send((session, Err(AnswerError::TimedOut { sent: true })));
    }
    // Who waits for them waits for as long as they are open.
    open.into_values().for_each(Forget::disarm);
}

/// Everyone of a target, as this node knows them.
pub(super) fn audience_here(node: &Arc<Node>, target: Target) -> Audience {
    let node = Arc::clone(node);
    let mut audience = match target.to {
        To::All => Audience::all(node),
        To::Session(Id(session)) => Audience::session(node, session),
        To::Rooms(rooms) => {
            let mut rooms = rooms.iter();
            let first = rooms.next().map(String::as_str).unwrap_or_default();
            rooms.fold(Audience::room(node, first), Audience::to)
        }
    };
    audience.except_rooms = target.except_rooms;
    audience.except_sessions = target.except_sessions.into_iter().map(|Id(id)| id).collect();
    audience
}

impl From<&Audience> for Target {
    fn from(audience: &Audience) -> Self {
        Self {
            to: match audience.target() {
                audience::To::All => To::All,
                audience::To::Rooms(rooms) => To::Rooms(rooms.clone()),
                audience::To::Session(session) => To::Session(Id(*session)),
            },
            except_rooms: audience.except_rooms.clone(),
            except_sessions: audience.except_sessions.iter().copied().map(Id).collect(),
        }
    }
}

/// How often a session may have moved while somebody asks for it.
const HOPS: usize = 3;

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
