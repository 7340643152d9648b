//! The control server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpServer, web};

use crate::files::Folders;
use crate::worlds::Worlds;
use crate::{control, files};

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
