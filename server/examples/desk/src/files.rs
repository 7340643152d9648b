//! What people attach to tickets: streams of bytes, up and down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::Data;
use bowline_server::{Bowline, Chunks, Ext, Failure, ItemStream, Json, Socket};
use bytes::{Bytes, BytesMut};
use futures::{TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::people::Person;
use crate::tickets;

/// The content of files by their numbers. An application stores them outside of its memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(Arc<Mutex<HashMap<u64, (String, Bytes)>>>);

#[derive(Debug, Deserialize)]
pub(crate) struct Attach {
    ticket: u32,
    name: String,
}

#[derive(Debug, Serialize)]
struct Attached<'a> {
    who: &'a str,
    file: u64,
    name: &'a str,
    size: usize,
}

/// Stores a file, and publishes that it is there.
pub(crate) async fn attach(
    chunks: Chunks,
    socket: Socket,
    bowline: Bowline,
    files: Data<Files>,
    Ext(person): Ext<Person>,
    Attach { ticket, name }: Attach,
) -> Result<Json<u64>, Failure> {
    let ticket = tickets::open(&socket, ticket)?;
    let content = chunks.try_fold(BytesMut::new(), async |mut content, chunk| {
        content.extend_from_slice(&chunk);
        if content.len() > LARGEST {
            Err(Failure::new("too-large").with(&LARGEST))
        } else {
            Ok(content)
        }
    });
    let content = content.await?.freeze();
    let size = content.len();
    let file = files.add(ticket.clone(), content);
    let attached = Attached { who: &person.name, file, name: &name, size };
    bowline.topic(&ticket).emit("attached", &attached).await?;
    Ok(Json(file))
}

/// A file of a ticket that the client sees.
pub(crate) async fn file(
    socket: Socket,
    files: Data<Files>,
    file: u64,
) -> Result<ItemStream, Failure> {
    let content = files.of(&socket, file).ok_or("no-such-file")?;
    let parts = (0..content.len()).step_by(PART);
    let part = move |at: usize| Ok::<_, Failure>(content.slice(at..content.len().min(at + PART)));
    Ok(ItemStream::bytes(stream::iter(parts.map(part))))
}

impl Files {
    fn add(&self, ticket: String, content: Bytes) -> u64 {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = files.len() as u64 + 1;
        files.insert(number, (ticket, content));
        number
    }

    fn of(&self, socket: &Socket, file: u64) -> Option<Bytes> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (ticket, content) = files.get(&file)?;
        socket.is_subscribed(ticket).then(|| content.clone())
    }
}

/// Bytes of a file.
const LARGEST: usize = 8 << 20;
/// Bytes of an item of a stream.
const PART: usize = 64 << 10;
