//! The requests, one by one.

use std::future::ready;
use std::sync::Arc;

use bowline_protocol::{Close, CloseCode, JoinNamespace, LeaveNamespace};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::failure::{Failure, NO_NAMESPACE};
use crate::handler::{IntoReply as _, Json};
use crate::message;
use crate::names::{asking_room, namespace_room};
use crate::node::{MessageContext, Node, RefreshContext, SessionContext};
use crate::session::{Decision, Handling, LiveSession};

/// Asks the application, and adds the session to the namespace.
pub(super) fn join(context: MessageContext<'_>) -> Handling {
    let number = context.request_number;
    let (node, session) = (context.session.node.share(), Arc::clone(context.session.session));
    let (name, decision) = match ask(&context) {
        Ok(asked) => asked,
        Err(failure) => return Box::pin(ready(Err(failure))),
    };
    Box::pin(async move {
        let decided = match decision {
            Some(decision) => decision.await.map_err(crate::Refusal::into_namespace_failure),
            None => Ok(()),
        };
        let entered = match decided {
            Ok(()) => enter(&node, &session, &name).await,
            Err(failure) => Err(failure),
        };
        node.rooms.leave(&asking_room(&name), &session);
        if entered.is_err() {
            node.leave_namespace(&session, &name);
        }
        entered.map(Json).into_answer(number)
    })
}

/// The namespace that the client wants to join, and what the application decides.
fn ask(context: &MessageContext<'_>) -> Result<(Arc<str>, Option<Decision>), Failure> {
    let SessionContext { node, session, .. } = context.session;
    let asked = read::<JoinNamespace<Box<RawValue>>>(context)?;
    let found = node.hooks.namespaces.get(&asked.namespace);
    let (name, hooks) = found.ok_or_else(|| Failure::new(NO_NAMESPACE))?;
    let limit = node.config.max_namespaces;
    let is_full = session.look(|state| {
        state.namespaces().count() >= limit && state.namespaces().all(|joined| joined != &**name)
    });
    if is_full {
        return Err(Failure::new(TOO_MANY).with(&limit));
    }
    // In this room the session may join others of the namespace before the application decides.
    node.rooms.join(&asking_room(name), session)?;
    let context = SessionContext { namespace: Some(name), ..context.session };
    let auth = asked.auth.as_ref().map_or("", |auth| auth.get());
    let connect = hooks.connect.as_ref();
    let decision = connect.map(|hook| hook(RefreshContext { session: context, auth }));
    Ok((Arc::clone(name), decision))
}

async fn enter(node: &Node, session: &Arc<LiveSession>, name: &str) -> Result<(), Failure> {
    let room = namespace_room(name);
    node.rooms.join(&room, session)?;
    if let Some(cluster) = &node.cluster {
        cluster.listening(&room).await;
    }
    Ok(())
}

/// Removes the session from the namespace.
pub(super) fn leave(context: MessageContext<'_>) -> Handling {
    let SessionContext { node, session, .. } = context.session;
    let LeaveNamespace { namespace } = match read(&context) {
        Ok(asked) => asked,
        Err(failure) => return Box::pin(ready(Err(failure))),
    };
    let mut call = None;
    if let Some((name, hooks)) = node.hooks.namespaces.get(&namespace)
        && node.leave_namespace(session, name)
    {
        let context = SessionContext { namespace: Some(name), ..context.session };
        let hook = hooks.disconnect.as_ref();
        call = hook.map(|hook| hook(context, Close::new(CloseCode::NORMAL)));
    }
    let number = context.request_number;
    Box::pin(async move {
        if let Some(call) = call {
            call.await;
        }
        Json(()).into_answer(number)
    })
}

fn read<T: DeserializeOwned>(context: &MessageContext<'_>) -> Result<T, Failure> {
    message::from_payload(&context.message.payload).map_err(|_| Failure::new(NO_NAMESPACE))
}

/// The session is in as many namespaces as it may be; with that number.
const TOO_MANY: &str = "too-many-namespaces";
