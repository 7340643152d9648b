//! Asks the node that holds a session whose it is, for a client that attaches elsewhere.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::sync::Arc;

use bowline_protocol::{Close, CloseCode, NodeId, OpenKey, Packet, Secret, SessionId};
use tokio::time::sleep;

use super::Directory;
use crate::cluster::PATIENCE;
use crate::cluster::bus::wire::{Hidden, Id, Message};
use crate::cluster::bus::{Asker, Reply};
use crate::local::Local;
use crate::session::{LiveSession, OpenPhase};

/// A session, and whose it is.
pub(crate) type Owned = (SessionId, Option<String>);

/// The answer of a node.
enum Answer {
    Owned(Option<Owned>, bool),
    Moved(NodeId),
}

impl Directory {
    /// Whose session a first line speaks for, and whether its secret is right. `None` if its owner
    /// knows none that is open, or the secret is wrong.
    ///
    /// # Errors
    /// The close that the client receives when the session's owner does not answer.
    pub(crate) async fn whose(
        self: &Arc<Self>,
        owner: NodeId,
        first: &Packet,
    ) -> Result<(Option<Owned>, bool), Close> {
        let question = match first {
            Packet::Attach(attach) => Message::Whose {
                session: Some(Id(attach.session)),
                secret: Some(Hidden(attach.secret.reveal())),
                key: None,
            },
            Packet::Open(open) => {
                Message::Whose { session: None, secret: None, key: Some(Hidden(open.key.reveal())) }
            }
            _ => return Ok((None, false)),
        };
        self.follow_whose(owner, &question).await.ok_or_else(|| {
            let reason = "the node that holds the session does not answer";
            Close::with_reason(CloseCode::INTERNAL, reason)
        })
    }

    /// Follows a session that has moved. `None` if nobody can say.
    async fn follow_whose(
        self: &Arc<Self>,
        mut owner: NodeId,
        question: &Message,
    ) -> Option<(Option<Owned>, bool)> {
        for _ in 0..HOPS {
            match self.ask_owner(owner, question).await? {
                Answer::Owned(owned, proven) => return Some((owned, proven)),
                // It has come here meanwhile: its client tries again.
                Answer::Moved(node) if node == self.bus.id => return None,
                Answer::Moved(node) => owner = node,
            }
        }
        None
    }

    async fn ask_owner(self: &Arc<Self>, owner: NodeId, question: &Message) -> Option<Answer> {
        let mut call = self.bus.call();
        call.send(owner, question);
        // On the runtime of the cluster, which has timers wherever this is called.
        let late = self.bus.handle.spawn(async { sleep(PATIENCE).await });
        let answered = async {
            loop {
                match call.replies.recv().await? {
                    Reply::Heard(_, Message::Owned { session, user, proven }, _) => {
                        let owned = session.map(|Id(session)| (session, user));
                        return Some(Answer::Owned(owned, proven));
                    }
                    Reply::Heard(_, Message::Moved { node: Id(node) }, _) => {
                        return Some(Answer::Moved(node));
                    }
                    Reply::Gone(gone) if gone == owner => return None,
                    Reply::Down => return None,
                    _ => {}
                }
            }
        };
        tokio::select! {
            answer = answered => answer,
            _ = late => None,
        }
    }

    /// Another node asks for a client that attaches there.
    pub(crate) fn take_whose(
        &self,
        local: &Arc<Local>,
        asker: Asker,
        session: Option<SessionId>,
        secret: Option<Secret>,
        key: Option<OpenKey>,
    ) {
        if let Some(to) = session.and_then(|session| self.moved(session)) {
            return self.bus.reply(asker, &Message::Moved { node: Id(to) });
        }
        let by_id = session.and_then(|session| local.registry.get(&session));
        let by_id = by_id.filter(|session| Some(session.secret) == secret);
        let proven = by_id.is_some();
        let found = by_id.or_else(|| key.and_then(|key| local.registry.by_key(&key)));
        let is_open =
            |session: &Arc<LiveSession>| session.look(|state| state.phase() == OpenPhase::Open);
        let found = found.filter(is_open);
        let user = found.as_ref().and_then(|session| session.user());
        let session = found.map(|session| Id(session.id));
        self.bus.reply(asker, &Message::Owned { session, user, proven });
    }
}

/// How often a session may have moved while somebody asks for it.
const HOPS: usize = 3;
