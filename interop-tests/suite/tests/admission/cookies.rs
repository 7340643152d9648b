//! Hooks that ask actix who is there.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_identity::Identity;
use actix_session::Session;
use actix_web::dev::{ConnectionInfo, Payload};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use bowline_fixtures::within_a_minute;
use bowline_server::broker::LocalBroker;
use bowline_server::{Bowline, BowlineBuilder, Refusal, SessionId, Socket};
use tokio::sync::Semaphore;

use super::journal;
use super::site::{Mark, Mount, Site};
use super::way::{Carrier, Known, Way, open, open_key, open_with};

/// Lets in who is logged in, and keeps the name.
async fn logged_in(socket: Socket, identity: Option<Identity>) -> Result<(), Refusal> {
    let identity = identity.ok_or("log in first")?;
    let user = identity.id().map_err(|error| Refusal::new(&error.to_string()))?;
    socket.set_user(user).map_err(|error| Refusal::new(&error.to_string()))
}

fn builder() -> BowlineBuilder {
    Bowline::builder().on_connect(logged_in)
}

fn user_of(bowline: &Bowline, welcome: &str) -> Option<String> {
    let session: SessionId = Known::welcomed(welcome).id.parse().expect("an id");
    bowline.socket(&session).expect("the session lives").user()
}

#[tokio::test]
async fn the_connect_hook_sees_who_is_logged_in_over_every_transport_and_mount() {
    for mount in Mount::RIGHT {
        for way in Way::ALL {
            within_a_minute(async move {
                let bowline = builder().build();
                let site = Site::start(bowline.clone(), mount);
                let anna = site.door.with_cookie(&site.login("anna").await);
                let welcome = anna.come(way, &open()).await.line().await;
                assert_eq!(
                    user_of(&bowline, &welcome).as_deref(),
                    Some("anna"),
                    "{mount:?} {way:?}"
                );
                let mut stranger = site.door.come(way, &open()).await;
                stranger.assert_ends("x 4300 \"log in first\"").await;
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_hook_that_waits_until_the_head_is_sent_still_sees_the_session_and_the_identity() {
    for mount in Mount::RIGHT {
        for way in Way::ALL {
            within_a_minute(async move {
                let permit = Arc::new(Semaphore::new(0));
                let bowline = {
                    let permit = Arc::clone(&permit);
                    let hook = move |socket: Socket, session: Session, identity: Identity| {
                        let permit = Arc::clone(&permit);
                        async move {
                            drop(permit.acquire().await);
                            let theme: Option<String> = session.get("theme").unwrap();
                            socket.insert((theme, identity.id().ok()));
                        }
                    };
                    Bowline::builder().on_connect(hook).build()
                };
                let site = Site::start(bowline.clone(), mount);
                let anna = site.door.with_cookie(&site.login("anna").await);
                let key = open_key();
                let mut carrier = anna.come(way, &open_with(&key, 1)).await;
                assert_eq!(carrier.line().await, "a", "the head is sent, and the hook waits");
                permit.add_permits(1);
                if way == Way::Polling {
                    carrier = anna.come(way, &open_with(&key, 2)).await;
                }
                let welcome = carrier.line().await;
                let session =
                    welcome.split(' ').find_map(|pair| pair.strip_prefix("sid=")).unwrap();
                let socket = bowline.socket(&session.parse().unwrap()).expect("the session lives");
                let seen: (Option<String>, Option<String>) = socket.get().expect("the hook ran");
                let wanted = (Some("theme of anna".to_owned()), Some("anna".to_owned()));
                assert_eq!(seen, wanted, "{mount:?} {way:?}");
            })
            .await;
        }
    }
}

/// What an application takes from requests in its own way.
#[derive(Debug, Clone, PartialEq)]
struct Agent(String);

impl FromRequest for Agent {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mark = request.extensions().get::<Mark>().map(|Mark(path)| path.clone());
        ready(mark.map(Self).ok_or_else(|| actix_web::error::ErrorUnauthorized("no mark")))
    }
}

#[derive(serde::Deserialize)]
struct Wanted {
    from: String,
}

#[tokio::test]
async fn whatever_actix_can_extract_works_in_the_connect_hook() {
    for mount in Mount::RIGHT {
        for way in [Way::WebSocket, Way::Sse, Way::Polling] {
            within_a_minute(async move {
                let hook = |socket: Socket,
                            own: Agent,
                            mark: web::ReqData<Mark>,
                            wanted: web::Query<Wanted>,
                            info: ConnectionInfo,
                            bowline: Bowline| async move {
                    let address = info.peer_addr().map(str::to_owned);
                    assert!(bowline.socket(&socket.id()).is_some(), "the Bowline that serves it");
                    socket.insert((own, Mark::clone(&mark), wanted.from.clone(), address));
                };
                let bowline = Bowline::builder().on_connect(hook).build();
                let site = Site::start(bowline.clone(), mount);
                let door = super::way::Door { query: "?from=here", ..site.door.clone() };
                let welcome = door.come(way, &open()).await.line().await;
                let session = Known::welcomed(&welcome).id.parse().unwrap();
                let socket = bowline.socket(&session).expect("the session lives");
                let seen: (Agent, Mark, String, Option<String>) = socket.get().expect("it ran");
                let path = match way {
                    Way::WebSocket => "/bowline/ws",
                    Way::Polling => "/bowline/poll",
                    _ => "/bowline/sse",
                };
                let address = Some("127.0.0.1".to_owned());
                let here = "here".to_owned();
                assert_eq!(seen, (Agent(path.into()), Mark(path.into()), here, address));
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_middleware_on_the_wrong_side_is_said_with_what_to_change() {
    within_a_minute(async {
        let site = Site::start(builder().build(), Mount::WrappedLast);
        let anna = site.door.with_cookie(&site.login("anna").await);
        for way in Way::ALL {
            let mut carrier = anna.come(way, &open()).await;
            carrier.assert_ends("x 4300 \"the connect hook failed\"").await;
        }
        let warning = [
            "WARN bowline.middleware() wraps ",
            "actix_identity::middleware::InnerIdentityMiddleware",
            "Identity>",
            "call .wrap(bowline.middleware()) before every other .wrap(…)",
        ];
        journal::assert_logged(&warning);
        journal::assert_logged(&[
            "WARN an extractor of a hook panicked",
            "wrap(bowline.middleware())",
        ]);
    })
    .await;
}

#[tokio::test]
async fn what_an_extractor_misses_matters_only_if_the_hook_is_asked() {
    within_a_minute(async {
        let site = Site::start(builder().build(), Mount::Service);
        let anna = site.door.with_cookie(&site.login("anna").await);
        let mut carrier = anna.come(Way::Polling, &open()).await;
        let session = Known::welcomed(&carrier.line().await);
        for (n, way) in (2..).zip(Way::ALL) {
            let attach = session.attach(&format!("n={n} recv=0 next=1 greet=1"));
            let line = site.door.come(way, &attach).await.line().await;
            assert!(line.starts_with("welcome "), "{way:?}: {line}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_open_that_another_node_serves_is_decided_where_it_came_first() {
    within_a_minute(async {
        let broker = LocalBroker::new();
        let nodes =
            [broker.neighbour(), broker.neighbour()].map(|broker| builder().broker(broker).build());
        let sites = nodes.clone().map(|node| Site::start(node, Mount::Service));
        let anna = sites[0].login("anna").await;
        for way in Way::ALL {
            let key = open_key();
            let doors = sites.each_ref().map(|site| site.door.with_cookie(&anna));
            let welcome = doors[0].come(way, &open_with(&key, 1)).await.line().await;
            let session = Known::welcomed(&welcome);
            // It is repeated, without the cookie, and reaches the other node.
            let mut again: Carrier = sites[1].door.come(way, &open_with(&key, 2)).await;
            assert_eq!(Known::welcomed(&again.line().await).id, session.id, "{way:?}");
            assert_eq!(user_of(&nodes[0], &welcome).as_deref(), Some("anna"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_logout_ends_all_sessions_of_the_user_and_nobody_elses() {
    within_a_minute(async {
        let bowline = builder().build();
        let site = Site::start(bowline.clone(), Mount::Service);
        let cookie = site.login("anna").await;
        let (anna, ben) = (site.door.with_cookie(&cookie), site.login("ben").await);
        let mut carriers = Vec::new();
        for way in Way::ALL {
            let mut carrier = anna.come(way, &open()).await;
            carriers.push((way, Known::welcomed(&carrier.line().await), carrier));
        }
        let mut other = site.door.with_cookie(&ben).come(Way::WebSocket, &open()).await;
        let other = Known::welcomed(&other.line().await);
        site.post("/logout", &cookie).await;
        for (way, session, mut carrier) in carriers {
            if way == Way::Polling {
                carrier = anna.come(way, &session.attach("n=2 recv=0 next=1")).await;
                assert_eq!(carrier.line().await, "n 1");
            }
            carrier.assert_ends("x 1000").await;
        }
        let other = bowline.socket(&other.id.parse().unwrap()).expect("the session lives");
        assert_eq!(other.user().as_deref(), Some("ben"));
    })
    .await;
}
