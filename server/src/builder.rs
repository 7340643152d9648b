//! Describes a session layer: handlers, hooks and settings, each with its default and its reason.

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{EventName, SessionConfig, ToServer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bowline::Bowline;
use crate::broker::{Broker, Keep};
use crate::config::{BearerToken, Carry, Config, GapHook, Origins};
use crate::gap::Gap;
use crate::handler::{AwayHandler, ConnectHandler, DisconnectHandler, Handler, RefreshHandler};
use crate::node::{Attaching, Handlers, Hooks, Node};
use crate::store::Store;
use crate::{keeper, origin, transport};

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
    /// Handles the messages of this name: the value of an [`Event`](crate::Event) type, or a string.
    /// See [`Handler`] for what a handler is. A later handler of the same name replaces the earlier.
    pub fn on<N: EventName + ToServer + 'static, Args: 'static>(
        mut self,
        name: N,
        handler: impl Handler<N, Args>,
    ) -> Self {
        self.handlers.on(name.name(), handler);
        self
    }

    /// Asks this function before a session opens. It may take [`Socket`](crate::Socket) (and join
    /// rooms with it), [`Auth`](crate::Auth), and whatever actix's extractors find in the request: application data,
    /// a logged-in user, a cookie session, the `HttpRequest`. See [`FromConnect`](crate::FromConnect). A
    /// refusal is told to the client, which then does not come back by itself; nothing that the
    /// client sent along is handled.
    ///
    /// What an extractor finds was put there by middleware that wraps Bowline. See
    /// [`Bowline::middleware`] for the order.
    pub fn on_connect<Args>(mut self, hook: impl ConnectHandler<Args>) -> Self {
        self.hooks.connect(hook);
        self
    }

    /// Asks this function whenever a client attaches to a session that exists: on another transport, after a cut, on
    /// another node. It may take [`Attaching`](crate::Attaching), and whatever actix's extractors find in the new request,
    /// as the connect hook does. A refusal ends the session, and the client is told why.
    ///
    /// It is asked where the request is. Not about the requests that belong to an attachment: POSTs, polls that follow
    /// another one, and the stream of a ticket, which was asked about when the ticket was issued.
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

    /// Asks this function about what a client presents anew, before [`Socket::expires_in`](crate::Socket::expires_in)
    /// is over. It may take [`Auth`](crate::Auth), [`Socket`](crate::Socket) and application data. The client libraries
    /// answer from where they have the authentication of an open, without a new connection.
    ///
    /// A session that it accepts goes on for the same time again, or for what the hook says with
    /// `expires_in`. One that it refuses ends at once with the code 4309, and its client does not come back by itself.
    /// Without this hook nobody is asked: the session ends, and its client opens another.
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
    /// [`away_after`](Self::away_after): its network is gone, its machine sleeps. The session goes on, and
    /// what is emitted to it waits. Called once, in the order of the client's messages; followed by
    /// [`on_back`](Self::on_back), or by the end of the session.
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

    /// How long a session is without a carrier before its client counts as away: for
    /// [`on_away`](Self::on_away), and for the mark in [`presence`](crate::Presence). Defaults to 5 s, so
    /// that a change of transport or a short cut is not noticed.
    pub const fn away_after(mut self, time: Duration) -> Self {
        self.config.away_after = time;
        self
    }

    /// Tells this function when messages of other nodes were lost on their way. The clients concerned
    /// get the event [`GAP`](crate::GAP). It is called in the middle of the work of the cluster and
    /// must not block.
    pub fn on_gap(mut self, hook: impl Fn(&Gap) + Send + Sync + 'static) -> Self {
        self.config.on_gap = Some(GapHook(Box::new(hook)));
        self
    }

    /// Joins a cluster of nodes: rooms, users and sessions are those of all nodes that the broker
    /// reaches, and clients may come to any of them. Without a broker the node is alone.
    pub fn broker(mut self, broker: impl Broker) -> Self {
        self.config.broker = Some(Arc::new(broker));
        self
    }

    /// Lets values of this type that are kept with [`Socket::insert`](crate::Socket::insert) travel when a
    /// node that stops hands its sessions to others or [stores](Self::store) them, under a name that all nodes and
    /// versions use. A session that keeps a value of a type that does not travel is not handed over or stored: its client
    /// opens a new one.
    pub fn carry<T>(mut self, name: &str) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.config.carries.push(Carry::new::<T>(name));
        self
    }

    /// Keeps what is said with [`Bowline::history`] to rooms whose names begin with this: so many messages
    /// at most, in [`history_limit`](Self::history_limit) bytes, and for so long. No room has a history unless set; the longest beginning counts.
    ///
    /// The history is in the memory of the process, also on its disk with `history_store`, or in the broker if there
    /// is one. Sessions that follow a room make their node keep a copy.
    pub fn history(mut self, rooms: &str, messages: usize, age: Duration) -> Self {
        self.config.histories.push((rooms.to_owned(), Keep { messages, bytes: usize::MAX, age }));
        self
    }

    /// Bytes of the history of one room, counting 64 for each message beside its own. Defaults to 2 MiB, so that whoever
    /// wants all of it gets it in an [`outbox`](Self::outbox_limit). Beyond it the oldest messages are forgotten, but for the
    /// newest of all; followers who want them learn that they are gone.
    pub const fn history_limit(mut self, bytes: usize) -> Self {
        self.config.history_limit = bytes;
        self
    }

    /// Bytes of all histories in the memory of this process, and as many again for the copies of those that are followed
    /// here. Defaults to a quarter of [`memory_limit`](Self::memory_limit). Beyond it the messages of the rooms are
    /// forgotten that were not used for longest, and a copy forgets its older half. A broker that is another process has
    /// limits of its own: `maxmemory` of Redis.
    pub const fn history_memory_limit(mut self, bytes: usize) -> Self {
        self.config.history_memory_limit = Some(bytes);
        self
    }

    /// Rooms with a history in the memory of this process. Defaults to 100,000. A room counts from the moment that it is
    /// said to or followed until a day after its last message is too old. Beyond it rooms are forgotten: those without
    /// messages first, then those that were not used for longest. Their histories begin anew when they are used again.
    pub const fn max_histories(mut self, rooms: usize) -> Self {
        self.config.max_histories = if rooms == 0 { 1 } else { rooms };
        self
    }

    /// Keeps the histories of this node in a file as well, so that they outlive the process: positions go on, and a
    /// client that follows from the last it has seen gets what it has missed. They are in memory only unless set.
    ///
    /// A message is told to followers, and [`History::emit`](crate::History::emit) resolves, when it is on the disk.
    /// Memory and disk keep the same, within the same limits. Not for nodes with a [`broker`](Self::broker), which
    /// share their histories there: [`build`](Self::build) panics.
    #[cfg(feature = "history-file")]
    pub fn history_store(mut self, file: crate::broker::HistoryFile) -> Self {
        self.config.history_store = Some(Arc::new(file));
        self
    }

    /// Lets programs that know this token publish with `POST <path>/publish`. Not possible unless set.
    ///
    /// The request has `Authorization: Bearer <token>` and a JSON object with `event`, perhaps `payload`, and
    /// one of `room`, `user`, `session` and `"everyone": true`. The answer says how many sessions of this
    /// node get it; those of other nodes get it too. Choose a token that nobody can guess, and keep the
    /// endpoint from the public where you can. After 10 wrong tokens in a minute an address is answered with 429, whatever it
    /// shows, until the minute is over, and the log warns of them.
    ///
    /// # Panics
    /// When the token is shorter than 16 bytes.
    pub fn publish_token(mut self, token: &str) -> Self {
        assert!(token.len() >= 16, "a token that lets anyone publish has 16 bytes at least");
        self.config.publish_token = Some(BearerToken(token.to_owned()));
        self
    }

    /// Where the endpoints are, below the scope in which it is mounted. Defaults to `/bowline`. With `"/"` or
    /// `""` they are directly in the scope or at the root: `/ws`, `/sse`, `/poll`, `/post`, `/ticket`, `/health`, `/publish`.
    pub fn path(mut self, path: &str) -> Self {
        let steps = path.split('/').filter(|step| !step.is_empty());
        self.config.path = steps.flat_map(|step| ["/", step]).collect();
        self
    }

    /// How long a carrier may be silent before the server asks for a sign of life. Defaults to 25 s,
    /// below the 60 s after which common proxies cut. Polls are held and streams kept for as long.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.session().heartbeat = interval;
        self
    }

    /// How long the server waits for that sign. Defaults to 15 s.
    pub fn heartbeat_grace(mut self, grace: Duration) -> Self {
        self.session().grace = grace;
        self
    }

    /// How long a session whose client is away is kept. Defaults to 2 minutes: a lift ride or a
    /// tunnel, not a memory leak.
    pub fn resume_window(mut self, window: Duration) -> Self {
        self.session().window = window;
        self
    }

    /// Bytes kept for one client until it confirms them. Defaults to 4 MiB. A client that falls
    /// further behind is closed as a slow consumer.
    pub fn outbox_limit(mut self, bytes: usize) -> Self {
        self.session().outbox_limit = bytes;
        self
    }

    /// Bytes of messages that wait for their handlers, for one client. Defaults to 4 MiB. Beyond it
    /// the server reads no more from the client until the handlers have caught up.
    pub const fn inbox_limit(mut self, bytes: usize) -> Self {
        self.config.inbox_limit = bytes;
        self
    }

    /// The same while the connect hook decides about the session. Defaults to 64 KiB, because nobody knows yet whose
    /// client it is. The client notices nothing: what the server does not take, it sends again once it is let in.
    pub const fn connect_inbox_limit(mut self, bytes: usize) -> Self {
        self.config.connect_inbox_limit = bytes;
        self
    }

    /// Bytes that the server keeps for all sessions together: what clients have not confirmed, and what waits for
    /// handlers. Defaults to a quarter of the memory that the process may use (the machine's, or less if its control
    /// groups say so), and to 1 GiB where the system does not say, which is anywhere but on Linux.
    ///
    /// Beyond it no session opens (4200) and no more is read of clients with messages that wait. Sessions are closed until
    /// an eighth is free: first those that are not let in yet (4200: they come back with all that they have said), then
    /// those whose clients are away (4100), then the others (4103), each time the largest first. A warning says how many.
    ///
    /// [`Bowline::stats`] says how much it is, and how that is counted.
    pub const fn memory_limit(mut self, bytes: usize) -> Self {
        self.config.memory_limit = Some(bytes);
        self
    }

    /// For how long handlers of a session go on after it has ended, and the disconnect hook after them. Defaults to 30 s.
    ///
    /// What a client has said before it left is handled: a handler that is in the middle of writing something down shall
    /// not stop there because a page was closed. But a handler that never ends would keep its session for ever. When the
    /// time is over its future is dropped where it awaits, messages that wait behind it are dropped too, a
    /// warning is logged, and the disconnect hook is told the end. What must not be cut off belongs in a task of its own.
    pub const fn handler_deadline(mut self, time: Duration) -> Self {
        self.config.handler_deadline = time;
        self
    }

    /// Bytes of one message at most, name and bytes included. Defaults to 1 MiB. A client that sends
    /// more is closed with code 4305.
    pub const fn max_packet(mut self, bytes: usize) -> Self {
        self.config.limits.packet = bytes;
        // The largest packet must fit into one body, as base64 and with its first line.
        let batch = bytes.saturating_mul(4) / 3 + 64 * 1024;
        if self.config.limits.batch < batch {
            self.config.limits.batch = batch;
        }
        self
    }

    /// How long a connection may take until its first line has arrived whole. Defaults to 10 s.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.config.handshake_timeout = timeout;
        self
    }

    /// How long a hook may take to decide about a session, and its extractors to find what it wants. Defaults to 30 s.
    /// The client is told meanwhile that the server is thinking. A hook that takes longer is dropped, its client is
    /// told that this is the server's failure (4004), and tries again.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long a peer may take nothing of what is written to it. Defaults to 20 s. A connection whose peer does not
    /// confirm for so long that it has received something, or has no room for more, is cut by the operating system,
    /// where [`Bowline::guard`] is installed; for requests of the application as well. A carrier of a session that has
    /// not been written to for so long, although there is something to write, no longer serves the session.
    ///
    /// The session waits for its client as after any cut.
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.config.write_timeout = timeout;
        self
    }

    /// How long a connection may be open without a request in progress. Defaults to 20 s, for connections that
    /// [`Bowline::guard`] guards and [`Bowline::watch`] watches. It has to be longer than `HttpServer::keep_alive`,
    /// 5 s unless set: idle connections end with that, and this one ends those that stall in the middle of a request
    /// head, or in what is left of a body that was answered.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.idle_timeout = timeout;
        self
    }

    /// How many messages of one session are handled at the same time. Defaults to 1: in order, one
    /// after another.
    ///
    /// A handler may ask its own client, whose answer does not wait for it. But if that client asks the
    /// server before it answers, its question waits for a handler. If all wait for this client, the question fails
    /// at once with the code `would-deadlock`, which the client's handler receives, and a warning is logged.
    /// A contract in which questions are nested needs one more for each level.
    ///
    /// Clients other than those of this project have to say what they ask within a question, else both wait until the
    /// timeout: see the specification, 06-rooms-and-requests, "Requests within requests".
    pub const fn concurrency(mut self, handlers: usize) -> Self {
        self.config.concurrency = if handlers == 0 { 1 } else { handlers };
        self
    }

    /// Sessions at most. Defaults to 1,000,000. Beyond it clients are told to come back later.
    pub const fn max_sessions(mut self, sessions: usize) -> Self {
        self.config.max_sessions = sessions;
        self
    }

    /// Sessions from one address at most. Defaults to 10,000. An IPv6 address counts as its network of 64 bits. Beyond it
    /// the session that has been without a carrier for the longest time ends with the code 4100; if all have one, clients
    /// are told to come back later (4200).
    ///
    /// Behind a proxy all clients have the address of the proxy, unless [`trusted_proxies`](Self::trusted_proxies) names it.
    ///
    /// Spec: 08-limits, "Limits of a server".
    pub const fn max_sessions_per_address(mut self, sessions: usize) -> Self {
        self.config.max_sessions_per_address = sessions;
        self
    }

    /// Sessions that one address may open each second, after as many at once as it may have
    /// ([`max_sessions_per_address`](Self::max_sessions_per_address)): all pages behind one proxy come back together
    /// when the server has been restarted. Defaults to 500, which fills an address anew in 20 s, and is too slow for
    /// opens and closes to wear out the server. Beyond it clients are told to come back in 30 s (4200).
    pub const fn max_opens_per_address(mut self, per_second: u32) -> Self {
        self.config.max_opens_per_address = if per_second == 0 { 1 } else { per_second };
        self
    }

    /// Sessions from one address that have no carrier, at most: of clients that have just opened them, are away or are
    /// between two polls. Defaults to 1,000. When another one is opened beyond it, the session that has been without a
    /// carrier for the longest time ends with the code 4100; nobody is refused.
    ///
    /// Spec: 08-limits, "Limits of a server"; 09-security, "Memory".
    pub const fn max_carrierless_per_address(mut self, sessions: usize) -> Self {
        self.config.max_carrierless_per_address = sessions;
        self
    }

    /// Believes these proxies about the address, the scheme and the host of their clients: addresses, networks such as
    /// `10.0.0.0/8`, and `unix` for whoever connects over a Unix socket. Nobody is believed unless set.
    ///
    /// `Forwarded` and `X-Forwarded-For`, `-Proto` and `-Host` are read from the right, from one proxy that is named here to the
    /// next; the first address that is none of theirs is the client's. A client that no proxy names counts as the proxy that
    /// does not name it. Where both headers are there and name two clients, one was written by the client itself: it counts
    /// as the proxy that has connected. So have proxies replace or remove the header that they do not write.
    ///
    /// The address counts for the limits, and is what logs, [`Socket::address`](crate::Socket::address) and
    /// [`Attaching::address`](crate::Attaching::address) show.
    ///
    /// ```
    /// use bowline_server::Bowline;
    ///
    /// Bowline::builder().trusted_proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"]);
    /// ```
    ///
    /// Spec: 09-security, "Addresses".
    ///
    /// # Panics
    /// When one is no address and no network. The message says what to write.
    #[track_caller]
    pub fn trusted_proxies<T: AsRef<str>>(mut self, networks: impl IntoIterator<Item = T>) -> Self {
        for network in networks {
            let network = network.as_ref();
            self.config.proxies.add(network).unwrap_or_else(|advice| {
                panic!("trusted_proxies({network:?}) names no proxy: {advice}")
            });
        }
        self
    }

    /// Rooms that one session can be in, and rooms that it can be present in. Defaults to 1,000.
    pub const fn max_rooms_per_session(mut self, rooms: usize) -> Self {
        self.config.max_rooms_per_session = rooms;
        self
    }

    /// Sessions that can be present in one room: see [`Bowline::presence`]. Defaults to 10,000, because
    /// whoever asks for the list gets all of it. Two nodes that each let the last one in may exceed it.
    pub const fn presence_limit(mut self, sessions: usize) -> Self {
        self.config.presence_limit = sessions;
        self
    }

    /// Bytes of JSON that a session that is present can say of itself. Defaults to 4 KiB: every node and
    /// every member gets them.
    pub const fn presence_info_limit(mut self, bytes: usize) -> Self {
        self.config.presence_info_limit = bytes;
        self
    }

    /// Lets pages of this origin in, such as `https://app.example.com`, beside those of the host that
    /// the request names. Needed when pages come from another host, or when a proxy changes `Host`. Over TLS, also TLS that one of
    /// the [`trusted_proxies`](Self::trusted_proxies) has ended, only `https` pages are of the same host.
    ///
    /// Upper case, a default port, a slash at the end and letters beyond ASCII become what browsers send.
    /// `"null"` lets in sandboxed frames and pages from a disk, whoever wrote them.
    ///
    /// # Panics
    /// When no browser sends such an origin: `*`, without a scheme, with a path. The message says what to write.
    #[track_caller]
    pub fn allow_origin(mut self, origin: &str) -> Self {
        let serialized = origin::serialize(origin).unwrap_or_else(|advice| {
            panic!("allow_origin({origin:?}) would never match: {advice}")
        });
        if let Origins::SameHostAnd(listed) = &mut self.config.origins {
            listed.push(serialized);
        }
        self
    }

    /// Lets pages of any origin in. Cookies then authenticate pages that you did not write.
    pub fn dangerously_accept_any_origin(mut self) -> Self {
        self.config.origins = Origins::Any;
        self
    }

    /// Serves this host, such as `app.example.com`, and those that other calls name, and no others. Any host is served unless set.
    ///
    /// It stops DNS rebinding: a page of a name that suddenly leads to this server is of the same host as far as its browser
    /// knows, and is refused with 403 and the code 4301. Set it where browsers of people can reach the server who may not, on a
    /// machine of their own or in their network. The host is that of the request, or the one that a proxy names which is one of the
    /// [`trusted_proxies`](Self::trusted_proxies). Addresses and `localhost` are always served, and so is `/health`.
    ///
    /// Spec: 09-security, "Origin".
    ///
    /// # Panics
    /// When it is no name of a host. The message says what to write.
    #[track_caller]
    pub fn allow_host(mut self, host: &str) -> Self {
        let name = origin::host(host)
            .unwrap_or_else(|advice| panic!("allow_host({host:?}) would never match: {advice}"));
        self.config.hosts.push(name);
        self
    }

    /// Lets sessions outlive their process: [`Bowline::shutdown`] writes them here, and [`build`](Self::build) of the next
    /// process reads them. Clients attach to that one and go on; nothing is lost, doubled or out of order. Without a store
    /// sessions end with their process, unless a [`broker`](Self::broker) hands them to others.
    ///
    /// A session goes on with its rooms, its user, its presence, the histories that it follows, what is not confirmed, and the values
    /// that [`carry`](Self::carry) names. One is lost, and its client told, if a handler of it did not end before the deadline of the
    /// shutdown, or if it keeps a value of another type. So is every session of a process that is killed.
    ///
    /// A client that had a carrier has the whole resume window to come back, from the start of the next process. One that had none
    /// has what was left of it, and at least 30 s. Sessions that were stored more than an hour ago are lost.
    ///
    /// ```no_run
    /// use bowline_server::{Bowline, FileStore};
    ///
    /// let bowline = Bowline::builder().store(FileStore::new("sessions")).build();
    /// ```
    ///
    /// A process whose disk does not outlive it stores them in Redis: `RedisStore`, with the feature
    /// `redis`.
    pub fn store(mut self, store: impl Into<Store>) -> Self {
        self.config.store = Some(store.into());
        self
    }

    /// So many clients a second come back to a process that goes on with their sessions: each is told another moment, and not
    /// within [`drain_spread`](Self::drain_spread). Defaults to 5,000. It counts where there is a [`store`](Self::store).
    pub const fn resume_rate(mut self, per_second: u32) -> Self {
        self.config.resume_rate = if per_second == 0 { 1 } else { per_second };
        self
    }

    /// Over how long clients come back after [`Bowline::shutdown`]. Defaults to 10 s.
    pub const fn drain_spread(mut self, spread: Duration) -> Self {
        self.config.drain_spread = spread;
        self
    }

    /// The finished session layer. Reads the sessions of the process before, if there is a [`store`](Self::store): 100,000
    /// sessions of 4 KiB take about two seconds.
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
