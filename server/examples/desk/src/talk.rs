//! What happens on a session.

use std::time::{Duration, Instant};

use actix_identity::Identity;
use actix_web::web::Path;
use bowline_server::{
    Bowline, BowlineBuilder, Ext, Failure, Grant, Json, Present, Refusal, SessionId, Socket,
};
use serde::{Deserialize, Serialize};

use crate::files;
use crate::login::close;
use crate::people::{self, Person};
use crate::tickets;

/// The close code of a session that an agent has sent away: the client stays away.
pub const SENT_AWAY: u16 = 4502;

pub(crate) fn handlers(builder: BowlineBuilder) -> BowlineBuilder {
    builder
        .on_connect(connect)
        .topic("ticket/{id}", ticket)
        .on("tickets", |Ext(person): Ext<Person>, (): ()| async move { Json(tickets::of(&person)) })
        .on("here", here)
        .on("say", say)
        .on("typing", typing)
        .stream("attach", files::attach)
        .stream("file", files::file)
        .on("probe", probe)
        .on("send-away", send_away)
}

/// Lets in whoever has a cookie. The identity is that of the request, whichever transport it is
/// for.
async fn connect(socket: Socket, identity: Option<Identity>) -> Result<(), Refusal> {
    let name = identity.and_then(|identity| identity.id().ok()).ok_or("log in first")?;
    enter(&socket, &name)
}

/// Whoever speaks on this session from now on is this person.
pub(crate) fn enter(socket: &Socket, name: &str) -> Result<(), Refusal> {
    let person = people::find(name).ok_or("this account is gone")?;
    // So that a logout finds all sessions of the user.
    socket.set_user(name).map_err(|_| Refusal::from("try again"))?;
    socket.insert(person);
    Ok(())
}

/// Who sees a ticket is present in it.
async fn ticket(id: Path<u32>, Ext(person): Ext<Person>) -> Result<Grant, &'static str> {
    tickets::find(&person, *id).ok_or("no such ticket")?;
    Ok(Grant::subscribe().present(&person))
}

/// Who is in a ticket.
async fn here(
    socket: Socket,
    bowline: Bowline,
    id: u32,
) -> Result<Json<Vec<Present<Person>>>, Failure> {
    let ticket = tickets::open(&socket, id)?;
    Ok(Json(bowline.presence(&ticket).list().await?))
}

#[derive(Debug, Deserialize)]
struct Say {
    ticket: u32,
    text: String,
}

#[derive(Debug, Serialize)]
struct Said<'a> {
    who: &'a str,
    text: &'a str,
}

/// The answer comes when the words are kept, so a client that has it can rely on them.
async fn say(
    socket: Socket,
    bowline: Bowline,
    Ext(person): Ext<Person>,
    say: Say,
) -> Result<(), Failure> {
    let ticket = tickets::open(&socket, say.ticket)?;
    bowline.topic(&ticket).emit("said", &Said { who: &person.name, text: &say.text }).await?;
    Ok(())
}

/// Worth nothing a moment later, so it is never kept for those who are away.
async fn typing(
    socket: Socket,
    bowline: Bowline,
    Ext(person): Ext<Person>,
    id: u32,
) -> Result<(), Failure> {
    let ticket = tickets::open(&socket, id)?;
    bowline.topic(&ticket).emit_volatile("typing", &person.name)?;
    Ok(())
}

#[derive(Debug, Serialize)]
struct Probed {
    milliseconds: u128,
    page: String,
}

/// Asks somebody's page how it is: a request from server to client, and its answer back to the
/// agent.
async fn probe(
    bowline: Bowline,
    Ext(person): Ext<Person>,
    of: String,
) -> Result<Json<Probed>, Failure> {
    let socket = session(&bowline, &person, &of)?;
    let asked = Instant::now();
    let page = socket.request("how-are-you", &person.name).timeout(PATIENCE).await?;
    Ok(Json(Probed { milliseconds: asked.elapsed().as_millis(), page }))
}

/// Ends somebody's session.
async fn send_away(bowline: Bowline, Ext(person): Ext<Person>, of: String) -> Result<(), Failure> {
    let words = format!("{} has ended this conversation", person.name);
    session(&bowline, &person, &of)?.disconnect_with(close(SENT_AWAY, &words));
    Ok(())
}

/// The session that an agent names.
fn session(bowline: &Bowline, person: &Person, id: &str) -> Result<Socket, Failure> {
    if !person.agent {
        return Err(Failure::new("agents-only"));
    }
    let id = id.parse::<SessionId>().map_err(|_| Failure::new("no-such-session"))?;
    bowline.socket(&id).ok_or_else(|| Failure::new("no-such-session"))
}

/// How long a page may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
