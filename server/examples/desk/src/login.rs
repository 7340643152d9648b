//! The cookie: who logs in with it, and what ends when it does.

use actix_identity::Identity;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use bowline_server::{Bowline, Close, CloseCode};
use serde::Deserialize;

use crate::people;

/// The close code of sessions whose user has logged out: the client stays away.
pub const LOGGED_OUT: u16 = 4501;

#[derive(Debug, Deserialize)]
struct Login {
    name: String,
    password: String,
}

pub(crate) fn routes(app: &mut web::ServiceConfig) {
    app.route("/login", web::post().to(log_in))
        .route("/logout", web::post().to(log_out))
        .route("/me", web::get().to(me));
}

async fn log_in(request: HttpRequest, login: web::Json<Login>) -> actix_web::Result<HttpResponse> {
    let Some(person) = people::check(&login.name, &login.password) else {
        return Ok(HttpResponse::Unauthorized().finish());
    };
    Identity::login(&request.extensions(), person.name.clone())?;
    Ok(HttpResponse::Ok().json(person))
}

/// Ends the cookie, and with it what it has opened: in every tab, on every machine, on all nodes.
async fn log_out(identity: Identity, bowline: Bowline) -> actix_web::Result<HttpResponse> {
    let user = identity.id().map_err(actix_web::error::ErrorUnauthorized)?;
    identity.logout();
    bowline.to_user(&user).disconnect(&close(LOGGED_OUT, "logged out"));
    Ok(HttpResponse::NoContent().finish())
}

async fn me(identity: Option<Identity>) -> HttpResponse {
    match identity.and_then(|identity| people::find(&identity.id().ok()?)) {
        Some(person) => HttpResponse::Ok().json(person),
        None => HttpResponse::Unauthorized().finish(),
    }
}

/// The end of a session, for a reason of the desk's own.
pub(crate) fn close(code: u16, reason: &str) -> Close {
    let code = CloseCode::application(code).expect("the desk's codes are an application's");
    Close::with_reason(code, reason)
}
