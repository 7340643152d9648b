//! How a server ends: it sends its clients when to come back, and completes what is in progress.

#![expect(
    clippy::disallowed_methods,
    reason = "one thread stores the sessions of a server that ends, which waits for it"
)]

mod drain;
mod signals;

use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{self, Server};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bowline::Bowline;
use drain::reserve;
use signals::{Stop, Urgency};

/// A server that notifies its clients before it ends; made by [`Bowline::run`]. It runs while it is
/// awaited.
///
/// On SIGTERM or SIGINT (Ctrl-C) it sends every client the time to reconnect, waits for pending
/// handlers, and then stops actix. That takes little more than a second when nothing is pending,
/// and [`deadline`](Self::deadline) at most. SIGINT does not wait for the application's other
/// requests; a second signal waits for nothing.
///
/// An application that calls `ServerHandle::stop` itself calls [`Bowline::shutdown`] first, or
/// gives its own signal to [`until`](Self::until): once actix stops, it only waits for its
/// connections, and notifies no client.
#[must_use = "a server runs while it is awaited"]
pub struct Running {
    server: Server,
    mounted: Vec<Bowline>,
    deadline: Duration,
    signal: Option<BoxFuture<'static, ()>>,
}

impl Running {
    fn new(server: Server, bowline: Bowline) -> Self {
        Self { server, mounted: vec![bowline], deadline: DEADLINE, signal: None }
    }

    /// Also notifies the clients of this one, which the same server serves.
    pub fn also(mut self, bowline: &Bowline) -> Self {
        self.mounted.push(bowline.clone());
        self
    }

    /// How long the end may take: pending handlers, sessions that move to other nodes, and the
    /// application's other requests share it. Defaults to 8 s, because Docker kills after 10 s.
    ///
    /// actix waits for its connections, and some do not end by themselves: idle connections of
    /// HTTP/2, and those whose peers do not read. With [`Bowline::watch`] only requests in progress
    /// count. Without it, once a client has used HTTP/2, the application's other requests have a
    /// second at most.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Ends when this future does, instead of on SIGTERM and SIGINT: for an application with
    /// signals of its own. Call `HttpServer::disable_signals` as well, or actix reacts to them too.
    pub fn until(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { signal: Some(signal.boxed()), ..self }
    }

    async fn run(self) -> io::Result<()> {
        let Self { mut server, mounted, deadline, signal } = self;
        let mut stop = Stop::listen(signal)?;
        // The signal is looked at first: the server may listen to it as well, and would act on it
        // before anybody is told. For the same reason the server rests until everybody is.
        let mut urgency = tokio::select! {
            biased;
            urgency = stop.next() => urgency,
            ended = &mut server => return ended,
        };
        let keeps = mounted.iter().any(Bowline::keeps);
        let kept = if keeps { reserve(deadline) } else { Duration::ZERO };
        let until = Instant::now() + deadline - kept;
        let told = join_all(mounted.iter().map(|bowline| bowline.drain(deadline)));
        tokio::select! {
            biased;
            _ = stop.next() => urgency = Urgency::Now,
            _ = told => {}
        }
        // The command is on its way without being awaited.
        drop(server.handle().stop(urgency == Urgency::Orderly));
        let ended = tokio::select! {
            biased;
            ended = &mut server => ended,
            () = given_up(&mounted, until) => {
                log::warn!("the server has ended although some of its connections have not");
                Ok(())
            }
        };
        // Last, so that nothing is emitted afterwards.
        join_all(mounted.iter().map(Bowline::keep)).await;
        ended
    }
}

impl Bowline {
    /// Runs the server until the process receives SIGTERM or SIGINT, sends all clients the time to
    /// reconnect, and then stops it: see [`Running`].
    ///
    /// ```no_run
    /// # use actix_web::{App, HttpServer};
    /// # use bowline_server::Bowline;
    /// # #[actix_web::main]
    /// # async fn main() -> std::io::Result<()> {
    /// let bowline = Bowline::builder().build();
    /// let mounted = bowline.clone();
    /// let server = HttpServer::new(bowline.watch(move || App::new().service(mounted.service())))
    ///     .on_connect(bowline.guard())
    ///     .bind(("127.0.0.1", 8080))?
    ///     .run();
    /// bowline.run(server).await
    /// # }
    /// ```
    pub fn run(&self, server: dev::Server) -> Running {
        Running::new(server, self.clone())
    }

    /// Sends all clients away for a restart: each receives a random time within `drain_spread`
    /// after which to reconnect, held polls and streams end, and a client that connects meanwhile
    /// receives the same. A client whose handlers are at work receives their answers first, if they
    /// come within half a second.
    ///
    /// Returns when no carrier is left and no handler is at work, at the latest after `deadline`;
    /// the result is the number of carriers that were still there then.
    ///
    /// In a cluster the sessions move to other nodes first, and continue there; a session whose
    /// handlers do not end before the deadline stays, and is lost with the process.
    ///
    /// [`Self::run`] does it on SIGTERM and SIGINT. Otherwise call it before
    /// `ServerHandle::stop(true)`: actix itself waits for open streams and cuts them without notice
    /// at its own timeout. With a [`store`](crate::BowlineBuilder::store) the server stores the
    /// sessions last. Events that the application emits afterwards reach no client.
    pub async fn shutdown(&self, deadline: Duration) -> usize {
        let carriers = self.drain(deadline).await;
        self.keep().await;
        carriers
    }

    /// Sends all clients away. The sessions are still here.
    async fn drain(&self, deadline: Duration) -> usize {
        drain::drain(&self.node, deadline).await
    }

    /// Writes the sessions to the store, if there is one.
    async fn keep(&self) {
        if self.node.stores_sessions() {
            let node = Arc::clone(&self.node);
            let (done, is_done) = oneshot::channel();
            std::thread::spawn(move || {
                node.keep();
                let _ = done.send(());
            });
            let _ = is_done.await;
        }
    }

    /// True if there is a store.
    fn keeps(&self) -> bool {
        self.node.stores_sessions()
    }
}

/// When connections that have not ended are waited for no longer: they do not end by themselves
/// where nobody is at work on a request.
async fn given_up(mounted: &[Bowline], until: Instant) {
    sleep(STOP).await;
    if mounted.iter().any(|bowline| bowline.node.guards.watches()) {
        let at_work = || mounted.iter().any(|bowline| bowline.node.guards.foreign() > 0);
        while at_work() && Instant::now() < until {
            sleep(CHECK).await;
        }
    } else if !mounted.iter().any(|bowline| bowline.node.has_met_http2()) {
        sleep_until(until).await;
    }
}

impl IntoFuture for Running {
    type Output = io::Result<()>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.run().boxed()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("mounted", &self.mounted)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// How long the end may take unless set.
const DEADLINE: Duration = Duration::from_secs(8);

/// What actix gets to stop in at least: it looks once a second whether its connections have ended.
const STOP: Duration = Duration::from_millis(1_200);

/// How often it is looked whether the application is still at work.
const CHECK: Duration = Duration::from_millis(20);
