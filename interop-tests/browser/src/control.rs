//! What tests may do to a world.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, error, web};
use bowline_server::{SessionId, Socket};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::worlds::{Settings, World, Worlds};
use bowline_contract::Down;
use bowline_fault_proxy::{Counters, Cut, Direction};
use bowline_fixtures::app::Entry;

/// Something that happens to a world.
#[derive(Debug, Deserialize)]
#[serde(tag = "deed", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Deed {
    /// Ends all connections, and tells how many there were.
    Cut { finish: bool },
    /// New connections are reset.
    RefuseConnections { on: bool },
    /// Upgrades are answered with this status.
    RefuseUpgrades { status: Option<u16> },
    /// Upgrades are agreed to and then dead.
    DeadUpgrades { on: bool },
    /// A direction is swallowed: `up`, `down` or `both`.
    Mute { direction: Option<Way> },
    /// Milliseconds each way.
    Delay { each_way: u64, jitter: u64 },
    /// The next answer's body ends after so many bytes.
    CutMidBody { after: usize },
    /// Each POST is sent twice.
    ReplayPosts { on: bool },
    /// The server is killed, and another takes its place.
    Restart,
    /// The server sends its clients away. Tells how many were left.
    Drain,
    /// Another server takes the place of the present one, which ends.
    Succeed,
    /// A volatile event with this number. Tells whether it was queued.
    EmitVolatile { session: Session, number: u64 },
    /// An event `file` with this payload and these bytes.
    EmitBytes { session: Session, payload: Value, bytes: Vec<u8> },
    /// Any event.
    Emit { session: Session, name: String, payload: Value },
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Up,
    Down,
    Both,
}

/// A session's id as text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session(SessionId);

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom("no session id"))
    }
}

pub(crate) fn routes(app: &mut web::ServiceConfig) {
    app.route("/worlds", web::post().to(add))
        .route("/worlds/{id}/end", web::post().to(end))
        .route("/worlds/{id}/journal", web::post().to(journal))
        .route("/worlds/{id}/versions", web::post().to(versions))
        .route("/worlds/{id}/counters", web::post().to(counters))
        .route("/worlds/{id}/emit", web::post().to(emit))
        .route("/worlds/{id}/do", web::post().to(act));
}

async fn add(worlds: web::Data<Worlds>, body: Bytes) -> Answer {
    let (id, world) = worlds.add(read::<Settings>(&body)?).await?;
    tell(&json!({ "id": id, "url": world.url() }))
}

async fn end(worlds: web::Data<Worlds>, id: web::Path<u64>) -> Answer {
    // Its server is stopped by joining its thread, which is not for an asynchronous one.
    let world = worlds.remove(*id);
    web::block(move || drop(world)).await?;
    tell(&Value::Null)
}

#[derive(Deserialize)]
struct After {
    after: Option<usize>,
}

async fn journal(worlds: web::Data<Worlds>, id: web::Path<u64>, body: Bytes) -> Answer {
    let world = find(&worlds, *id)?;
    let entries = match read::<After>(&body)?.after {
        Some(known) => world.entries_after(known).await,
        None => world.entries(),
    };
    tell(&entries.iter().map(entry).collect())
}

fn entry(entry: &Entry) -> Value {
    match entry {
        Entry::Connected(session) => json!({ "kind": "connected", "session": text(session) }),
        Entry::Up(session, number) => {
            json!({ "kind": "up", "session": text(session), "number": number })
        }
        Entry::Refreshed(session) => json!({ "kind": "refreshed", "session": text(session) }),
        Entry::Disconnected(session, code) => {
            json!({ "kind": "disconnected", "session": text(session), "code": code.get() })
        }
    }
}

fn text(session: &SessionId) -> String {
    session.to_string()
}

#[derive(Deserialize)]
struct Of {
    path: String,
}

async fn versions(worlds: web::Data<Worlds>, id: web::Path<u64>, body: Bytes) -> Answer {
    let versions = find(&worlds, *id)?.versions(&read::<Of>(&body)?.path);
    tell(&versions.iter().map(|version| format!("{version:?}")).collect())
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Bounds {
    accepted: usize,
    refused_upgrades: usize,
    refused_connections: usize,
    bytes_up: usize,
    bytes_muted: usize,
    /// The one bound from above.
    open: Option<usize>,
}

async fn counters(worlds: web::Data<Worlds>, id: web::Path<u64>, body: Bytes) -> Answer {
    let (world, bounds) = (find(&worlds, *id)?, read::<Bounds>(&body)?);
    let is_met = |counters: &Counters| {
        counters.accepted >= bounds.accepted
            && counters.refused_upgrades >= bounds.refused_upgrades
            && counters.refused_connections >= bounds.refused_connections
            && counters.bytes_up >= bounds.bytes_up
            && counters.bytes_muted >= bounds.bytes_muted
            && bounds.open.is_none_or(|most| counters.open <= most)
    };
    let counters = world.proxy.wait_for(is_met).await;
    tell(&json!({
        "accepted": counters.accepted,
        "open": counters.open,
        "refused_upgrades": counters.refused_upgrades,
        "refused_connections": counters.refused_connections,
        "bytes_up": counters.bytes_up,
        "bytes_muted": counters.bytes_muted,
        "replayed": counters.replayed,
    }))
}

#[derive(Deserialize)]
struct Numbers {
    session: Session,
    from: u64,
    through: u64,
}

async fn emit(worlds: web::Data<Worlds>, id: web::Path<u64>, body: Bytes) -> Answer {
    let numbers = read::<Numbers>(&body)?;
    let socket = socket(&*find(&worlds, *id)?, numbers.session)?;
    for number in numbers.from..=numbers.through {
        socket.emit(Down, &number).map_err(error::ErrorConflict)?;
    }
    tell(&Value::Null)
}

async fn act(worlds: web::Data<Worlds>, id: web::Path<u64>, body: Bytes) -> Answer {
    let (world, deed) = (find(&worlds, *id)?, read::<Deed>(&body)?);
    tell(&perform(&world, deed).await?)
}

async fn perform(world: &Arc<World>, deed: Deed) -> Result<Value, actix_web::Error> {
    let proxy = &world.proxy;
    match deed {
        Deed::Cut { finish } => {
            let how = if finish { Cut::Finish } else { Cut::Reset };
            return Ok(proxy.cut_all(how).into());
        }
        Deed::RefuseConnections { on } => proxy.refuse_connections(on),
        Deed::RefuseUpgrades { status } => proxy.refuse_upgrade(status),
        Deed::DeadUpgrades { on } => proxy.dead_upgrades(on),
        Deed::Mute { direction } => proxy.mute(direction.map(Way::into)),
        Deed::Delay { each_way, jitter } => {
            proxy.delay(Duration::from_millis(each_way), Duration::from_millis(jitter));
        }
        Deed::CutMidBody { after } => proxy.cut_mid_body(after),
        Deed::ReplayPosts { on } => proxy.replay_posts(on),
        Deed::Restart => {
            let world = world.clone();
            web::block(move || world.restart()).await?;
        }
        Deed::Drain => {
            return Ok(world.bowline().shutdown(Duration::from_secs(20)).await.into());
        }
        Deed::Succeed => {
            let world = world.clone();
            web::block(move || world.succeed()).await?;
        }
        Deed::EmitVolatile { session, number } => {
            let queued = socket(world, session)?.emit_volatile(Down, &number);
            return Ok(queued.map_err(error::ErrorConflict)?.into());
        }
        Deed::EmitBytes { session, payload, bytes } => {
            let sent = socket(world, session)?.emit_with("file", &payload, bytes.into());
            sent.map_err(error::ErrorConflict)?;
        }
        Deed::Emit { session, name, payload } => {
            let sent = socket(world, session)?.emit(name.as_str(), &payload);
            sent.map_err(error::ErrorConflict)?;
        }
    }
    Ok(Value::Null)
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Up => Self::Up,
            Way::Down => Self::Down,
            Way::Both => Self::Both,
        }
    }
}

type Answer = Result<HttpResponse, actix_web::Error>;

fn tell(value: &Value) -> Answer {
    Ok(HttpResponse::Ok().json(value))
}

fn find(worlds: &Worlds, id: u64) -> Result<Arc<World>, actix_web::Error> {
    worlds.get(id).ok_or_else(|| error::ErrorNotFound("there is no such world"))
}

fn socket(world: &World, session: Session) -> Result<Socket, actix_web::Error> {
    let socket = world.bowline().socket(&session.0);
    socket.ok_or_else(|| error::ErrorNotFound("there is no such session"))
}

/// Bodies are sent as plain text, so that pages need no preflight. None is an empty object.
fn read<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, actix_web::Error> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(error::ErrorBadRequest)
}
