//! The server, and how its socket is taken out of use.

#![expect(clippy::disallowed_methods, reason = "an application may wait")]

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::rt::time::sleep;
use actix_web::{App, HttpServer, web};
use bowline_server::{Bowline, Json};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

pub(super) async fn serve(port: u16) -> io::Result<()> {
    let bowline = Bowline::builder().on("echo", async |text: String| Json(text)).build();
    let mounted = bowline.clone();
    let app = move || App::new().service(mounted.service()).route("/", web::get().to(who));
    let socket = listening((Ipv4Addr::LOCALHOST, port).into())?;
    let listener = TcpListener::from(socket.try_clone()?);
    let server = HttpServer::new(bowline.watch(app))
        .on_connect(bowline.guard())
        .disable_signals()
        .listen(listener)?
        .run();
    // Whoever has started it may end the older process now.
    writeln!(io::stdout(), "listening")?;
    let handle = server.handle();
    let mut terminated = signal(SignalKind::terminate())?;
    let ending = async move {
        terminated.recv().await;
        if let Err(error) = leave(&socket, &handle).await {
            log::warn!("connections that wait at the socket may be lost: {error}");
        }
    };
    bowline.run(server).until(ending).await
}

/// A socket beside those that others have at this address.
fn listening(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket)
}

/// Closing a socket resets the connections in its queue, and those that are about to get there: the
/// kernel does not move them to the other socket. So it gets no new ones first, and those that it
/// has are accepted.
async fn leave(socket: &Socket, server: &ServerHandle) -> io::Result<()> {
    socket.attach_filter(&without_syn())?;
    sleep(SETTLE).await;
    // Without a pause the host would ask a socket that is out of use again and again.
    server.pause().await;
    socket.shutdown(Shutdown::Read)
}

/// Drops what would begin a connection. The client repeats it after a second, and then it comes to
/// the other socket.
const fn without_syn() -> [SockFilter; 4] {
    [
        // The flags of the TCP header; SYN goes on with the next line, everything else skips it.
        SockFilter::new(0x30, 0, 0, 13),
        SockFilter::new(0x45, 0, 1, 0x02),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ]
}

/// Says which process answers.
async fn who() -> String {
    std::process::id().to_string()
}

/// How long the handshakes of TCP that are under way may take: a round trip or two.
const SETTLE: Duration = Duration::from_millis(300);
