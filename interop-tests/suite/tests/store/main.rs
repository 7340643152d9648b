//! Sessions outlive their process: a server ends, another one reads its store, and its clients go
//! on. The store is a folder, or Redis.

use std::fs;
use std::future::IntoFuture as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline_client::{RequestError, Status, Transport};
use bowline_contract::{Down, Echo, Hang, Join, Line, Said, Say, TrustFor, Up};
use bowline_fault_proxy::Cut;
use bowline_fixtures::app::{self, Entry};
use bowline_fixtures::test_server::{Shape, TestServer};
use bowline_fixtures::within_a_minute;
use bowline_interop_tests::stories::World;
use bowline_processes::RedisServer;
use bowline_server::{
    BowlineBuilder, CloseCode, Ext, Failure, FileStore, GAP, PRESENCE, PresenceChange, RedisStore,
    Socket,
};
use futures::{FutureExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

macro_rules! over_every_transport {
    ($($story:ident)*) => {
        mod websocket { $(super::test!($story, WebSocket);)* }
        mod sse { $(super::test!($story, Sse);)* }
        mod polling { $(super::test!($story, Polling);)* }
    };
}

macro_rules! test {
    ($story:ident, $transport:ident) => {
        #[tokio::test]
        async fn $story() {
            let _ = env_logger::try_init();
            super::within_a_minute(async {
                let transport = super::Transport::$transport;
                let world = super::World::new(transport, super::Shape::default()).await;
                super::$story(world, super::Place::folder()).await;
            })
            .await;
        }
    };
    ($story:ident, $transport:ident, $place:ident) => {
        #[tokio::test]
        async fn $story() {
            super::within_a_minute(async {
                let transport = super::Transport::$transport;
                let world = super::World::new(transport, super::Shape::default()).await;
                super::$story(world, super::Place::$place()).await;
            })
            .await;
        }
    };
}
use test;

mod crash;

over_every_transport! {
    nothing_is_lost_over_three_restarts
    a_handler_under_way_answers_from_the_next_process
    everything_that_a_session_is_goes_along
    a_session_that_cannot_be_stored_is_lost_and_its_client_told
}

mod redis {
    super::test!(nothing_is_lost_over_three_restarts, WebSocket, redis);
    super::test!(a_handler_under_way_answers_from_the_next_process, Sse, redis);
    super::test!(everything_that_a_session_is_goes_along, Polling, redis);
    super::test!(a_session_that_cannot_be_stored_is_lost_and_its_client_told, WebSocket, redis);
}

mod redis_of_a_user {
    super::test!(nothing_is_lost_over_three_restarts, WebSocket, redis_of_a_user);
}

mod redis_cluster {
    super::test!(nothing_is_lost_over_three_restarts, Polling, redis_cluster);
}

/// Messages both ways, sent at every moment of three restarts, arrive once and in order.
async fn nothing_is_lost_over_three_restarts(world: World, place: Place) {
    const EACH: u64 = 50;
    let mut server = world.another_server(place.app().build());
    world.proxy.set_target(server.address());
    let client = world.connected().await;
    let session = client.session_id().unwrap();
    let mut down = client.on(Down);
    let (mut sent, mut up) = (0, Vec::new());
    let mut talk = |server: &TestServer| {
        let socket = server.bowline().socket(&session).expect("the session is here");
        for _ in 0..EACH {
            sent += 1;
            client.emit(Up, &sent).unwrap();
            socket.emit(Down, &sent).unwrap();
        }
    };
    for _ in 0..3 {
        talk(&server);
        // Some of it is on its way, some waits here, and some is not sent yet.
        world.proxy.refuse_connections(true);
        world.proxy.cut_all(Cut::Reset);
        talk(&server);
        world.proxy.refuse_connections(false);
        talk(&server);
        server.bowline().shutdown(Duration::from_secs(20)).await;
        assert_eq!(server.bowline().stats().sessions, 0);
        assert_eq!(place.stored(), 1);
        up.extend(server.journal().numbers(session));
        server = world.another_server(place.app().build());
        talk(&server);
        assert_eq!((place.stored(), server.bowline().stats().sessions), (0, 1));
        world.proxy.set_target(server.address());
    }
    client.request(Echo, &"done".to_owned()).await.unwrap();
    up.extend(server.journal().numbers(session));
    assert!(up.into_iter().eq(1..=EACH * 12));
    for number in 1..=EACH * 12 {
        assert_eq!(down.next().await.unwrap().unwrap().payload, number);
    }
    assert!(down.next().now_or_never().is_none(), "nothing comes twice");
    assert_eq!((client.session_id(), client.stats().sessions_lost), (Some(session), 0));
}

/// A handler that is at work when the server is told to end has its answer told by the next
/// process.
async fn a_handler_under_way_answers_from_the_next_process(world: World, place: Place) {
    let (begun, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let app = place.app().on("slow", {
        let (begun, goes_on) = (Arc::clone(&begun), Arc::clone(&goes_on));
        move |text: String| {
            let (begun, goes_on) = (Arc::clone(&begun), Arc::clone(&goes_on));
            async move {
                begun.notify_one();
                goes_on.notified().await;
                Ok::<_, Failure>(bowline_server::Json(text))
            }
        }
    });
    let server = world.another_server(app.build());
    world.proxy.set_target(server.address());
    let client = world.connected().await;
    let mut changes = client.status_stream();
    let text = "slowly".to_owned();
    let request = client.request::<_, _, String>("slow", &text);
    let mut answer = std::pin::pin!(request.timeout(Duration::from_secs(40)).into_future());
    assert!(futures::poll!(&mut answer).is_pending());
    begun.notified().await;
    let away = async {
        while !matches!(changes.next().await.unwrap(), Status::Waiting { .. }) {}
        // The client was sent away, and the handler still waits.
        goes_on.notify_one();
    };
    let (_, ()) = futures::join!(server.bowline().shutdown(Duration::from_secs(20)), away);
    assert_eq!(place.stored(), 1);
    let next = world.another_server(place.app().build());
    world.proxy.set_target(next.address());
    assert_eq!(answer.await.unwrap(), "slowly");
}

#[derive(Clone, Serialize, Deserialize)]
struct Name(String);

/// Rooms, the user, what the application keeps, presence and what is left of an authentication.
async fn everything_that_a_session_is_goes_along(world: World, place: Place) {
    let app = || {
        place
            .app()
            .carry::<Name>("name")
            .on("be", |socket: Socket, name: String| async move {
                socket.set_user(&name).map_err(|_| Failure::new("no-user"))?;
                socket.insert(Name(name));
                Ok::<_, Failure>(())
            })
            .on("who", |socket: Socket, Ext(Name(name)): Ext<Name>, (): ()| async move {
                Ok::<_, Failure>(bowline_server::Json((socket.user(), name)))
            })
    };
    let server = world.another_server(app().build());
    world.proxy.set_target(server.address());
    let (anna, ben) = (world.builder().auth("token").build().unwrap(), world.client());
    let presence = server.bowline().presence("room");
    let mut told = anna.on::<_, PresenceChange<String>>(PRESENCE);
    let mut gaps = anna.on::<_, serde_json::Value>(GAP);
    for (client, name) in [(&anna, "anna"), (&ben, "ben")] {
        client.connect().await.unwrap();
        client.request::<_, _, ()>("be", &name.to_owned()).await.unwrap();
        client.request(Join, &"room".to_owned()).await.unwrap();
        let socket = server.bowline().socket(&client.session_id().unwrap()).unwrap();
        presence.enter(&socket, name).unwrap();
    }
    let side = anna.namespace("/side");
    let mut noted = side.on::<_, u64>("noted");
    side.join("key").await.unwrap();
    anna.request(TrustFor, &4000).await.unwrap();
    for name in ["anna", "ben"] {
        assert_eq!(told.next().await.unwrap().unwrap().payload.joined[0].info, name);
    }
    server.bowline().shutdown(Duration::from_secs(20)).await;

    let next = world.another_server(app().build());
    let bowline = next.bowline();
    let people = bowline.presence("room").list::<String>().await.unwrap();
    assert_eq!(people.len(), 2);
    let mut heard = ben.on(Said);
    assert_eq!(bowline.to_user("ben").emit(Said, &line("to a user")).unwrap(), 1);
    world.proxy.set_target(next.address());
    assert_eq!(heard.next().await.unwrap().unwrap().payload, line("to a user"));
    assert_eq!(anna.request(Say, &line("to a room")).await.unwrap(), 1);
    assert_eq!(heard.next().await.unwrap().unwrap().payload, line("to a room"));
    let who = anna.request::<_, _, (Option<String>, String)>("who", &()).await.unwrap();
    assert_eq!(who, (Some("anna".to_owned()), "anna".to_owned()));
    side.emit("note", &7).unwrap();
    assert_eq!(noted.next().await.unwrap().unwrap().payload, 7);
    let session = anna.session_id().unwrap();
    next.journal().wait_for(|entries| entries.contains(&Entry::Refreshed(session))).await;
    assert!(told.next().now_or_never().is_none(), "nobody has come or gone");
    assert!(gaps.next().now_or_never().is_none(), "nothing was missed");
    ben.close().await;
    let left = told.next().await.unwrap().unwrap().payload.left;
    assert_eq!(left[0].info, "ben");
}

struct Unwritable;

/// A handler that does not end, or a value that nobody can write down, costs that session and no
/// other.
async fn a_session_that_cannot_be_stored_is_lost_and_its_client_told(world: World, place: Place) {
    let app = || {
        place.app().on("keep", |socket: Socket, (): ()| async move {
            socket.insert(Unwritable);
            Ok::<_, Failure>(())
        })
    };
    let server = world.another_server(app().build());
    world.proxy.set_target(server.address());
    let (stuck, odd, well) =
        (world.connected().await, world.connected().await, world.connected().await);
    let mut statuses = [stuck.status_stream(), odd.status_stream()];
    let mut hangs = std::pin::pin!(stuck.request(Hang, &()).into_future());
    assert!(futures::poll!(&mut hangs).is_pending());
    let session = stuck.session_id().unwrap();
    server.journal().wait_for(|entries| entries.contains(&Entry::Up(session, 0))).await;
    odd.request::<_, _, ()>("keep", &()).await.unwrap();
    server.bowline().shutdown(Duration::from_millis(800)).await;

    let next = world.another_server(app().build());
    assert_eq!(next.bowline().stats().sessions, 1);
    world.proxy.set_target(next.address());
    for changes in &mut statuses {
        assert_eq!(lost(changes).await.0, CloseCode::SESSION_RESTARTED);
    }
    assert!(matches!(hangs.await, Err(RequestError::SessionLost { sent: true })));
    well.request(Echo, &"well".to_owned()).await.unwrap();
    assert_eq!(well.stats().sessions_lost, 0);
}

/// A process that is killed has written nothing, and what was read before does not come back.
async fn lost(
    changes: &mut (impl futures::Stream<Item = Status> + Unpin),
) -> (CloseCode, u64, u64) {
    loop {
        if let Status::SessionLost { code, confirmed, unknown } = changes.next().await.unwrap() {
            return (code, confirmed, unknown);
        }
    }
}

fn line(text: &str) -> Line {
    Line { room: "room".to_owned(), text: text.to_owned() }
}

/// Where the processes of a story store their sessions, as long as this lives.
struct Place {
    folder: PathBuf,
    /// If they are there, and how it is reached.
    redis: Vec<RedisServer>,
    url: String,
}

impl Place {
    fn folder() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bowline-store-{}-{number}", std::process::id());
        Self { folder: std::env::temp_dir().join(name), redis: Vec::new(), url: String::new() }
    }

    fn in_redis(redis: Vec<RedisServer>, url: String) -> Self {
        Self { redis, url, folder: PathBuf::new() }
    }

    fn redis() -> Self {
        let redis = RedisServer::start();
        let url = redis.url();
        Self::in_redis(vec![redis], url)
    }

    /// One with the user that `docs/deploying.md` has.
    fn redis_of_a_user() -> Self {
        let user = ["--user", "sessions", "on", ">password", "~bowline:store:*"];
        let may = ["+@all", "-@dangerous", "+info"];
        let redis = RedisServer::start_with(&[&user[..], &may].concat());
        let url = format!("redis://sessions:password@127.0.0.1:{}", redis.port());
        Self::in_redis(vec![redis], url)
    }

    fn redis_cluster() -> Self {
        let redis: Vec<_> = RedisServer::start_cluster().into();
        let url = redis[1].url();
        Self::in_redis(redis, url)
    }

    fn app(&self) -> BowlineBuilder {
        match self.redis.is_empty() {
            true => app::builder().store(FileStore::new(&self.folder)),
            false => app::builder().store(RedisStore::new(&self.url).expect("it is a URL")),
        }
    }

    /// How many processes have stored sessions that nobody has taken over.
    fn stored(&self) -> usize {
        if self.redis.is_empty() {
            return self.with_extension("sessions").count();
        }
        self.redis.iter().map(|redis| redis.keys("*bowline:store*:value:*")).sum()
    }

    /// Processes that were killed hold no locks. Those of this test live on in its own process.
    fn unlock(&self) {
        self.with_extension("process").for_each(|path| fs::remove_file(path).unwrap());
    }

    fn with_extension(&self, extension: &str) -> impl Iterator<Item = PathBuf> {
        let entries = self.folder.read_dir().expect("the folder was made");
        let paths = entries.map(|entry| entry.expect("it can be read").path());
        paths.filter(move |path| path.extension().is_some_and(|end| end == extension))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.redis.is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
