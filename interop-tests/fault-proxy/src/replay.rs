//! What follows a POST that has reached the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::posts::Passed;
use crate::shared::Shared;

/// Sends the copy of a POST that has reached the server, or releases the POST that is held.
pub(crate) fn post_passed(shared: &Arc<Shared>, passed: Passed) {
    match passed {
        Passed::Replay(request, after) => shared.spawn(replay(shared.clone(), request, after)),
        Passed::Release => shared.posts.release(),
    }
}

/// Sends a request on a connection of its own, until the server begins to answer.
async fn replay(shared: Arc<Shared>, request: Bytes, after: Duration) {
    tokio::time::sleep(after).await;
    let Ok(mut server) = TcpStream::connect(shared.target()).await else { return };
    let mut answer = [0; 1024];
    if server.write_all(&request).await.is_ok()
        && server.read(&mut answer).await.is_ok_and(|read| read > 0)
    {
        shared.count(|counters| counters.replayed += 1);
    }
}
