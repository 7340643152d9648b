//! Questions to the members of an audience on other nodes, and to those on this one for others.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{AnswerError, Encoded, NodeId, SessionId};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::Directory;
use crate::cluster::PATIENCE;
use crate::cluster::bus::wire::{Id, Message, Outcome};
use crate::cluster::bus::{Asker, Call, Missing, Reply};
use crate::delivery::{self, Answers, Delivery, Forget, Target};
use crate::error::ClusterError;
use crate::local::Local;
use crate::session::LiveSession;

impl Directory {
    /// The sessions of other nodes that belong to the audience.
    pub(crate) fn find(
        self: &Arc<Self>,
        delivery: &Arc<Delivery>,
        target: &Target,
    ) -> impl Future<Output = Result<Vec<SessionId>, ClusterError>> + Send + use<> {
        let find = Message::Find { to: target.into() };
        let question = self.question(delivery, target, find, Bytes::new());
        let (done, outcome) = oneshot::channel();
        self.bus.handle.spawn(async move {
            let _ = done.send(gather(question).await);
        });
        async move { outcome.await.unwrap_or(Err(ClusterError::Unavailable)) }
    }

    /// Asks the members on other nodes. `answers` receives one answer of each.
    pub(crate) fn ask(
        self: &Arc<Self>,
        delivery: &Arc<Delivery>,
        target: &Target,
        packet: &Encoded,
        timeout: Duration,
        answers: Answers,
    ) {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let ask = Message::Ask { to: target.into(), timeout: millis };
        let question = self.question(delivery, target, ask, packet.as_bytes().clone());
        self.bus.handle.spawn(follow(question, packet.clone(), timeout, answers));
    }

    /// Publishes a question.
    fn question(
        self: &Arc<Self>,
        delivery: &Arc<Delivery>,
        target: &Target,
        message: Message,
        bytes: Bytes,
    ) -> Question {
        let call = self.bus.call();
        let (told, heard) = oneshot::channel();
        self.ask_target(target, call.number(), (&message, &bytes), told);
        Question {
            own: self.bus.id,
            call,
            heard,
            message,
            bytes,
            delivery: Arc::clone(delivery),
            target: target.clone(),
            hops: HOPS,
        }
    }

    /// Asks the members of this node for another one.
    fn take_ask(
        self: &Arc<Self>,
        asker: Asker,
        members: Vec<Arc<LiveSession>>,
        packet: &Encoded,
        timeout: Duration,
    ) {
        let (sender, mut answers) = mpsc::unbounded_channel();
        let sessions = members.iter().map(|session| Id(session.id)).collect();
        self.bus.reply(asker, &Message::Asked { sessions });
        let mut open = delivery::ask(members, packet, timeout, &sender);
        drop(sender);
        let bus = Arc::downgrade(&self.bus);
        self.bus.handle.spawn(async move {
            while let Some((session, outcome)) = answers.recv().await {
                open.remove(&session).into_iter().for_each(Forget::disarm);
                let Some(bus) = bus.upgrade() else { return };
                let (outcome, bytes) = Outcome::new(outcome);
                let answered = Message::Answered { session: Id(session), outcome };
                bus.reply_with(asker, &answered, &bytes);
            }
        });
    }

    pub(crate) fn take_question(
        self: &Arc<Self>,
        local: &Arc<Local>,
        asker: Asker,
        message: Message,
        bytes: &Bytes,
    ) {
        let moved = message.asks_for().and_then(|session| self.moved(session));
        if let Some(to) = moved {
            return self.bus.reply(asker, &Message::Moved { node: Id(to) });
        }
        match message {
            Message::Find { to } => {
                let sessions = local.delivery.sessions(&to.into()).into_iter().map(Id).collect();
                self.bus.reply(asker, &Message::Members { sessions });
            }
            Message::Ask { to, timeout } => {
                let Some(packet) = self.bus.packet(bytes.clone()) else { return };
                let timeout = Duration::from_millis(timeout);
                self.take_ask(asker, local.delivery.members(&to.into()), &packet, timeout);
            }
            _ => self.bus.foreign.count(),
        }
    }
}

/// A question that was published.
struct Question {
    /// This node.
    own: NodeId,
    call: Call,
    /// Receives how many nodes have received it.
    heard: oneshot::Receiver<usize>,
    message: Message,
    bytes: Bytes,
    delivery: Arc<Delivery>,
    target: Target,
    /// How often it may be sent on behind a session that has moved.
    hops: usize,
}

impl Question {
    /// Asks the node where the one session is now. True if that is this one.
    fn follow_to(&mut self, node: NodeId) -> bool {
        let is_own = node == self.own;
        if !is_own && self.hops > 0 {
            self.hops -= 1;
            // Without a number: what is counted is what was sent first.
            self.call.send_with(node, &self.message, &self.bytes);
        }
        is_own
    }
}

/// Collects members until every node that received the question has answered.
async fn gather(mut question: Question) -> Result<Vec<SessionId>, ClusterError> {
    let deadline = Instant::now() + PATIENCE;
    let heard = timeout_at(deadline, &mut question.heard).await.ok().and_then(Result::ok);
    let mut missing = Missing::new(heard.ok_or(ClusterError::Unavailable)?);
    let own = question.own;
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
                    found.extend(question.delivery.sessions(&question.target));
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
    let own = question.own;
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
                    let members = question.delivery.members(&question.target);
                    open = delivery::ask(members, &packet, timeout, &answers);
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

/// How often a session may have moved while somebody asks for it.
const HOPS: usize = 3;
