//! socketioxide on axum, with its default options, on one thread.

use axum::serve::ListenerExt as _;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (layer, io) = SocketIo::new_layer();
        io.ns("/", connected);
        let app = axum::Router::new().layer(layer);
        let address = ("127.0.0.1", bowline_load_peers::port());
        let listener = tokio::net::TcpListener::bind(address).await?;
        // As every other server here: small messages do not wait.
        let listener = listener.tap_io(|connection| {
            connection.set_nodelay(true).expect("the option exists");
        });
        axum::serve(listener, app).await
    })
}

async fn connected(socket: SocketRef) {
    socket.on("echo", async |Data::<String>(payload), ack: AckSender| {
        let _ = ack.send(&payload);
    });
    socket.on("join", async |socket: SocketRef, ack: AckSender| {
        socket.join("room");
        let _ = ack.send(&());
    });
    socket.on("pub", async |io: SocketIo, Data::<String>(payload)| {
        let _ = io.to("room").emit("msg", &payload).await;
    });
}
