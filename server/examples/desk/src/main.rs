//! `bowline-desk PACKAGE [PORT]`: the support desk on 127.0.0.1, until SIGTERM or Ctrl-C. PACKAGE
//! is the folder of the client package; `cargo xtask desk` builds it and starts this.

use std::net::TcpListener;

use bowline_desk::Desk;

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let mut words = std::env::args().skip(1);
    let package = words.next().unwrap_or_else(|| "target/npm/bowline-client".to_owned());
    let port = words.next().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("The desk is open at http://{}", listener.local_addr()?);
    println!("Customers are ada and ben, cleo is an agent; everyone's password is \"knot\".");
    let desk = Desk::new(package.into());
    let server = desk.server(listener, None)?;
    // Tells every client when to come back before it ends.
    desk.bowline().run(server).await
}
