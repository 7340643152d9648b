//! What the tests in browsers and Node are run against: worlds on demand, and the faults of each.
//!
//! A world is the application of the tests behind a [`FaultProxy`](crate::fault_proxy::FaultProxy),
//! at an origin of its own, which also serves the pages of the tests and the package under test: a
//! page is of the same origin as the server that it talks to. What a test wants of a world it posts
//! to the control address, which no fault touches:
//!
//! | POST | body | answer |
//! |---|---|---|
//! | `/worlds` | `Settings` | `{"id", "url"}` |
//! | `/worlds/{id}/end` | | |
//! | `/worlds/{id}/journal` | `{"after": n}` | all entries, once there are more than n |
//! | `/worlds/{id}/versions` | `{"path"}` | in which versions of HTTP it was requested |
//! | `/worlds/{id}/counters` | bounds such as `{"accepted": n}` | the proxy's counters, once none is less |
//! | `/worlds/{id}/emit` | `{"session", "from", "through"}` | numbered events to a session |
//! | `/worlds/{id}/do` | `Deed` | what the deed tells |

mod control;
mod files;
mod worlds;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpServer, web};

use worlds::Worlds;

/// The folders that every world serves.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The package under test, at `/package/`.
    pub package: PathBuf,
    /// The pages of the tests, at `/pages/`.
    pub pages: PathBuf,
}

/// The control server, and where it listens. It serves until it is stopped or dropped; with it end
/// all worlds.
///
/// # Errors
/// When the machine has no port left.
pub fn start(folders: Folders) -> io::Result<(SocketAddr, Server)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let worlds = web::Data::new(Worlds::new(folders.clone()));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(worlds.clone())
            // The pages of the worlds are of other origins.
            .wrap(DefaultHeaders::new().add((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")))
            .configure(|app| files::serve(app, &folders))
            .configure(control::routes)
    });
    // One worker: the proxies of all worlds live in its runtime.
    Ok((address, server.workers(1).disable_signals().listen(listener)?.run()))
}
