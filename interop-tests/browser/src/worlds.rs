//! The worlds that are there, and what each is made of.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::Version;
use bowline_server::{Bowline, BowlineBuilder};
use serde::Deserialize;

use crate::files::{self, Folders};
use bowline_fault_proxy::{Cut, FaultProxy};
use bowline_fixtures::app::{self, Entry, Journal};
use bowline_fixtures::authority::self_signed;
use bowline_fixtures::test_server::{Listening, Routes, Shape, TestServer};

/// How the server of a world is set. What is not said stays as the builder has it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Milliseconds.
    heartbeat: Option<u64>,
    /// Milliseconds.
    grace: Option<u64>,
    /// Milliseconds.
    window: Option<u64>,
    /// Milliseconds.
    drain_spread: Option<u64>,
    /// Pages of any origin are let in, also those of none.
    any_origin: Option<bool>,
    /// Behind TLS, with HTTP/2 for those who want it and a certificate that nobody trusts.
    #[serde(default)]
    http2: bool,
}

/// All of them, by their numbers.
pub(crate) struct Worlds {
    folders: Folders,
    worlds: Mutex<HashMap<u64, Arc<World>>>,
    last: AtomicU64,
}

/// A server that can be restarted, behind a network that can be broken.
pub(crate) struct World {
    pub(crate) proxy: FaultProxy,
    settings: Settings,
    routes: Routes,
    server: Mutex<TestServer>,
    /// Those of the servers so far, the present one's last.
    journals: Mutex<Vec<Journal>>,
}

impl Worlds {
    pub(crate) fn new(folders: Folders) -> Self {
        Self { folders, worlds: Mutex::default(), last: AtomicU64::new(0) }
    }

    pub(crate) async fn add(&self, settings: Settings) -> io::Result<(u64, Arc<World>)> {
        let folders = self.folders.clone();
        let world = Arc::new(
            World::start(settings, Arc::new(move |app| files::serve(app, &folders))).await?,
        );
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.worlds).insert(id, world.clone());
        Ok((id, world))
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<World>> {
        lock(&self.worlds).get(&id).cloned()
    }

    pub(crate) fn remove(&self, id: u64) -> Option<Arc<World>> {
        lock(&self.worlds).remove(&id)
    }
}

impl World {
    async fn start(settings: Settings, routes: Routes) -> io::Result<Self> {
        let server = settings.start(routes.clone());
        let proxy = FaultProxy::start(server.address()).await?;
        let journals = Mutex::new(vec![server.journal().clone()]);
        Ok(Self { proxy, settings, routes, server: Mutex::new(server), journals })
    }

    /// Kills the server and starts another, which knows nothing of the sessions. Blocks as
    /// [`Self::succeed`] does.
    pub(crate) fn restart(&self) {
        self.proxy.refuse_connections(true);
        self.succeed();
        self.proxy.cut_all(Cut::Reset);
        self.proxy.refuse_connections(false);
    }

    /// Its origin, with a final slash.
    pub(crate) fn url(&self) -> String {
        if self.settings.http2 {
            format!("https://localhost:{}/", self.proxy.addr().port())
        } else {
            self.proxy.url("/")
        }
    }

    /// The versions of HTTP in which requests for this path have come to the present server.
    pub(crate) fn versions(&self, path: &str) -> Vec<Version> {
        lock(&self.server).journal().versions(path)
    }

    pub(crate) fn bowline(&self) -> Bowline {
        lock(&self.server).bowline().clone()
    }

    /// What has reached the application of every server so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        lock(&self.journals).iter().flat_map(Journal::entries).collect()
    }

    /// All entries, once there are more than so many.
    pub(crate) async fn entries_after(&self, known: usize) -> Vec<Entry> {
        let (past, journal) = {
            let journals = lock(&self.journals);
            let (present, past) = journals.split_last().expect("there is always a server");
            (past.iter().flat_map(Journal::entries).count(), present.clone())
        };
        journal.wait_for(|entries| past + entries.len() > known).await;
        self.entries()
    }

    /// Has another server take the place of the present one, whose connections end when it does.
    /// Blocks until it has ended.
    pub(crate) fn succeed(&self) {
        let server = self.settings.start(self.routes.clone());
        self.proxy.set_target(server.address());
        lock(&self.journals).push(server.journal().clone());
        *lock(&self.server) = server;
    }
}

impl Settings {
    fn start(self, routes: Routes) -> TestServer {
        let listening = if self.http2 {
            Listening::Tls(self_signed(&["localhost"]).into())
        } else {
            Listening::Plain
        };
        TestServer::start_on(self.build(), Shape::default(), routes, listening)
    }

    fn build(self) -> Bowline {
        let set = |builder, setter: fn(BowlineBuilder, Duration) -> BowlineBuilder, value| {
            let value = Option::map(value, Duration::from_millis);
            match value {
                Some(value) => setter(builder, value),
                None => builder,
            }
        };
        let builder = match self.any_origin {
            Some(true) => app::builder().dangerously_accept_any_origin(),
            _ => app::builder(),
        };
        let builder = set(builder, BowlineBuilder::heartbeat, self.heartbeat);
        let builder = set(builder, BowlineBuilder::heartbeat_grace, self.grace);
        let builder = set(builder, BowlineBuilder::resume_window, self.window);
        set(builder, BowlineBuilder::drain_spread, self.drain_spread).build()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
