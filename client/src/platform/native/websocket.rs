//! WebSockets, through tungstenite over the client's own stream.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use futures::{SinkExt, StreamExt};
use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

use super::proxy::Proxies;
use super::{HostError, Socket, Target, http, refused};
use crate::platform::SocketMessage;

pub(crate) async fn open(
    target: &Target,
    max_message: usize,
    proxies: &Proxies,
    tls: &Arc<ClientConfig>,
) -> Result<Socket, HostError> {
    let url: Uri =
        target.url.parse().map_err(|error| HostError::from_display("not a URL", error))?;
    let stream = proxies.connect(&url, tls).await?;
    let mut request = url.into_client_request().map_err(failed)?;
    request.headers_mut().extend(http::headers(target));
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config))
        .await
        .map_err(failed)?;
    let (sink, stream) = socket.split();
    Ok(Socket {
        sink: Box::pin(sink.sink_map_err(failed).with(async |message| Ok(outbound(message)))),
        stream: Box::pin(stream.filter_map(async |message| match message {
            Ok(message) => inbound(message).map(Ok),
            Err(error) => Some(Err(failed(error))),
        })),
    })
}

fn outbound(message: SocketMessage) -> Message {
    match message {
        SocketMessage::Text(text) => {
            Message::Text(Utf8Bytes::try_from(text.into_bytes()).expect("a ByteString is UTF-8"))
        }
        SocketMessage::Binary(bytes) => Message::Binary(bytes),
        SocketMessage::Close(code) => {
            Message::Close(Some(CloseFrame { code: code.into(), reason: Utf8Bytes::default() }))
        }
    }
}

/// Tungstenite handles pings and pongs itself.
fn inbound(message: Message) -> Option<SocketMessage> {
    match message {
        Message::Text(text) => Some(SocketMessage::Text(
            ByteString::try_from(Bytes::from(text)).expect("a text message is UTF-8"),
        )),
        Message::Binary(bytes) => Some(SocketMessage::Binary(bytes)),
        Message::Close(frame) => {
            Some(SocketMessage::Close(frame.map_or(NO_CODE, |frame| frame.code.into())))
        }
        _ => None,
    }
}

fn failed(error: Error) -> HostError {
    match error {
        Error::Http(response) => {
            let head = refused::head(response.status().as_u16(), response.headers());
            HostError::Status(head, response.into_body().unwrap_or_default().into())
        }
        error => refused::explain(None, &error),
    }
}

/// Most sockets are idle most of the time: the default of 128 KiB in each direction would waste
/// memory.
const BUFFER: usize = 8 * 1024;
/// The code of RFC 6455 for a close frame without a code.
const NO_CODE: u16 = 1005;
