//! Describes a session layer: handlers, hooks and settings, each with its default and its reason.

mod clients;
mod processes;
mod rooms;
mod sessions;

use std::sync::Arc;

use bowline_protocol::{EventName, SessionConfig, ToServer};

use crate::bowline::Bowline;
use crate::config::{Config, GapHook};
use crate::gap::Gap;
use crate::handler::{AwayHandler, ConnectHandler, DisconnectHandler, Handler, RefreshHandler};
use crate::node::{Attaching, Handlers, Hooks, Node};
use crate::{keeper, transport};

/// Builds a [`Bowline`].
#[derive(Debug, Default)]
#[must_use = "nothing is served until build is called and the result is mounted"]
pub struct BowlineBuilder {
    config: Config,
    handlers: Handlers,
    hooks: Hooks,
}

impl Bowline {
    /// Starts to describe a session layer.
    pub fn builder() -> BowlineBuilder {
        BowlineBuilder::default()
    }
}

impl BowlineBuilder {
    /// Handles the messages of this name: the value of an [`Event`](crate::Event) type, or a
    /// string. See [`Handler`] for what a handler is. A later handler of the same name replaces
    /// the earlier.
    pub fn on<N: EventName + ToServer + 'static, Args: 'static>(
        mut self,
        name: N,
        handler: impl Handler<N, Args>,
    ) -> Self {
        self.handlers.on(name.name(), handler);
        self
    }

    /// Asks this function before a session opens. It may take [`Socket`](crate::Socket) (and join
    /// rooms with it), [`Auth`](crate::Auth), and whatever actix's extractors find in the request:
    /// application data, a logged-in user, a cookie session, the `HttpRequest`. See
    /// [`FromConnect`](crate::FromConnect). A refusal is told to the client, which then does
    /// not come back by itself; nothing that the client sent along is handled.
    ///
    /// What an extractor finds was put there by middleware that wraps Bowline. See
    /// [`Bowline::middleware`] for the order.
    pub fn on_connect<Args>(mut self, hook: impl ConnectHandler<Args>) -> Self {
        self.hooks.connect(hook);
        self
    }

    /// Asks this function whenever a client attaches to a session that exists: on another
    /// transport, after a cut, on another node. It may take [`Attaching`](crate::Attaching),
    /// and whatever actix's extractors find in the new request, as the connect hook does. A
    /// refusal ends the session, and the client is told why.
    ///
    /// It is asked where the request is. Not about the requests that belong to an attachment:
    /// POSTs, polls that follow another one, and the stream of a ticket, which was asked about
    /// when the ticket was issued.
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

    /// Asks this function about what a client presents anew, before
    /// [`Socket::expires_in`](crate::Socket::expires_in) is over. It may take
    /// [`Auth`](crate::Auth), [`Socket`](crate::Socket) and application data. The client libraries
    /// answer from where they have the authentication of an open, without a new connection.
    ///
    /// A session that it accepts goes on for the same time again, or for what the hook says with
    /// `expires_in`. One that it refuses ends at once with the code 4309, and its client does not
    /// come back by itself. Without this hook nobody is asked: the session ends, and its client
    /// opens another.
    pub fn on_refresh<Args>(mut self, hook: impl RefreshHandler<Args>) -> Self {
        self.hooks.refresh(hook);
        self
    }

    /// Tells this function when a session has ended, once, after its last message was handled. Its
    /// last argument is the [`Close`](crate::Close) that says why.
    pub fn on_disconnect<Args>(mut self, hook: impl DisconnectHandler<Args>) -> Self {
        self.hooks.disconnect(hook);
        self
    }

    /// Tells this function when the client of a session has been without a carrier for
    /// [`away_after`](Self::away_after): its network is gone, its machine sleeps. The session goes
    /// on, and what is emitted to it waits. Called once, in the order of the client's messages;
    /// followed by [`on_back`](Self::on_back), or by the end of the session.
    pub fn on_away<Args>(mut self, hook: impl AwayHandler<Args>) -> Self {
        self.hooks.away(hook);
        self.config.watches_away = true;
        self
    }

    /// Tells this function when a client that was away is back.
    pub fn on_back<Args>(mut self, hook: impl AwayHandler<Args>) -> Self {
        self.hooks.back(hook);
        self.config.watches_away = true;
        self
    }

    /// Tells this function when messages of other nodes were lost on their way. The clients
    /// concerned get the event [`GAP`](crate::GAP). It is called in the middle of the work of
    /// the cluster and must not block.
    pub fn on_gap(mut self, hook: impl Fn(&Gap) + Send + Sync + 'static) -> Self {
        self.config.on_gap = Some(GapHook(Box::new(hook)));
        self
    }

    /// The finished session layer. Reads the sessions of the process before, if there is a
    /// [`store`](Self::store): 100,000 sessions of 4 KiB take about two seconds.
    ///
    /// # Panics
    /// With a broker and a `history_store`: the histories would have to be in both.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> Bowline {
        assert!(
            self.config.broker.is_none() || self.config.history_store.is_none(),
            "nodes with a broker keep their histories there: set broker or history_store, not both"
        );
        let node = Node::new(self.config, self.handlers, self.hooks);
        transport::serve_relayed(&node);
        keeper::begin(&node);
        Bowline::from_node(node)
    }

    fn session(&mut self) -> &mut SessionConfig {
        Arc::make_mut(&mut self.config.session)
    }
}
