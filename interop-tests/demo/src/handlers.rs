//! The application: who may come in, and what happens when they speak.

use std::time::Duration;

use actix_web::web;
use bowline_server::{Auth, Bowline, Ext, Failure, FileStore, Json, Refusal, Socket};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::buttons::{Button, Buttons, Pressed};
use crate::chat::{Chat, Member, Say};
use crate::presence::{Person, RoomSize, people_in, rooms};

/// One version of the server, with the sessions that the one before has stored.
pub(crate) fn bowline(store: FileStore) -> Bowline {
    Bowline::builder()
        .store(store)
        .carry::<Member>("member")
        .on_connect(connect)
        .on("enter", enter)
        .on("say", say)
        .on("receipt", receipt)
        .on("typing", typing)
        .on("rename", rename)
        .on("press", press)
        // A person who looks on wants to see within seconds that a silent stream is noticed.
        .heartbeat(Duration::from_secs(2))
        .heartbeat_grace(Duration::from_secs(2))
        // Who has closed the window should not be shown as away for long.
        .resume_window(Duration::from_secs(60))
        .max_packet(MAX_PACKET)
        .inbox_limit(2 * MAX_PACKET)
        .outbox_limit(4 * MAX_PACKET)
        .build()
}

async fn connect(socket: Socket, Auth(member): Auth<Member>) -> Result<(), Refusal> {
    if !member.is_valid() {
        return Err("a name is 1 to 24 characters".into());
    }
    socket.insert(member);
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Enter {
    room: String,
}

/// What a person who enters a room learns, beside what was said there.
#[derive(Debug, Serialize)]
struct Entered {
    people: Vec<Person>,
    rooms: Vec<RoomSize>,
    network: Pressed,
}

async fn enter(
    socket: Socket,
    bowline: Bowline,
    chat: web::Data<Chat>,
    buttons: web::Data<Buttons>,
    Enter { room }: Enter,
) -> Result<Json<Entered>, Failure> {
    chat.open(&room).map_err(|why| Failure::new("no-room").with(&why))?;
    for other in socket.rooms() {
        socket.leave(other);
    }
    socket.join(&room)?;
    // Before the reply: whoever has it also has everything that was said until then.
    for kept in chat.history(&room) {
        let sent = match &kept.bytes {
            Some(bytes) => socket.emit_with("said", &kept.said, bytes.clone()),
            None => socket.emit("said", &kept.said),
        };
        sent.and_then(|()| socket.emit("marks", &kept.marks()))?;
    }
    Ok(Json(Entered {
        people: people_in(&bowline, &room),
        rooms: rooms(&bowline, &chat),
        network: buttons.pressed(),
    }))
}

/// The server's word that it has a message.
#[derive(Debug, Serialize)]
struct Confirmed {
    /// Milliseconds since 1970.
    at: u64,
}

async fn say(
    socket: Socket,
    chat: web::Data<Chat>,
    Ext(member): Ext<Member>,
    bytes: Option<Bytes>,
    say: Say,
) -> Result<Json<Confirmed>, Failure> {
    // Perhaps the session has not entered the room: what was written before a session was lost, and
    // never sent, is the first that comes in the next one.
    let room = say.room.clone();
    let kept = chat.keep(say, member, bytes.clone());
    let (said, is_new) = kept.map_err(|why| Failure::new("refused").with(&why))?;
    if is_new {
        let others = socket.to(&room);
        let sent = match bytes {
            Some(bytes) => others.emit_with("said", &said, bytes),
            None => others.emit("said", &said),
        };
        sent?;
    }
    Ok(Json(Confirmed { at: said.at }))
}

#[derive(Debug, Deserialize)]
struct Receipt {
    room: String,
    id: String,
    seen: bool,
}

async fn receipt(
    bowline: Bowline,
    chat: web::Data<Chat>,
    Ext(member): Ext<Member>,
    receipt: Receipt,
) -> Result<(), Failure> {
    let Receipt { room, id, seen } = receipt;
    if let Some(marks) = chat.mark(&room, &id, &member.id, seen) {
        bowline.to(&room).emit("marks", &marks)?;
    }
    Ok(())
}

async fn typing(socket: Socket, Ext(member): Ext<Member>, (): ()) -> Result<(), Failure> {
    for room in socket.rooms() {
        socket.to(&room).emit_volatile("typing", &member)?;
    }
    Ok(())
}

async fn rename(socket: Socket, Ext(member): Ext<Member>, name: String) -> Result<(), Failure> {
    let renamed = Member { name, ..member };
    if !renamed.is_valid() {
        return Err(Failure::new("refused").with(&"a name is 1 to 24 characters"));
    }
    socket.insert(renamed);
    Ok(())
}

async fn press(
    buttons: web::Data<Buttons>,
    Ext(member): Ext<Member>,
    button: Button,
) -> Result<(), Failure> {
    buttons.press(button, member).map_err(|()| Failure::new("busy"))
}

/// Bytes of one message: pictures are large.
const MAX_PACKET: usize = 4 * 1024 * 1024;
