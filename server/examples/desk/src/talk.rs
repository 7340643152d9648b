//! What happens on a session.

use std::time::{Duration, Instant};

use actix_identity::Identity;
use bowline_server::{
    Bowline, BowlineBuilder, Ext, Failure, Json, Recovered, Refusal, SessionId, Since, Socket,
};
use serde::{Deserialize, Serialize};

use crate::login::close;
use crate::people::{self, Person};
use crate::tickets::{self, Ticket};

/// The close code of a session that an agent has sent away: the client stays away.
pub const SENT_AWAY: u16 = 4502;

pub(crate) fn handlers(builder: BowlineBuilder) -> BowlineBuilder {
    builder
        .on_connect(connect)
        .on("tickets", |Ext(person): Ext<Person>, (): ()| async move { Json(tickets::of(&person)) })
        .on("open", open)
        .on("leave", leave)
        .on("say", say)
        .on("typing", typing)
        .on("probe", probe)
        .on("send-away", send_away)
}

/// Lets in whoever has a cookie. The identity is that of the request, whichever transport it is
/// for.
async fn connect(socket: Socket, identity: Option<Identity>) -> Result<(), Refusal> {
    let name = identity.and_then(|identity| identity.id().ok()).ok_or("log in first")?;
    let person = people::find(&name).ok_or("this account is gone")?;
    // So that a logout finds all sessions of the user.
    socket.set_user(&name).map_err(|_| Refusal::from("try again"))?;
    socket.insert(person);
    Ok(())
}

/// Opens a ticket: what was said comes first, then everything that is said, and who is there.
async fn open(
    socket: Socket,
    bowline: Bowline,
    Ext(person): Ext<Person>,
    id: u32,
) -> Result<Json<Recovered>, Failure> {
    let room = ticket(&person, id)?.room();
    let recovered = bowline.history(&room).follow(&socket, Since::Last(50)).await?;
    bowline.presence(&room).enter(&socket, &person).map_err(failed)?;
    let here = bowline.presence(&room).list::<Person>().await.map_err(failed)?;
    socket.emit("here", &here).map_err(failed)?;
    Ok(Json(recovered))
}

async fn leave(
    socket: Socket,
    bowline: Bowline,
    Ext(person): Ext<Person>,
    id: u32,
) -> Result<(), Failure> {
    let room = ticket(&person, id)?.room();
    bowline.presence(&room).leave(&socket);
    socket.leave(&room);
    Ok(())
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
async fn say(bowline: Bowline, Ext(person): Ext<Person>, say: Say) -> Result<(), Failure> {
    let room = ticket(&person, say.ticket)?.room();
    let said = Said { who: &person.name, text: &say.text };
    bowline.history(&room).emit("said", &said).await?;
    Ok(())
}

/// Worth nothing a moment later, so it is never kept for those who are away.
async fn typing(socket: Socket, Ext(person): Ext<Person>, id: u32) -> Result<(), Failure> {
    let room = ticket(&person, id)?.room();
    socket.to(&room).emit_volatile("typing", &person.name).map_err(failed)?;
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
    let page = socket.request("how-are-you", &person.name).timeout(PATIENCE).await;
    let page = page.map_err(failed)?;
    Ok(Json(Probed { milliseconds: asked.elapsed().as_millis(), page }))
}

/// Ends somebody's session.
async fn send_away(bowline: Bowline, Ext(person): Ext<Person>, of: String) -> Result<(), Failure> {
    let words = format!("{} has ended this conversation", person.name);
    session(&bowline, &person, &of)?.disconnect_with(close(SENT_AWAY, &words));
    Ok(())
}

fn ticket(person: &Person, id: u32) -> Result<Ticket, Failure> {
    tickets::find(person, id).ok_or_else(|| Failure::new("no-such-ticket"))
}

/// The session that an agent names.
fn session(bowline: &Bowline, person: &Person, id: &str) -> Result<Socket, Failure> {
    if !person.agent {
        return Err(Failure::new("agents-only"));
    }
    let id = id.parse::<SessionId>().map_err(|_| Failure::new("no-such-session"))?;
    bowline.socket(&id).ok_or_else(|| Failure::new("no-such-session"))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new("failed").with(&error.to_string())
}

/// How long a page may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
