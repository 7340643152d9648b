//! Two processes share a port with `SO_REUSEPORT`: start the newer one, then end the older one with
//! SIGTERM. It takes its socket out of use before it drains, so that no connection is lost with it.
//!
//! `cargo run -p bowline-server --example shared-port [-- PORT]`, on Linux.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8080);
    linux::serve(port).await
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("Only on Linux do connections spread over the sockets of a port.");
}
