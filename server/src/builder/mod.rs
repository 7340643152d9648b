//! Describes a session layer: handlers, hooks and settings, each with its default and its reason.

mod clients;
mod messages;
mod namespace;
mod processes;
mod rooms;
mod sessions;

pub use namespace::NamespaceBuilder;

use std::sync::Arc;

use bowline_protocol::{EventName, SessionConfig, ToServer};

use crate::bowline::Bowline;
use crate::config::{Config, GapHook};
use crate::gap::Gap;
use crate::handler::{
    AwayHandler, ConnectHandler, DisconnectHandler, Handler, RefreshHandler, StreamHandler,
    TopicHandler,
};
use crate::node::{Attaching, Handlers, Hooks, Node};
use crate::topics::TopicKey;
use crate::{keeper, namespaces, streams, topics, transport};

/// Builds a [`Bowline`].
#[derive(Debug, Default)]
#[must_use = "nothing is served until build is called and the result is mounted"]
pub struct BowlineBuilder {
    config: Config,
    handlers: Handlers,
    hooks: Hooks,
    topic_keys: Vec<TopicKey>,
}

impl Bowline {
    /// Starts to describe a session layer.
    pub fn builder() -> BowlineBuilder {
        BowlineBuilder::default()
    }
}

impl BowlineBuilder {
    /// Handles the messages of this name: the value of an [`Event`](crate::Event) type, or a
    /// string. See [`Handler`] for the functions that are handlers. A later handler of the same
    /// name replaces the earlier one.
    ///
    /// # Panics
    /// When the name begins with `/`, as those of [namespaces](Self::namespace) do.
    #[track_caller]
    pub fn on<N: EventName + ToServer + 'static, Args: 'static>(
        mut self,
        name: N,
        handler: impl Handler<N, Args>,
    ) -> Self {
        let name = name.name();
        assert!(
            !name.starts_with('/'),
            "{name:?} begins with /, as messages of a namespace do: BowlineBuilder::namespace \
             handles those"
        );
        self.handlers.on(name, handler);
        self
    }

    /// Opens topics to clients. A topic is a room that clients ask to be subscribed to; this
    /// function is called for each client that asks, and grants or refuses. No topic is open
    /// without it.
    ///
    /// The names are a pattern of actix: `ticket/{id}`. The function's arguments may be
    /// [`web::Path`](actix_web::web::Path) with the parameters, [`Socket`](crate::Socket),
    /// [`Bowline`], [`Ext`](crate::Ext) and application data. The first rule whose names match
    /// decides. A parameter that cannot be read, such as a number that is a word, means that there
    /// is no such topic.
    ///
    /// A client may be subscribed to a pattern only by a rule with the same wildcards: `ticket/*`
    /// is one segment, `ticket/**` one or more. No parameter stands for a wildcard.
    ///
    /// All nodes of a cluster need the same rules. A topic counts as a room of the session
    /// ([`max_rooms_per_session`](Self::max_rooms_per_session)), and has a history if
    /// [`history`](Self::history) is set for rooms that begin like its name.
    ///
    /// ```
    /// use actix_web::web::Path;
    /// use bowline_server::{Bowline, Grant, Socket};
    ///
    /// async fn ticket(id: Path<u64>, socket: Socket) -> Result<Grant, &'static str> {
    ///     let user = socket.user().ok_or("log in first")?;
    ///     if user == "support" || *id == 7 { Ok(Grant::subscribe()) } else { Err("not yours") }
    /// }
    ///
    /// Bowline::builder().topic("ticket/{id}", ticket);
    /// ```
    ///
    /// Spec: 11-topics.
    ///
    /// # Panics
    /// When the text is no pattern of names.
    #[track_caller]
    pub fn topic<Args>(mut self, names: &str, handler: impl TopicHandler<Args>) -> Self {
        self.hooks.topics.on(names, handler);
        self
    }

    /// Serves the streams of this name, which clients open: sequences of items in one direction or
    /// in both. Its arguments are those of a handler, with [`Items`](crate::Items) or
    /// [`Chunks`](crate::Chunks) for what the client sends, and the payload last. It returns an
    /// [`ItemStream`](crate::ItemStream), or a value with which the stream ends.
    ///
    /// It runs beside the handlers of the session, and its future is dropped where it awaits when
    /// the client cancels the stream or the session ends. The session may have
    /// [`max_streams_per_session`](Self::max_streams_per_session) of them at a time. Each end sends
    /// only as much as the other receives ahead: see [`stream_window`](Self::stream_window).
    ///
    /// A stream survives a change of the transport and of the network. When its session moves to
    /// another node or process, its client receives the failure `interrupted`, and may open it
    /// again from where it is.
    ///
    /// ```
    /// use bowline_server::{Bowline, Chunks, Failure, ItemStream, Json};
    /// use futures::{TryStreamExt as _, stream};
    ///
    /// async fn count(to: u64) -> ItemStream {
    ///     ItemStream::new(stream::iter(1..=to))
    /// }
    ///
    /// async fn upload(file: Chunks, name: String) -> Result<Json<usize>, Failure> {
    ///     let size = file.try_fold(0, async |size, chunk| Ok(size + chunk.len())).await?;
    ///     println!("{name} has {size} bytes");
    ///     Ok(Json(size))
    /// }
    ///
    /// Bowline::builder().stream("count", count).stream("upload", upload);
    /// ```
    ///
    /// Spec: 12-streams.
    pub fn stream<Args, R>(mut self, name: &str, handler: impl StreamHandler<Args, R>) -> Self {
        self.hooks.streams.on(name, handler);
        self
    }

    /// Accepts grants that this key has signed: a page can be given a topic, such as the one of the
    /// invoice that it shows, without a function that decides. Call it again to accept another key
    /// as well, while the old one is replaced. A grant that is sent with a subscription decides
    /// alone; [`topic`](Self::topic) decides about subscriptions without one.
    ///
    /// Spec: 11-topics, "Signed grants".
    pub fn topic_key(mut self, key: TopicKey) -> Self {
        self.topic_keys.push(key);
        self
    }

    /// Calls this function before a session opens: it accepts or refuses the client. Its arguments
    /// may be [`Socket`](crate::Socket) (with which it can join rooms), [`Auth`](crate::Auth), and
    /// whatever actix's extractors find in the request: application data, a logged-in user, a
    /// cookie session, the `HttpRequest`. See [`FromConnect`](crate::FromConnect). The client
    /// receives a refusal and does not reconnect by itself; the server handles nothing that the
    /// client has sent.
    ///
    /// The middleware that wraps Bowline provides what an extractor finds. See
    /// [`Bowline::middleware`] for the order.
    pub fn on_connect<Args>(mut self, hook: impl ConnectHandler<Args>) -> Self {
        self.hooks.connect(hook);
        self
    }

    /// Calls this function whenever a client attaches to an existing session: on another transport,
    /// after a cut, on another node. Its arguments may be [`Attaching`](crate::Attaching), and
    /// whatever actix's extractors find in the new request, as for the connect hook. A refusal ends
    /// the session, and the client receives the reason.
    ///
    /// The node that receives the request calls it. It is not called for the requests that belong
    /// to an attachment: POSTs, polls that follow another one, and the stream of a ticket, for
    /// which it was called when the server issued the ticket.
    ///
    /// ```
    /// use bowline_server::{Attaching, Bowline};
    /// use actix_web::HttpRequest;
    ///
    /// Bowline::builder().on_attach(|attaching: Attaching, request: HttpRequest| async move {
    ///     let still_there = request.headers().contains_key("cookie");
    ///     if still_there || attaching.user().is_none() { Ok(()) } else { Err("log in again") }
    /// });
    /// ```
    pub fn on_attach<Args>(mut self, hook: impl ConnectHandler<Args, Attaching>) -> Self {
        self.hooks.attach(hook);
        self
    }

    /// Calls this function with the new authentication of a client, before the time of
    /// [`Socket::expires_in`](crate::Socket::expires_in) is over. Its arguments may be
    /// [`Auth`](crate::Auth), [`Socket`](crate::Socket) and application data. The client libraries
    /// take the authentication from where they have that of an open, and need no new connection.
    ///
    /// An accepted session continues for the same time again, or for the time that the hook sets
    /// with `expires_in`. A refused session ends at once with the code 4309, and its client does
    /// not reconnect by itself. Without this hook the server asks no client: the session ends, and
    /// its client opens another.
    pub fn on_refresh<Args>(mut self, hook: impl RefreshHandler<Args>) -> Self {
        self.hooks.refresh(hook);
        self
    }

    /// Calls this function when a session has ended, once, after its last message was handled. Its
    /// last argument is the [`Close`](crate::Close) with the reason.
    pub fn on_disconnect<Args>(mut self, hook: impl DisconnectHandler<Args>) -> Self {
        self.hooks.disconnect(hook);
        self
    }

    /// Calls this function when the client of a session has been without a carrier for
    /// [`away_after`](Self::away_after): its network is gone, its machine sleeps. The session
    /// continues, and stores the events that the application emits to it. The server calls it once,
    /// in the order of the client's messages; then it calls [`on_back`](Self::on_back), or the
    /// session ends.
    pub fn on_away<Args>(mut self, hook: impl AwayHandler<Args>) -> Self {
        self.hooks.away(hook);
        self.config.watches_away = true;
        self
    }

    /// Calls this function when a client that was away has reconnected.
    pub fn on_back<Args>(mut self, hook: impl AwayHandler<Args>) -> Self {
        self.hooks.back(hook);
        self.config.watches_away = true;
        self
    }

    /// Calls this function when messages of other nodes were lost on their way. The affected
    /// clients receive the event [`GAP`](crate::GAP). The thread of the cluster calls it, so it
    /// must not block.
    pub fn on_gap(mut self, hook: impl Fn(&Gap) + Send + Sync + 'static) -> Self {
        self.config.on_gap = Some(GapHook(Box::new(hook)));
        self
    }

    /// The finished session layer. Reads the sessions of the previous process, if there is a
    /// [`store`](Self::store): 100,000 sessions of 4 KiB take about two seconds.
    ///
    /// # Panics
    /// With a broker and a `history_store`, because the histories would be in both.
    #[must_use]
    #[track_caller]
    pub fn build(mut self) -> Bowline {
        assert!(
            self.config.broker.is_none() || self.config.history_store.is_none(),
            "nodes with a broker keep their histories there: set broker or history_store, not both"
        );
        if !self.hooks.streams.is_empty() {
            streams::serve(&mut self.handlers);
        }
        if !self.topic_keys.is_empty() {
            let keys = std::mem::take(&mut self.topic_keys);
            let verify = move |text: &str, topic: &str, user: Option<&str>, session| {
                topics::verified(&keys, text, topic, user, session)
            };
            self.hooks.topics.accept(Box::new(verify));
        }
        if !self.hooks.topics.is_empty() {
            topics::serve(&mut self.handlers);
        }
        if !self.hooks.namespaces.is_empty() {
            namespaces::serve(&mut self.handlers);
        }
        let node = Node::new(self.config, self.handlers, self.hooks);
        transport::serve_relayed(&node);
        keeper::begin(&node);
        Bowline::from_node(node)
    }

    fn session(&mut self) -> &mut SessionConfig {
        Arc::make_mut(&mut self.config.session)
    }
}
