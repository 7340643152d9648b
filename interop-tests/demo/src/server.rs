//! One version of the server, on a port of its own, which only the proxy knows.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, rt, web};
use bowline_server::{Bowline, FileStore};
use tokio::task::JoinHandle;

use crate::buttons::Buttons;
use crate::chat::Chat;
use crate::pages::Pages;
use crate::{handlers, pages, presence};

/// What every version serves.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) chat: web::Data<Chat>,
    pub(crate) pages: web::Data<Pages>,
    pub(crate) buttons: web::Data<Buttons>,
    /// Where the sessions are between two versions.
    pub(crate) store: FileStore,
}

/// A server that runs until it is stopped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) bowline: Bowline,
    handle: ServerHandle,
    presence: JoinHandle<()>,
}

impl Server {
    pub(crate) fn start(shared: Shared) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let bowline = handlers::bowline(shared.store);
        let presence = rt::spawn(presence::watch(bowline.clone(), shared.chat.clone()));
        let served = bowline.clone();
        let server = HttpServer::new(bowline.watch(move || {
            App::new()
                .app_data(shared.chat.clone())
                .app_data(shared.buttons.clone())
                .service(served.service())
                .configure(|app| pages::routes(app, &shared.pages))
        }));
        let server = server
            .on_connect(bowline.guard())
            .workers(WORKERS)
            .disable_signals()
            .tcp_nodelay(true)
            .h1_allow_half_closed(false)
            .listen(listener)?
            .run();
        let handle = server.handle();
        rt::spawn(server);
        Ok(Self { address, bowline, handle, presence })
    }

    /// Ends as a process that gets SIGTERM: its clients are told when to come back, and its
    /// sessions are stored.
    pub(crate) async fn end(self) {
        self.presence.abort();
        self.bowline.shutdown(DEADLINE).await;
        self.handle.stop(false).await;
    }
}

/// How long handlers under way have when a version ends.
const DEADLINE: Duration = Duration::from_secs(5);

/// More than one, so that a session is served by several threads, as it would be elsewhere.
const WORKERS: usize = 2;
