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
use super::{Cluster, ClusterError, PATIENCE, lock, node_channel};
use crate::audience::{self, Audience};
use crate::node::Node;
use crate::session::Waiting;

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
        let mut call = self.call();
        let (told, heard) = oneshot::channel();
        let find = Message::Find { to: audience.into() };
        self.ask_audience(audience, &find, &Bytes::new(), call.number, told);
        let (done, outcome) = oneshot::channel();
        self.handle.spawn(async move {
            let _ = done.send(gather(&mut call, heard).await);
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
        let call = self.call();
        let (told, heard) = oneshot::channel();
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let ask = Message::Ask { to: audience.into(), timeout: millis };
        self.ask_audience(audience, &ask, packet.as_bytes(), call.number, told);
        self.handle.spawn(follow(call, heard, timeout + PATIENCE, answers));
    }

    /// Asks the members of this node for another one.
    pub(super) fn take_ask(
        self: &Arc<Self>,
        asker: (NodeId, u64),
        audience: &Audience,
        packet: Encoded,
        timeout: Duration,
    ) {
        let (sender, mut answers) = mpsc::unbounded_channel();
        let members = audience.members();
        let sessions = members.iter().map(|session| Id(session.id)).collect();
        self.reply(asker, &Message::Asked { sessions }, &Bytes::new());
        for session in members {
            let waiting = Waiting::Many(session.id, sender.clone());
            if session.request(packet.clone(), timeout, waiting).is_err() {
                let _ = sender.send((session.id, Err(AnswerError::SessionLost)));
            }
        }
        drop(sender);
        let cluster = Arc::downgrade(self);
        self.handle.spawn(async move {
            while let Some((session, outcome)) = answers.recv().await {
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

/// Collects members until every node that heard the question has answered.
async fn gather(
    call: &mut Call,
    heard: oneshot::Receiver<usize>,
) -> Result<Vec<SessionId>, ClusterError> {
    let deadline = Instant::now() + PATIENCE;
    let heard = timeout_at(deadline, heard).await.ok().and_then(Result::ok);
    let mut missing = heard.ok_or(ClusterError::Unavailable)?;
    let mut found = Vec::new();
    while missing > 0 {
        match timeout_at(deadline, call.replies.recv()).await {
            Ok(Some(Reply::Heard(_, Message::Members { sessions }, _))) => {
                found.extend(sessions.into_iter().map(|Id(session)| session));
                missing -= 1;
            }
            Ok(Some(Reply::Echo | Reply::Gone(_))) => missing -= 1,
            Ok(Some(Reply::Heard(..) | Reply::Down)) => {}
            Ok(None) | Err(_) => return Err(ClusterError::Unanswered { nodes: missing }),
        }
    }
    Ok(found)
}

/// Passes answers on until every session that was asked has answered.
async fn follow(
    mut call: Call,
    heard: oneshot::Receiver<usize>,
    patience: Duration,
    answers: Answers,
) {
    let deadline = Instant::now() + patience;
    let Ok(Ok(mut missing)) = timeout_at(deadline, heard).await else { return };
    let mut asked: HashMap<NodeId, HashSet<SessionId>> = HashMap::new();
    while missing > 0 || asked.values().any(|sessions| !sessions.is_empty()) {
        match timeout_at(deadline, call.replies.recv()).await {
            Ok(Some(Reply::Echo)) => missing -= 1,
            Ok(Some(Reply::Heard(node, Message::Asked { sessions }, _))) => {
                missing = missing.saturating_sub(1);
                asked.entry(node).or_default().extend(sessions.iter().map(|Id(session)| *session));
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
            Ok(Some(Reply::Heard(..) | Reply::Down)) => {}
            Ok(Some(Reply::Gone(node))) => {
                let sessions = asked.remove(&node);
                missing -= usize::from(sessions.is_none() && missing > 0);
                for session in sessions.into_iter().flatten() {
                    let _ = answers.send((session, Err(AnswerError::SessionLost)));
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    for session in asked.into_values().flatten() {
        let _ = answers.send((session, Err(AnswerError::TimedOut)));
    }
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
