//! One server process.

use std::time::Duration;

use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::{App, HttpResponse, HttpServer, web};
use bowline_server::broker::RedisBroker;
use bowline_server::{Auth, Bowline, Ext, Json, Socket};
use serde::{Deserialize, Serialize};

use super::ROOM;

/// Which client a session is of.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Who(usize);

/// What a member of a room hears.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Heard {
    pub(super) from: usize,
    pub(super) number: u64,
}

/// Serves on a port until it is told to stop, then hands its sessions over. Prints what it has
/// counted as one line.
///
/// # Errors
/// When the port or Redis cannot be used.
pub async fn serve(port: u16, redis: &str) -> Result<(), String> {
    let broker = RedisBroker::connect(redis).await.map_err(|error| error.to_string())?;
    let bowline = bowline(broker);
    let served = bowline.clone();
    let server = HttpServer::new(bowline.watch(move || {
        App::new()
            .service(served.service())
            .app_data(web::Data::new(served.clone()))
            .route("/stats", web::get().to(stats))
    }))
    .on_connect(bowline.guard())
    .workers(2)
    .disable_signals()
    .tcp_nodelay(true)
    .h1_allow_half_closed(false)
    .shutdown_timeout(1)
    .bind(("127.0.0.1", port))
    .map_err(|error| format!("port {port}: {error}"))?
    .run();
    let (handle, mut stop) =
        (server.handle(), signal(SignalKind::terminate()).expect("signals are there"));
    let running = actix_web::rt::spawn(server);
    stop.recv().await;
    bowline.shutdown(Duration::from_secs(15)).await;
    println!("{}", figures(&bowline));
    handle.stop(false).await;
    let _ = running.await;
    Ok(())
}

fn bowline(broker: RedisBroker) -> Bowline {
    Bowline::builder()
        .broker(broker)
        .drain_spread(Duration::from_millis(500))
        .carry::<Who>("who")
        .on_connect(|socket: Socket, Auth(client): Auth<usize>| async move {
            socket.insert(Who(client));
            socket.join_everywhere(room(client)).await
        })
        .on("say", |socket: Socket, Ext(Who(from)): Ext<Who>, number: u64| async move {
            let heard = Heard { from, number };
            socket.to(room(from)).emit("heard", &heard).map(Json)
        })
        .build()
}

fn room(client: usize) -> String {
    format!("room {}", client / ROOM)
}

async fn stats(bowline: web::Data<Bowline>) -> HttpResponse {
    HttpResponse::Ok().body(figures(&bowline))
}

fn figures(bowline: &Bowline) -> String {
    let stats = bowline.cluster_stats().expect("the node has a broker");
    serde_json::json!({
        "takers": stats.takers,
        "relayed": stats.relayed,
        "handed_over": stats.handed_over,
        "taken_over": stats.taken_over,
        "published": stats.published,
        "gaps": stats.gaps,
        "undelivered": stats.undelivered,
    })
    .to_string()
}
