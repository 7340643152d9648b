//! A real actix server on a port of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::{ServerHandle, Service as _};
use actix_web::http::KeepAlive;
use actix_web::middleware::Condition;
use actix_web::{App, HttpResponse, HttpServer, rt, web};
use bowline_server::Bowline;
use tokio_rustls::rustls::ServerConfig;

use crate::app::{self, Journal};
use crate::contract::{Line, Said};

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    plain: SocketAddr,
    bowline: Bowline,
    journal: Journal,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// How a server is mounted and run.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Threads that serve requests.
    pub workers: usize,
    /// With `.wrap` instead of `.service`.
    pub as_middleware: bool,
    /// Closes each connection after one request, so that successive requests of a session land on
    /// different workers.
    pub one_request_per_connection: bool,
}

/// What is spoken at a server's port.
#[derive(Debug, Clone, Default)]
pub enum Listening {
    /// HTTP/1.1.
    #[default]
    Plain,
    /// HTTP/1.1 or HTTP/2, whichever a connection begins with.
    Either,
    /// What the two ends agree on in the handshake of TLS: HTTP/2 or HTTP/1.1.
    Tls(Arc<ServerConfig>),
}

/// Routes beside those that every test finds.
pub type Routes = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

impl Default for Shape {
    fn default() -> Self {
        Self { workers: 2, as_middleware: false, one_request_per_connection: false }
    }
}

impl TestServer {
    /// The application of the tests with its default settings.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(app::builder().build(), Shape::default())
    }

    /// Any `Bowline`, in any shape. Handlers find a [`Journal`] as data.
    ///
    /// # Panics
    /// When the machine has no port or thread left.
    #[must_use]
    pub fn start_with(bowline: Bowline, shape: Shape) -> Self {
        Self::start_on(bowline, shape, no_routes(), Listening::Plain)
    }

    /// As [`Self::start_with`], with routes beside those of the tests.
    ///
    /// # Panics
    /// When the machine has no port or thread left.
    #[must_use]
    pub fn start_beside(bowline: Bowline, shape: Shape, routes: Routes) -> Self {
        Self::start_on(bowline, shape, routes, Listening::Plain)
    }

    /// As [`Self::start_beside`], speaking something else than plain HTTP/1.1.
    ///
    /// # Panics
    /// When the machine has no port or thread left.
    #[must_use]
    pub fn start_on(bowline: Bowline, shape: Shape, routes: Routes, listening: Listening) -> Self {
        let door = Door::open(listening);
        let (address, plain) = (door.address(), door.plain_address());
        let journal = Journal::new();
        let (told, handle) = mpsc::channel();
        let (served, data) = (bowline.clone(), web::Data::new(journal.clone()));
        let thread = std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                let server = serve(served, data, shape, routes, door);
                told.send(server.handle()).expect("the starter waits for the handle");
                server.await.expect("the server runs until it is stopped");
            });
        });
        let handle = handle.recv().expect("the thread tells its handle first");
        Self { address, plain, bowline, journal, handle, thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for plain HTTP/1.1: the same address, unless that is for TLS.
    #[must_use]
    pub const fn plain_address(&self) -> SocketAddr {
        self.plain
    }

    /// The session layer it serves.
    #[must_use]
    pub const fn bowline(&self) -> &Bowline {
        &self.bowline
    }

    /// What has reached its application.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // Stops without waiting for connections, as a process that is killed does.
        drop(self.handle.stop(false));
        let stopped = self.thread.take().map(JoinHandle::join);
        if stopped.is_some_and(|result| result.is_err()) && !std::thread::panicking() {
            panic!("the server's thread panicked");
        }
    }
}

/// No routes beside those that every test finds.
#[must_use]
pub fn no_routes() -> Routes {
    Arc::new(|_| {})
}

fn serve(
    bowline: Bowline,
    journal: web::Data<Journal>,
    shape: Shape,
    routes: Routes,
    door: Door,
) -> actix_web::dev::Server {
    let keep_alive = if shape.one_request_per_connection {
        KeepAlive::Disabled
    } else {
        KeepAlive::Timeout(Duration::from_secs(5))
    };
    let guard = bowline.guard();
    let watching = bowline.clone();
    let server = HttpServer::new(watching.watch(move || {
        let service = (!shape.as_middleware).then(|| bowline.service());
        App::new()
            .app_data(journal.clone())
            .wrap(Condition::new(shape.as_middleware, bowline.middleware()))
            .configure(|app| {
                if let Some(service) = service {
                    app.service(service);
                }
            })
            .route("/say/{room}", web::post().to(say))
            .configure(|app| routes(app))
            .wrap_fn({
                let journal = journal.clone();
                move |request, app| {
                    journal.hear(request.path(), request.version());
                    app.call(request)
                }
            })
            // A catch-all, in front of which the middleware has to work.
            .default_service(web::to(HttpResponse::ImATeapot))
    }))
    .on_connect(guard)
    .keep_alive(keep_alive)
    .workers(shape.workers)
    .disable_signals()
    .tcp_nodelay(true)
    .h1_allow_half_closed(false);
    let listening = match door {
        Door::Plain(listener) => server.listen(listener),
        Door::Either(listener) => server.listen_auto_h2c(listener),
        // actix adds to the settings what it speaks, HTTP/2 first.
        Door::Tls(listener, config, plain) => server
            .listen_rustls_0_23(listener, Arc::unwrap_or_clone(config))
            .and_then(|server| server.listen(plain)),
    };
    listening.expect("a bound socket can be listened on").run()
}

/// The ports of a server.
enum Door {
    Plain(TcpListener),
    Either(TcpListener),
    /// And one without TLS.
    Tls(TcpListener, Arc<ServerConfig>, TcpListener),
}

impl Door {
    fn open(listening: Listening) -> Self {
        let bind = || TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        match listening {
            Listening::Plain => Self::Plain(bind()),
            Listening::Either => Self::Either(bind()),
            Listening::Tls(config) => Self::Tls(bind(), config, bind()),
        }
    }

    fn address(&self) -> SocketAddr {
        let (Self::Plain(listener) | Self::Either(listener) | Self::Tls(listener, ..)) = self;
        listener.local_addr().expect("a bound socket has an address")
    }

    fn plain_address(&self) -> SocketAddr {
        let (Self::Plain(plain) | Self::Either(plain) | Self::Tls(.., plain)) = self;
        plain.local_addr().expect("a bound socket has an address")
    }
}

/// An ordinary request handler that speaks to a room.
async fn say(bowline: Bowline, room: web::Path<String>, text: String) -> HttpResponse {
    let room = room.into_inner();
    match bowline.to(&room).emit(Said, &Line { room: room.clone(), text }) {
        Ok(heard) => HttpResponse::Ok().body(heard.to_string()),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}
