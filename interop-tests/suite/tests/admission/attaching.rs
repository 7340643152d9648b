//! Each attachment is checked, wherever it lands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_identity::Identity;
use bowline_fixtures::within_a_minute;
use bowline_server::broker::LocalBroker;
use bowline_server::{Attaching, Bowline, BowlineBuilder, Refusal, Socket};
use tokio::sync::Semaphore;

use super::site::{Mount, Site};
use super::way::{Door, Known, Way, open, open_key, open_with};

/// The session's user has to be logged in still.
async fn same_user(attaching: Attaching, identity: Option<Identity>) -> Result<(), Refusal> {
    let user = identity.and_then(|identity| identity.id().ok());
    if user.as_deref() == attaching.user() { Ok(()) } else { Err("somebody else".into()) }
}

fn builder() -> BowlineBuilder {
    let connect = |socket: Socket, identity: Identity| async move {
        let user = identity.id().map_err(|error| Refusal::new(&error.to_string()))?;
        socket.set_user(user).map_err(|error| Refusal::new(&error.to_string()))
    };
    Bowline::builder().on_connect(connect).on_attach(same_user)
}

/// Two nodes, and the doors of a user of the first: its own node, and the other.
struct Pair {
    first: Bowline,
    sites: [Site; 2],
    cookie: String,
}

impl Pair {
    async fn start(builder: impl Fn() -> BowlineBuilder, mount: Mount) -> Self {
        let broker = LocalBroker::new();
        let nodes = [broker.neighbour(), broker.neighbour()];
        let nodes = nodes.map(|broker| builder().broker(broker).build());
        let first = nodes[0].clone();
        let sites = nodes.map(|node| Site::start(node, mount));
        let cookie = sites[0].login("anna").await;
        Self { first, sites, cookie }
    }

    /// What comes without a cookie.
    fn strangers(&self) -> [Door; 2] {
        self.sites.each_ref().map(|site| site.door.clone())
    }

    fn annas(&self) -> [Door; 2] {
        self.strangers().map(|door| door.with_cookie(&self.cookie))
    }

    /// A session of anna, which polls.
    async fn session(&self) -> Known {
        let mut carrier = self.annas()[0].come(Way::Polling, &open()).await;
        Known::welcomed(&carrier.line().await)
    }

    fn lives(&self, session: &Known) -> bool {
        let id = session.id.parse().expect("an id");
        self.first.socket(&id).is_some_and(|socket| socket.emit("ping", &1).is_ok())
    }
}

#[tokio::test]
async fn each_attachment_is_checked_with_its_own_request_on_every_node() {
    for mount in Mount::RIGHT {
        within_a_minute(async move {
            let pair = Pair::start(builder, mount).await;
            for (anna, stranger) in pair.annas().iter().zip(&pair.strangers()) {
                for way in Way::ALL {
                    let session = pair.session().await;
                    let attach = |n: u64| session.attach(&format!("n={n} recv=0 next=1 greet=1"));
                    let line = anna.come(way, &attach(2)).await.line().await;
                    assert!(line.starts_with("welcome "), "{mount:?} {way:?}: {line}");
                    let mut refused = stranger.come(way, &attach(3)).await;
                    refused.assert_ends("x 4300 \"somebody else\"").await;
                    // Another node tells the owner.
                    while pair.lives(&session) {
                        tokio::task::yield_now().await;
                    }
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_websocket_that_was_on_trial_is_checked_when_it_is_adopted() {
    within_a_minute(async {
        let pair = Pair::start(builder, Mount::Service).await;
        for stranger in pair.strangers() {
            let session = pair.session().await;
            let mut carrier = stranger.come(Way::WebSocket, "h trial").await;
            assert_eq!(carrier.line().await, "a trial");
            carrier.say(&session.attach("n=2 recv=0 next=1")).await;
            carrier.assert_ends("x 4300 \"somebody else\"").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_poll_is_checked_unless_it_follows_another() {
    within_a_minute(async {
        let pair = Pair::start(builder, Mount::Service).await;
        for (index, (anna, stranger)) in pair.annas().iter().zip(pair.strangers()).enumerate() {
            let session = pair.session().await;
            let id = session.id.parse().unwrap();
            pair.first.socket(&id).unwrap().emit("news", &1).unwrap();
            let follows = session.attach("n=2 recv=0 next=1");
            assert_eq!(stranger.come(Way::Polling, &follows).await.line().await, "n 1");
            let moved = session.attach("n=3 recv=0 next=1");
            let mut socket = anna.come(Way::WebSocket, &moved).await;
            assert!(socket.line().await.starts_with("welcome "));
            let pretends = session.attach("n=4 recv=0 next=1");
            let line = stranger.come(Way::Polling, &pretends).await.line().await;
            let expected = ["x 4300 \"somebody else\"", "x 4004"][index];
            assert_eq!(line, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn an_open_that_is_repeated_is_an_attachment_and_a_wrong_secret_asks_nobody() {
    within_a_minute(async {
        let asked = Arc::new(AtomicUsize::new(0));
        let counting = {
            let asked = Arc::clone(&asked);
            move || {
                let asked = Arc::clone(&asked);
                let hook = move |attaching: Attaching, identity: Option<Identity>| {
                    asked.fetch_add(1, Ordering::SeqCst);
                    same_user(attaching, identity)
                };
                builder().on_attach(hook)
            }
        };
        let pair = Pair::start(counting, Mount::Service).await;
        for stranger in pair.strangers() {
            for way in Way::ALL {
                let key = open_key();
                let mut carrier = pair.annas()[0].come(way, &open_with(&key, 1)).await;
                let session = Known::welcomed(&carrier.line().await);
                let before = asked.load(Ordering::SeqCst);
                let wrong = Known { secret: "AAAAAAAAAAAAAAAAAAAAAA".into(), ..session.clone() };
                let wrong = wrong.attach("n=2 recv=0 next=1 greet=1");
                stranger.come(way, &wrong).await.assert_ends("x 4100").await;
                assert_eq!(asked.load(Ordering::SeqCst), before, "{way:?}");
                let mut again = stranger.come(way, &open_with(&key, 2)).await;
                again.assert_ends("x 4300 \"somebody else\"").await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_check_that_takes_its_time_is_said_at_once() {
    within_a_minute(async {
        let permit = Arc::new(Semaphore::new(0));
        let waiting = {
            let permit = Arc::clone(&permit);
            move || {
                let permit = Arc::clone(&permit);
                let hook = move |attaching: Attaching, identity: Option<Identity>| {
                    let permit = Arc::clone(&permit);
                    async move {
                        permit.acquire().await.expect("it is not closed").forget();
                        same_user(attaching, identity).await
                    }
                };
                builder().on_attach(hook)
            }
        };
        let pair = Pair::start(waiting, Mount::Service).await;
        for anna in pair.annas() {
            for way in Way::ALL {
                let session = pair.session().await;
                let attach = |n: u64| session.attach(&format!("n={n} recv=0 next=1 greet=1"));
                let mut carrier = anna.come(way, &attach(2)).await;
                assert_eq!(carrier.line().await, "a", "{way:?}");
                permit.add_permits(1);
                if matches!(way, Way::Polling | Way::Ticket) {
                    carrier = anna.come(way, &attach(3)).await;
                }
                let line = carrier.line().await;
                assert!(line.starts_with("welcome "), "{way:?}: {line}");
            }
        }
    })
    .await;
}
