//! An application with a login by cookie: actix-session, and actix-identity on top of it.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::storage::CookieSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::body::MessageBody;
use actix_web::cookie::Key;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Condition, Next, from_fn};
use actix_web::{App, Error, HttpMessage as _, HttpRequest, HttpResponse, HttpServer, rt, web};
use bowline_raw_client::RawClient;
use bowline_server::{Bowline, Close, CloseCode};

use super::way::Door;

/// Where Bowline is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mount {
    Service,
    /// As middleware that was wrapped first: the identity is known when a request comes to it.
    WrappedFirst,
    /// As middleware that was wrapped last: it sees requests before anybody knows who sends them.
    WrappedLast,
}

impl Mount {
    pub(super) const RIGHT: [Self; 2] = [Self::Service, Self::WrappedFirst];
}

/// A server that runs until it is dropped.
pub(super) struct Site {
    pub(super) door: Door,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Site {
    pub(super) fn start(bowline: Bowline, mount: Mount) -> Self {
        super::journal::record();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (told, handle) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                let server = serve(bowline, mount, listener);
                told.send(server.handle()).expect("the starter waits for the handle");
                server.await.expect("the server runs until it is stopped");
            });
        });
        let handle = handle.recv().expect("the thread tells its handle first");
        Self { door: Door::of(address), handle, thread: Some(thread) }
    }

    /// Logs in. Returns the cookie.
    pub(super) async fn login(&self, user: &str) -> String {
        login(self.door.address, user).await
    }

    /// Asks for a page.
    pub(super) async fn post(&self, path: &str, cookie: &str) {
        let mut client = RawClient::connect(self.door.address).await.expect("the server listens");
        client.request("POST", path, &[("Cookie", cookie)], "").await.expect("it reads");
        assert_eq!(client.response().await.expect("it answers").head.status, 200, "{path}");
    }
}

async fn login(address: SocketAddr, user: &str) -> String {
    let mut client = RawClient::connect(address).await.expect("the server listens");
    let answer = client.post(&format!("/login/{user}"), "").await.expect("it answers");
    assert_eq!(answer.head.status, 200);
    let cookie = answer.head.header("set-cookie").expect("a login sets a cookie");
    cookie.split(';').next().expect("a cookie has a value").to_owned()
}

fn serve(bowline: Bowline, mount: Mount, listener: TcpListener) -> actix_web::dev::Server {
    let server = HttpServer::new(move || {
        let builder = SessionMiddleware::builder(CookieSessionStore::default(), key());
        let is = |other| mount == other;
        App::new()
            .app_data(web::Data::new(bowline.clone()))
            .configure(|app| {
                if is(Mount::Service) {
                    app.service(bowline.service());
                }
            })
            .route("/login/{user}", web::post().to(log_in))
            .route("/logout", web::post().to(log_out))
            .wrap(Condition::new(is(Mount::WrappedFirst), bowline.middleware()))
            .wrap(from_fn(mark))
            .wrap(IdentityMiddleware::default())
            .wrap(builder.cookie_secure(false).build())
            .wrap(Condition::new(is(Mount::WrappedLast), bowline.middleware()))
    });
    let server = server.workers(2).disable_signals().tcp_nodelay(true);
    server.listen(listener).expect("a bound socket can be listened on").run()
}

fn key() -> Key {
    Key::from(&[7; 64])
}

/// What an application's own middleware adds to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark(pub(super) String);

/// Adds it, and wants to have it still when the head of the response is made.
async fn mark(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    request.extensions_mut().insert(Mark(request.path().to_owned()));
    let response = next.call(request).await?;
    assert!(response.request().extensions().get::<Mark>().is_some(), "the mark is gone");
    Ok(response)
}

async fn log_in(request: HttpRequest, user: web::Path<String>, session: Session) -> HttpResponse {
    let user = user.into_inner();
    session.insert("theme", format!("theme of {user}")).expect("a text is JSON");
    Identity::login(&request.extensions(), user).expect("the session takes it");
    HttpResponse::Ok().finish()
}

/// Ends the login, and with it all sessions of the user.
async fn log_out(identity: Identity, bowline: web::Data<Bowline>) -> HttpResponse {
    let user = identity.id().expect("who is logged in has a name");
    identity.logout();
    bowline.to_user(user).disconnect(&Close::new(CloseCode::NORMAL));
    HttpResponse::Ok().finish()
}

impl Drop for Site {
    fn drop(&mut self) {
        // Stops without waiting for connections, as a process that is killed does.
        drop(self.handle.stop(false));
        let stopped = self.thread.take().map(JoinHandle::join);
        if stopped.is_some_and(|result| result.is_err()) && !std::thread::panicking() {
            panic!("the server's thread panicked");
        }
    }
}
