//! The handle of the session layer.

use std::any::Any;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_http::{Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory};
use actix_web::dev::{AppConfig, Extensions};
use actix_web::{FromRequest, HttpRequest, dev, error::ErrorInternalServerError};
use bowline_protocol::{Carries, SessionId, ToClient};
use serde::Serialize;

use crate::cluster::ClusterStats;
use crate::error::EmitError;
use crate::guard::Watched;
use crate::handles::History;
use crate::handles::Namespace;
use crate::handles::Presence;
use crate::handles::Socket;
use crate::handles::{Audience, Recipient, Topic};
use crate::middleware::BowlineMiddleware;
use crate::mounted;
use crate::names::room_of;
use crate::node::Node;
use crate::service::BowlineService;
use crate::stats::Stats;

/// The session layer of an application. Cheap to clone, `Send + Sync`; build it once and move
/// clones into the application factory, which actix runs for every worker.
///
/// Ordinary request handlers can extract it and send to rooms and sessions.
#[derive(Clone)]
pub struct Bowline {
    pub(crate) node: Arc<Node>,
}

impl Bowline {
    pub(crate) const fn from_node(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// For `App::service`: serves the endpoints below the path.
    #[must_use]
    pub fn service(&self) -> BowlineService {
        BowlineService::new(self.node())
    }

    /// For `App::wrap`: serves the endpoints before any routing, so that it also works in front of
    /// a catch-all, and passes every other request on.
    ///
    /// actix runs the middleware that was wrapped last first. So wrap this one before the
    /// middleware that the hooks need, such as sessions and identities; middleware that this one
    /// wraps never sees a request of a client. Where the order looks wrong the server logs a
    /// warning when it starts.
    ///
    /// ```no_run
    /// # use actix_web::{App, middleware::NormalizePath as IdentityMiddleware};
    /// # let bowline = bowline_server::Bowline::builder().build();
    /// App::new().wrap(bowline.middleware()).wrap(IdentityMiddleware::trim());
    /// ```
    #[must_use]
    pub fn middleware(&self) -> BowlineMiddleware {
        BowlineMiddleware::new(self.node())
    }

    /// For `HttpServer::on_connect`, before `bind`: gives every connection deadlines that actix
    /// does not have.
    ///
    /// - A peer that reads nothing of what is written to it is cut after
    ///   [`write_timeout`](crate::BowlineBuilder::write_timeout), 20 s unless set, by the operating
    ///   system (`TCP_USER_TIMEOUT`). Only Linux and Android can do that.
    /// - A peer that has gone without a word is noticed by TCP's keep-alive, after about as long,
    ///   on every system.
    /// - A connection on which no request has been in progress for
    ///   [`idle_timeout`](crate::BowlineBuilder::idle_timeout), 20 s unless set, is closed: one
    ///   that stalls in its second request head, or in what is left of a body that was answered.
    ///   Which requests are in progress is known where the application was given to
    ///   [`watch`](Self::watch); elsewhere nothing is closed. That costs a second file descriptor
    ///   for each connection that is not a WebSocket or a stream.
    ///
    /// It knows TCP, and with the feature `rustls-0_23` TLS. For other TLS call it with the
    /// `TcpStream` inside. Unix sockets are left alone. Where it is missing, the server logs
    /// a warning with the first request.
    ///
    /// ```no_run
    /// # use actix_web::{App, HttpServer};
    /// # use bowline_server::Bowline;
    /// # fn main() -> std::io::Result<()> {
    /// # let bowline = Bowline::builder().build();
    /// # let mounted = bowline.clone();
    /// HttpServer::new(bowline.watch(move || App::new().service(mounted.service())))
    ///     .on_connect(bowline.guard())
    ///     .bind(("127.0.0.1", 8080))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn guard(&self) -> impl Fn(&dyn Any, &mut Extensions) + Clone + Send + Sync + 'static {
        let guards = Arc::clone(&self.node.guards);
        move |io, data| guards.meet(io, data)
    }

    /// For `HttpServer::new`: watches the requests of the application of this factory, from outside
    /// of all its middleware. [`guard`](Self::guard) and [`run`](Self::run) then know which
    /// requests are in progress: from the head of a request to the last byte of its response they
    /// do not close its connection, however long the application takes.
    ///
    /// It does not matter how Bowline is mounted. With several in one application, one watches.
    pub fn watch<F, I, S, B>(
        &self,
        factory: F,
    ) -> impl Fn() -> Watched<S, B> + Clone + Send + 'static
    where
        F: Fn() -> I + Clone + Send + 'static,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig>,
        S::Response: Into<Response<B>>,
    {
        let guards = Arc::clone(&self.node.guards);
        guards.start_watching();
        move || Watched::new(factory().into_factory(), Arc::clone(&guards))
    }

    /// The members of a room.
    pub fn to(&self, room: impl AsRef<str>) -> Audience {
        Audience::room(self.node(), room.as_ref())
    }

    /// All sessions.
    pub fn to_all(&self) -> Audience {
        Audience::all(self.node())
    }

    /// All sessions of a user, as [`Socket::set_user`] has named it.
    pub fn to_user(&self, user: impl AsRef<str>) -> Audience {
        Audience::room(self.node(), &room_of(user.as_ref()))
    }

    /// A namespace: see [`BowlineBuilder::namespace`](crate::BowlineBuilder::namespace). One that
    /// does not exist has no members.
    #[must_use]
    pub fn of(&self, namespace: impl AsRef<str>) -> Namespace {
        Namespace::new(self.node(), namespace.as_ref().into())
    }

    /// One session by its id; none when it has ended.
    pub fn to_session(&self, session: SessionId) -> Recipient {
        Recipient::new(self.node(), session)
    }

    /// A topic, to publish to it: see [`BowlineBuilder::topic`](crate::BowlineBuilder::topic).
    pub fn topic(&self, topic: impl AsRef<str>) -> Topic {
        Topic::new(self.node(), topic.as_ref())
    }

    /// The history of a room that has one: see
    /// [`BowlineBuilder::history`](crate::BowlineBuilder::history).
    pub fn history(&self, room: impl AsRef<str>) -> History {
        History::new(self.node(), room.as_ref())
    }

    /// The sessions that are present in a room. None is until the application lets it enter.
    #[must_use]
    pub fn presence(&self, room: impl AsRef<str>) -> Presence {
        Presence::new(self.node(), room.as_ref())
    }

    /// The session with this id, if it is on this node.
    #[must_use]
    pub fn socket(&self, session: &SessionId) -> Option<Socket> {
        {
            let node = self.node();
            let session = node.registry.get(session)?;
            Some(Socket::new(node, session))
        }
    }

    /// Sends an event to all sessions. Returns the number of sessions that receive it.
    ///
    /// # Errors
    /// When the payload or the name cannot be encoded.
    pub fn emit<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<usize, EmitError> {
        self.to_all().emit(name, payload)
    }

    /// The number of sessions on this node, including those whose clients are away.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.node.registry.len()
    }

    /// What this node keeps for its sessions now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.node)
    }

    /// What this node has exchanged with others; `None` without a broker.
    #[must_use]
    pub fn cluster_stats(&self) -> Option<ClusterStats> {
        self.node.cluster.as_ref().map(|cluster| cluster.stats())
    }

    /// For the application, which may see or change sessions.
    fn node(&self) -> Arc<Node> {
        self.node.commit();
        Arc::clone(&self.node)
    }
}

impl FromRequest for Bowline {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let serving = mounted::Serving::of(request).map(Self::from_node);
        let registered = || request.app_data::<Self>().cloned();
        let mounted = || mounted::only_mounted(request).map(Self::from_node);
        ready(serving.or_else(registered).or_else(mounted).ok_or_else(|| {
            ErrorInternalServerError(
                "there is no Bowline, or more than one, in this application; add \
                 .app_data(bowline.clone()) to say which one handlers mean",
            )
        }))
    }
}

impl fmt::Debug for Bowline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bowline")
            .field("node", &self.node.id)
            .field("path", &self.node.config.path)
            .finish_non_exhaustive()
    }
}
