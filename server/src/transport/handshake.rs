//! The values that the application's hooks extract from a request, while the request is inside the
//! application's middleware.
//!
//! A middleware may remove what it has added to a request as soon as the head of the response is
//! complete. On a WebSocket this is before the client has sent its first line, and so before a hook
//! can run.

#![expect(clippy::disallowed_methods, reason = "the deadline of a first message")]

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_web::{HttpRequest, rt};
use bowline_protocol::{Close, Packet};
use futures::FutureExt as _;

use crate::complaints::limited;
use crate::mounted;
use crate::node::{Attaching, ConnectContext, HandshakeHook, Node, Prepared};
use crate::refusal::Refusal;

/// The values of a request that are kept until its first line is known and the hooks run.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) address: Option<IpAddr>,
    pub(super) connect: Option<Prepared<ConnectContext>>,
    pub(super) attach: Option<Check>,
    /// Another node has received the request and has called the hooks.
    pub(super) is_relayed: bool,
}

/// The application's check of an attachment.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) hook: Prepared<Attaching>,
    pub(super) address: Option<IpAddr>,
}

impl Handshake {
    /// Extracts the values for the hooks that this first line requires, or for all hooks if it is
    /// not known yet.
    pub(super) async fn take(
        node: &Arc<Node>,
        request: &HttpRequest,
        first: Option<&Packet>,
    ) -> Self {
        let client = node.config.proxies.client(request.head());
        let address = client.address;
        if client.is_disputed {
            let what = "Forwarded and X-Forwarded-For name two clients, so neither counts; let \
                the proxy remove the one that it \
                does not write";
            node.complain("forwarded", format_args!("{what}"));
        }
        let opens = first.is_none_or(|first| matches!(first, Packet::Open(_)));
        let hooks = &node.hooks;
        let (connect, attach) = (hooks.connect.as_ref().filter(|_| opens), hooks.attach.as_ref());
        let any = connect.is_some() || attach.is_some();
        let _serving = any.then(|| mounted::Serving::begin(node, request));
        let connect = prepare(node, connect, request).await;
        let attach = prepare(node, attach, request).await.map(|hook| Check { hook, address });
        Self { address, connect, attach, is_relayed: false }
    }

    /// For a request that another node has received from this address.
    pub(super) const fn relayed(address: Option<IpAddr>) -> Self {
        Self { address, connect: None, attach: None, is_relayed: true }
    }
}

/// Runs the extractors of a hook. Their failures matter only if the hook is called.
async fn prepare<C: 'static>(
    node: &Node,
    hook: Option<&HandshakeHook<C>>,
    request: &HttpRequest,
) -> Option<Prepared<C>> {
    let hook = hook?;
    let extractors = AssertUnwindSafe(hook.prepare(request)).catch_unwind();
    Some(match rt::time::timeout(node.config.connect_timeout, extractors).await {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(_)) => {
            limited!(
                warn: "an extractor of a hook panicked. If its middleware is wrapped by \
                 bowline.middleware(), {}",
                mounted::RIGHT_ORDER
            );
            Prepared::refusing("the connect hook failed".into())
        }
        Err(_) => Prepared::refusing(Refusal::late()),
    })
}

/// Calls a hook, within `connect_timeout`.
pub(super) async fn call<C: 'static>(
    node: &Node,
    hook: Prepared<C>,
    context: C,
) -> Result<(), Close> {
    let decision = AssertUnwindSafe(async { hook.call(&context).await }).catch_unwind();
    let outcome = match rt::time::timeout(node.config.connect_timeout, decision).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            limited!("the connect hook panicked");
            Err("the connect hook failed".into())
        }
        Err(_) => Err(Refusal::late()),
    };
    outcome.map_err(Refusal::into_close)
}
