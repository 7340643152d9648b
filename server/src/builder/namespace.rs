//! Describes one namespace: its handlers and hooks.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use bowline_protocol::{EventName, ToServer, is_namespace};

use super::BowlineBuilder;
use crate::failure::{Failure, NO_NAMESPACE};
use crate::handler::{DisconnectHandler, Handler, RefreshHandler};
use crate::names::namespace_room;
use crate::node::{AnyHandler, MessageContext, NamespaceHooks, SessionContext};

/// Describes a namespace: see [`BowlineBuilder::namespace`].
#[must_use = "the function of BowlineBuilder::namespace returns it"]
pub struct NamespaceBuilder {
    name: Arc<str>,
    handlers: Vec<(String, Box<AnyHandler>)>,
    hooks: NamespaceHooks,
}

impl BowlineBuilder {
    /// Adds a namespace: a part of a session with its own authentication, rooms, users and
    /// handlers, which clients join and leave while the session continues. None exists unless set.
    ///
    /// The [`Socket`](crate::Socket) of its handlers and hooks is bound to it: events, requests,
    /// rooms and the user are those of the namespace, and
    /// [`disconnect`](crate::Socket::disconnect) ends the membership, not the session.
    /// [`Bowline::of`](crate::Bowline::of) sends to its members. Values
    /// ([`insert`](crate::Socket::insert)) belong to the session: a type of the application's own
    /// for each namespace keeps them apart. Topics, streams, histories and presence are in no
    /// namespace, and the hooks of [`around`](Self::around) see its messages with names such as
    /// `/admin,say`.
    ///
    /// A session may be in [`max_namespaces`](Self::max_namespaces). All nodes of a cluster need
    /// the same ones.
    ///
    /// ```
    /// use bowline_server::{Auth, Bowline, Close, Socket};
    ///
    /// async fn enter(socket: Socket, Auth(token): Auth<String>) -> Result<(), &'static str> {
    ///     if token != "secret" {
    ///         return Err("staff only");
    ///     }
    ///     socket.join("staff").map_err(|_| "too many rooms")
    /// }
    ///
    /// async fn say(socket: Socket, text: String) {
    ///     let _ = socket.to("staff").emit("said", &text);
    /// }
    ///
    /// let bowline = Bowline::builder()
    ///     .namespace("/admin", |admin| {
    ///         admin.on_connect(enter).on("say", say).on_disconnect(async |_: Close| ())
    ///     })
    ///     .build();
    /// bowline.of("/admin").emit("news", "the shop is open").unwrap();
    /// ```
    ///
    /// Spec: 13-namespaces.
    ///
    /// # Panics
    /// When the name is not `/` and 1 to 31 more bytes without spaces and commas, or when there is
    /// a namespace of this name.
    #[track_caller]
    pub fn namespace(
        mut self,
        name: &str,
        describe: impl FnOnce(NamespaceBuilder) -> NamespaceBuilder,
    ) -> Self {
        assert!(
            is_namespace(name),
            "{name:?} is no namespace: it is / and 1 to 31 more bytes, without spaces and commas"
        );
        let hooks = NamespaceHooks::default();
        let empty = NamespaceBuilder { name: name.into(), handlers: Vec::new(), hooks };
        let NamespaceBuilder { name, handlers, hooks } = describe(empty);
        for (message, handler) in handlers {
            self.handlers.insert(message, handler);
        }
        assert!(
            self.hooks.namespaces.insert(Arc::clone(&name), hooks),
            "there is a namespace {name:?} already"
        );
        self
    }

    /// How many namespaces a session may be in. Defaults to 16; each also counts as one of
    /// [`max_rooms_per_session`](Self::max_rooms_per_session). The client that joins another
    /// receives the failure `too-many-namespaces` with this number.
    pub const fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.config.max_namespaces = namespaces;
        self
    }
}

impl NamespaceBuilder {
    /// Handles the messages of this name in the namespace, as [`BowlineBuilder::on`]. A request of
    /// a session that has not joined fails with `no-namespace`, and the server drops its events.
    pub fn on<N: EventName + ToServer + 'static, Args: 'static>(
        mut self,
        name: N,
        handler: impl Handler<N, Args>,
    ) -> Self {
        let (namespace, room) = (Arc::clone(&self.name), namespace_room(&self.name));
        let message = format!("{namespace},{}", name.name());
        let handler = move |context: MessageContext<'_>| {
            if !context.session.session.look(|state| state.rooms.contains(&*room)) {
                return Box::pin(ready(Err(Failure::new(NO_NAMESPACE)))) as _;
            }
            let session = SessionContext { namespace: Some(&namespace), ..context.session };
            handler.call(MessageContext { session, ..context })
        };
        self.handlers.push((message, Box::new(handler)));
        self
    }

    /// Calls this function when a client joins: it accepts or refuses. Its arguments may be
    /// [`Auth`](crate::Auth) with the authentication for this namespace,
    /// [`Socket`](crate::Socket), with which it can name a user and join rooms,
    /// [`Bowline`](crate::Bowline), [`Ext`](crate::Ext) and application data. It returns `()` or a
    /// `Result` whose error becomes a [`Refusal`](crate::Refusal) of this namespace; the rest of
    /// the session continues. Every client may join unless set.
    ///
    /// The socket can send when the function has accepted. A client that joins again is asked
    /// again.
    pub fn on_connect<Args>(mut self, hook: impl RefreshHandler<Args>) -> Self {
        self.hooks.connect = Some(Box::new(move |context| hook.call(context)));
        self
    }

    /// Calls this function when the client has left the namespace, or its session has ended. Its
    /// last argument is the [`Close`](crate::Close): 1000 for a client that has left. The server
    /// does not call it when the application itself has ended the membership.
    pub fn on_disconnect<Args>(mut self, hook: impl DisconnectHandler<Args>) -> Self {
        self.hooks.disconnect = Some(Box::new(move |context, close| hook.call(context, close)));
        self
    }
}

impl fmt::Debug for NamespaceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}
