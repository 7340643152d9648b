//! Decisions of the application about attachments that take longer than a poll can wait.

#![expect(
    clippy::disallowed_methods,
    reason = "a task for a hook that decides about an attachment, with a deadline"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::rt;
use actix_web::rt::time::sleep;
use bowline_protocol::{Close, SessionId};
use futures::future::LocalBoxFuture;
use tokio::sync::watch;

use super::Node;
use crate::locks::lock;

/// What an application decides about an attachment.
pub(crate) type AttachDecision = LocalBoxFuture<'static, Result<(), Close>>;

/// Decisions that polls wait for, by session.
#[derive(Debug, Default)]
pub(crate) struct Decisions(Mutex<HashMap<SessionId, Verdict>>);

type Verdict = watch::Receiver<Option<Result<(), Close>>>;

impl Decisions {
    /// The decision that another poll of this session waited for.
    pub(crate) fn known(&self, session: SessionId) -> Option<Verdict> {
        lock(&self.0).get(&session).cloned()
    }

    pub(crate) fn forget(&self, session: SessionId) {
        lock(&self.0).remove(&session);
    }

    /// Keeps a decision until a poll has come for it, or none does.
    pub(crate) fn follow(
        &self,
        node: &Arc<Node>,
        session: SessionId,
        decision: AttachDecision,
    ) -> Verdict {
        let (decided, verdict) = watch::channel(None);
        lock(&self.0).insert(session, verdict.clone());
        let (own, node) = (verdict.clone(), Arc::clone(node));
        rt::spawn(async move {
            decided.send_replace(Some(decision.await));
            sleep(LINGER).await;
            let mut open = lock(&node.decisions.0);
            if open.get(&session).is_some_and(|known| known.same_channel(&own)) {
                open.remove(&session);
            }
        });
        verdict
    }
}

/// How long a decision waits for a client that has not come for it.
const LINGER: Duration = Duration::from_secs(10);
