//! actix-web with actix-ws as its documentation shows it. One worker; `/echo` answers every
//! message, what is sent on `/pub` goes to everyone on `/sub`.

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Result, rt, web};
use actix_ws::{Message, Session};
use futures_util::StreamExt as _;

type Room = Arc<Mutex<Vec<Session>>>;

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let room = web::Data::new(Room::default());
    let app = move || {
        App::new()
            .app_data(room.clone())
            .route("/echo", web::get().to(echo))
            .route("/sub", web::get().to(subscribe))
            .route("/pub", web::get().to(publish))
    };
    let address = ("127.0.0.1", bowline_load_peers::port());
    HttpServer::new(app).workers(1).backlog(1024).tcp_nodelay(true).bind(address)?.run().await
}

async fn echo(request: HttpRequest, body: web::Payload) -> Result<HttpResponse> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            let Message::Text(text) = message else { break };
            if session.text(text).await.is_err() {
                break;
            }
        }
        let _ = session.close(None).await;
    });
    Ok(response)
}

async fn subscribe(
    request: HttpRequest,
    body: web::Payload,
    room: web::Data<Room>,
) -> Result<HttpResponse> {
    let (response, session, mut messages) = actix_ws::handle(&request, body)?;
    room.lock().expect("nobody panics").push(session);
    rt::spawn(async move { while let Some(Ok(_)) = messages.next().await {} });
    Ok(response)
}

async fn publish(
    request: HttpRequest,
    body: web::Payload,
    room: web::Data<Room>,
) -> Result<HttpResponse> {
    let (response, session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        let _open = session;
        while let Some(Ok(Message::Text(text))) = messages.next().await {
            let members = room.lock().expect("nobody panics").clone();
            for mut member in members {
                // A member that is gone is no concern of the others.
                let _ = member.text(text.clone()).await;
            }
        }
    });
    Ok(response)
}
