//! A support desk: what an application with users and permissions looks like on Bowline.
//!
//! - `login` is the cookie: actix-identity on actix-session, and the end of a user's sessions at
//!   logout;
//! - `people` and `tickets` are the database, and say who may see what;
//! - `talk` is what happens on a session: tickets are topics with history and presence;
//! - `files` is what people attach to tickets: streams of bytes;
//! - `page` serves the files of the page and the client package.

mod files;
mod login;
mod page;
mod people;
mod talk;
mod tickets;

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use actix_identity::IdentityMiddleware;
use actix_session::SessionMiddleware;
use actix_session::storage::CookieSessionStore;
use actix_web::cookie::Key;
use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use bowline_server::Bowline;
use tokio_rustls::rustls::ServerConfig;

pub use login::LOGGED_OUT;
pub use talk::SENT_AWAY;

/// The application, to be served at one port or more.
#[derive(Clone)]
pub struct Desk {
    bowline: Bowline,
    files: web::Data<files::Files>,
    /// The folder of the client package.
    package: PathBuf,
    /// Signs the cookies. An application keeps its own in its configuration.
    key: Key,
}

impl Desk {
    /// A desk whose page uses the client package in this folder.
    #[must_use]
    pub fn new(package: PathBuf) -> Self {
        let builder = Bowline::builder()
            .history("ticket/", 200, Duration::from_secs(24 * 60 * 60))
            .away_after(Duration::from_secs(2));
        let bowline = talk::handlers(builder).build();
        Self { bowline, files: web::Data::default(), package, key: Key::generate() }
    }

    /// The session layer.
    #[must_use]
    pub const fn bowline(&self) -> &Bowline {
        &self.bowline
    }

    /// Serves it at this port; with TLS, over HTTP/2 for those who want it.
    ///
    /// # Errors
    /// When the port cannot be listened on.
    pub fn server(&self, listener: TcpListener, tls: Option<ServerConfig>) -> io::Result<Server> {
        let (desk, secure) = (self.clone(), tls.is_some());
        let server = HttpServer::new(self.bowline.watch(move || {
            let cookies =
                SessionMiddleware::builder(CookieSessionStore::default(), desk.key.clone())
                    .cookie_name("desk".to_owned())
                    .cookie_secure(secure)
                    .build();
            App::new()
                .app_data(desk.files.clone())
                .service(desk.bowline.service())
                .configure(login::routes)
                .configure(|app| page::routes(app, &desk.package))
                .wrap(IdentityMiddleware::default())
                .wrap(cookies)
        }))
        .on_connect(self.bowline.guard())
        .tcp_nodelay(true)
        .h1_allow_half_closed(false);
        let listening = match tls {
            Some(config) => server.listen_rustls_0_23(listener, config),
            None => server.listen(listener),
        };
        Ok(listening?.run())
    }
}

impl fmt::Debug for Desk {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("bowline", &self.bowline).finish_non_exhaustive()
    }
}
