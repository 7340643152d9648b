//! What is said where connections have no guard. A program of its own, because it reads the log of
//! the process.

use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, rt};
use bowline_raw_client::RawClient;
use bowline_server::Bowline;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Warnings(Mutex<Vec<String>>);

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

/// What is warned of while a few requests come.
async fn warnings(serve: impl FnOnce(Bowline, TcpListener) -> Server) -> Vec<String> {
    WARNINGS.0.lock().unwrap().clear();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(Bowline::builder().build(), listener);
    let handle = server.handle();
    rt::spawn(server);
    for _ in 0..3 {
        ask(address).await;
    }
    stop(handle).await;
    WARNINGS.0.lock().unwrap().clone()
}

async fn ask(address: SocketAddr) {
    let mut client = RawClient::connect(address).await.unwrap();
    assert_eq!(client.get("/bowline/health").await.unwrap().text(), "ok\n");
}

async fn stop(handle: ServerHandle) {
    handle.stop(false).await;
}

#[actix_web::test]
async fn a_server_without_a_guard_is_told_once_what_to_add() {
    log::set_logger(&WARNINGS).unwrap();
    log::set_max_level(LevelFilter::Warn);

    let said = warnings(|bowline, listener| {
        let server = HttpServer::new(move || App::new().service(bowline.service()));
        server.workers(2).disable_signals().listen(listener).unwrap().run()
    });
    let said = said.await;
    let [unguarded] = &*said else { panic!("{said:?}") };
    assert!(unguarded.contains(".on_connect(bowline.guard())"), "{unguarded}");
    assert!(unguarded.contains("HttpServer::new(bowline.watch(…))"), "{unguarded}");

    let said = warnings(|bowline, listener| {
        let guard = bowline.guard();
        let server = HttpServer::new(move || App::new().service(bowline.service()));
        server.on_connect(guard).workers(2).disable_signals().listen(listener).unwrap().run()
    });
    let said = said.await;
    let [unwatched] = &*said else { panic!("{said:?}") };
    assert!(unwatched.contains("HttpServer::new(bowline.watch(…))"), "{unwatched}");

    let said = warnings(|bowline, listener| {
        let (guard, mounted) = (bowline.guard(), bowline.clone());
        let server = HttpServer::new(bowline.watch(move || App::new().wrap(mounted.middleware())));
        server.on_connect(guard).workers(2).disable_signals().listen(listener).unwrap().run()
    });
    assert_eq!(said.await, [""; 0]);
}
