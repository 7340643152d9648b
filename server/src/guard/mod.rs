//! Deadlines where actix has none: of connections, and of the requests on them.
//!
//! actix's dispatcher has no timer while it writes, while it reads a request head that is not the
//! first, and while it reads the rest of a body after an early answer. So every connection gets the
//! deadlines of the operating system when it is accepted ([`socket`]), and one on which no request
//! has been in progress for `idle_timeout` is ended ([`line`]). [`watch`], the outermost layer
//! around the application, counts which requests are in progress: a connection with a request in
//! progress is never ended.
//!
//! Spec: 09-security, "Connections".

#![expect(clippy::disallowed_methods, reason = "one thread for the connections of the host")]

mod line;
mod socket;
#[cfg(test)]
mod tests;
mod watch;

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use bowline_protocol::Time;
use socket2::SockRef;

use crate::clock::Clock;
use line::{Limits, Line};
pub(crate) use watch::Served;
pub use watch::{Watched, WatchedBody, WatchedService};

/// The connections that a node guards.
#[derive(Debug)]
pub(crate) struct Guards {
    clock: Clock,
    limits: Limits,
    /// The application was given to [`Bowline::watch`](crate::Bowline::watch).
    watches: AtomicBool,
    /// The number of requests in progress that no `Bowline` answers.
    foreign: AtomicUsize,
    table: Mutex<Table>,
    changed: Condvar,
    /// A request has shown whether its connection is guarded.
    judged: AtomicBool,
    unknown: Once,
}

#[derive(Debug, Default)]
struct Table {
    lines: HashMap<u64, Arc<Line>>,
    /// How many connections there have been.
    met: u64,
    /// The thread that sweeps them is running.
    is_swept: bool,
    stopped: bool,
}

/// Data of a connection, which is guarded until this is dropped.
#[derive(Debug)]
struct Guarded {
    guards: Arc<Guards>,
    /// The place in the table, and its entry; `None` where requests are not watched.
    line: Option<(u64, Arc<Line>)>,
}

impl Guards {
    pub(crate) fn new(clock: Clock, write_timeout: Duration, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock,
            limits: Limits { idle: idle_timeout, write: write_timeout },
            watches: AtomicBool::new(false),
            foreign: AtomicUsize::new(0),
            table: Mutex::default(),
            changed: Condvar::new(),
            judged: AtomicBool::new(false),
            unknown: Once::new(),
        })
    }

    /// Ends the thread, and with it the guard.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_one();
    }

    /// Guards a connection that was accepted.
    pub(crate) fn meet(self: &Arc<Self>, io: &dyn Any, data: &mut Extensions) {
        let Some(stream) = socket::tcp(io) else {
            if !socket::is_local(io) {
                self.unknown.call_once(|| log::warn!("{UNKNOWN}"));
                data.insert(Guarded { guards: Arc::clone(self), line: None });
            }
            return;
        };
        let socket = SockRef::from(stream);
        if let Err(error) = socket::set_deadlines(&socket, self.limits.write) {
            log::debug!("a connection has no deadline for writing: {error}");
        }
        let held = self.watches().then(|| socket.try_clone());
        let held = held.transpose().unwrap_or_else(|error| {
            log::debug!("a connection cannot be held to be ended: {error}");
            None
        });
        let line = held.map(|socket| self.enter(Line::new(socket, self.clock.now())));
        data.insert(Guarded { guards: Arc::clone(self), line });
    }

    /// Logs once what the application has not configured, if a request over TCP shows that.
    pub(crate) fn judge(&self, request: &HttpRequest) {
        if self.judged.load(Ordering::Relaxed) || request.peer_addr().is_none() {
            return;
        }
        if self.judged.swap(true, Ordering::Relaxed) {
            return;
        }
        if request.conn_data::<Guarded>().is_none() {
            log::warn!("{UNGUARDED}");
        } else if !self.watches() {
            log::warn!("{UNWATCHED}");
        }
    }

    pub(crate) fn watches(&self) -> bool {
        self.watches.load(Ordering::Relaxed)
    }

    pub(crate) fn start_watching(&self) {
        self.watches.store(true, Ordering::Relaxed);
    }

    /// The requests of the application that are in progress, if they are watched.
    pub(crate) fn foreign(&self) -> usize {
        self.foreign.load(Ordering::Relaxed)
    }

    fn enter(self: &Arc<Self>, line: Line) -> (u64, Arc<Line>) {
        let line = Arc::new(line);
        let mut table = self.lock();
        table.met += 1;
        let place = table.met;
        table.lines.insert(place, Arc::clone(&line));
        let starts = !std::mem::replace(&mut table.is_swept, true);
        drop(table);
        if starts {
            self.start();
        } else {
            self.changed.notify_one();
        }
        (place, line)
    }

    fn leave(&self, place: u64, line: &Line) {
        line.release();
        self.lock().lines.remove(&place);
    }

    fn start(self: &Arc<Self>) {
        let own = Arc::clone(self);
        let thread = std::thread::Builder::new().name("bowline-guard".into());
        thread.spawn(move || own.run()).expect("the operating system can start one more thread");
    }

    fn run(&self) {
        let pause = (self.limits.idle / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut table = self.lock();
        while !table.stopped {
            let is_empty = table.lines.is_empty();
            table = if is_empty {
                self.changed.wait(table).unwrap_or_else(PoisonError::into_inner)
            } else {
                let waited = self.changed.wait_timeout_while(table, pause, |table| !table.stopped);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
            table.sweep(&self.limits, self.clock.now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Ends inactive connections, and forgets those that need no guard any more.
    fn sweep(&mut self, limits: &Limits, now: Time) {
        self.lines.retain(|_, line| line.sweep(limits, now));
    }
}

impl Guarded {
    fn line(&self) -> Option<&Arc<Line>> {
        self.line.as_ref().map(|(_, line)| line)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some((place, line)) = &self.line {
            self.guards.leave(*place, line);
        }
    }
}

/// The lines to add to the application, literally.
const UNGUARDED: &str = "connections have no guard: a peer that stops reading, or stalls in the \
    middle of a request, \
    holds one for as long as it likes. Add .on_connect(bowline.guard()) to HttpServer, before \
    .bind(…), and give it \
    the application with HttpServer::new(bowline.watch(…))";
const UNWATCHED: &str = "the guard does not know which requests are in progress, so a peer that \
    stalls in the middle \
    of a request holds its connection for as long as it likes. Give HttpServer the application \
    with \
    HttpServer::new(bowline.watch(…))";
const UNKNOWN: &str = "connections of this type have no guard: bowline.guard() knows TCP, with \
    the feature \
    rustls-0_23 also TLS; for others call it with the TcpStream inside";

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
