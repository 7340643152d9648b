//! WebSockets.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::platform::{BoxFuture, HostError, Socket, SocketMessage, Target};
use bytes::Bytes;
use futures::channel::mpsc;
use futures::{FutureExt, Sink, Stream, StreamExt};
use js_sys::{ArrayBuffer, JsString, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use super::{failed, timer};

pub(super) async fn open(target: Target, max_message: usize) -> Result<Socket, HostError> {
    let (connection, mut news) = Connection::begin(&target.url, max_message).map_err(failed)?;
    match news.next().await {
        Some(News::Opened) => {}
        Some(News::Closed(code)) => {
            return Err(HostError::Failed(format!("no WebSocket: closed with the code {code}")));
        }
        _ => return Err(HostError::Failed("no WebSocket".to_owned())),
    }
    let connection = Rc::new(connection);
    let inlet = Inlet { news, _connection: Rc::clone(&connection) };
    Ok(Socket { sink: Box::pin(Outlet { connection, look: None }), stream: Box::pin(inlet) })
}

/// An event of a socket.
enum News {
    Opened,
    Message(Result<SocketMessage, HostError>),
    Closed(u16),
}

/// A WebSocket and its listeners. Dropping it closes the socket.
struct Connection {
    socket: WebSocket,
    _opened: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(CloseEvent)>,
}

impl Connection {
    /// Fails without WebSockets, or if a policy of the page forbids this one.
    fn begin(
        url: &str,
        max_message: usize,
    ) -> Result<(Self, mpsc::UnboundedReceiver<News>), JsValue> {
        let socket = WebSocket::new(url)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let (tell, news) = mpsc::unbounded();
        // An error means that the receiver was dropped.
        let opened = Closure::new({
            let tell = tell.clone();
            move || _ = tell.unbounded_send(News::Opened)
        });
        let message = Closure::new({
            let tell = tell.clone();
            move |event: MessageEvent| {
                _ = tell.unbounded_send(News::Message(read(&event.data(), max_message)));
            }
        });
        let closed = Closure::new(move |event: CloseEvent| {
            _ = tell.unbounded_send(News::Closed(event.code()));
            tell.close_channel();
        });
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Ok((Self { socket, _opened: opened, _message: message, _closed: closed }, news))
    }

    fn send(&self, message: &SocketMessage) -> Result<(), JsValue> {
        match message {
            SocketMessage::Text(text) => self.socket.send_with_str(text),
            SocketMessage::Binary(bytes) => self.socket.send_with_u8_array(bytes),
            // Browsers refuse the codes of RFC 6455, except 1000.
            SocketMessage::Close(code) => {
                self.socket.close_with_code(*code).or_else(|_| self.socket.close())
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The listeners are dropped with the connection, and must not be called after that.
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // An error means that the socket is closed.
        _ = self.socket.close();
    }
}

fn read(data: &JsValue, max_message: usize) -> Result<SocketMessage, HostError> {
    if let Some(text) = data.dyn_ref::<JsString>() {
        // Each unit of UTF-16 is at least one byte of UTF-8.
        within(text.length(), max_message)?;
        let text = String::from(text);
        within(u32::try_from(text.len()).unwrap_or(u32::MAX), max_message)?;
        return Ok(SocketMessage::Text(text.into()));
    }
    let Some(buffer) = data.dyn_ref::<ArrayBuffer>() else {
        return Err(HostError::Failed("a message that is neither text nor bytes".to_owned()));
    };
    within(buffer.byte_length(), max_message)?;
    Ok(SocketMessage::Binary(Bytes::from(Uint8Array::new(buffer).to_vec())))
}

fn within(length: u32, max_message: usize) -> Result<(), HostError> {
    if length as usize <= max_message {
        return Ok(());
    }
    Err(HostError::Failed(format!("a message of more than {max_message} bytes")))
}

/// The received messages.
struct Inlet {
    news: mpsc::UnboundedReceiver<News>,
    _connection: Rc<Connection>,
}

impl Stream for Inlet {
    type Item = Result<SocketMessage, HostError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let news = std::task::ready!(self.news.poll_next_unpin(cx));
            return Poll::Ready(match news {
                Some(News::Opened) => continue,
                Some(News::Message(message)) => Some(message),
                Some(News::Closed(code)) => Some(Ok(SocketMessage::Close(code))),
                None => None,
            });
        }
    }
}

/// Passes no more to the socket than it can send soon.
struct Outlet {
    connection: Rc<Connection>,
    /// Until the next check of the buffer: there is no event for a buffer that drains.
    look: Option<BoxFuture<()>>,
}

impl Outlet {
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.connection.socket.buffered_amount() >= BUFFER {
            let look = self.look.get_or_insert_with(|| timer::sleep(LOOK));
            std::task::ready!(look.poll_unpin(cx));
            self.look = None;
        }
        Poll::Ready(())
    }
}

impl Sink<SocketMessage> for Outlet {
    type Error = HostError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), HostError>> {
        self.poll_drained(cx).map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, message: SocketMessage) -> Result<(), HostError> {
        self.connection.send(&message).map_err(failed)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), HostError>> {
        self.poll_drained(cx).map(Ok)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), HostError>> {
        Poll::Ready(self.connection.socket.close().map_err(failed))
    }
}

/// The bytes in a socket's buffer from which on the outlet waits.
const BUFFER: u32 = 256 * 1024;
const LOOK: Duration = Duration::from_millis(20);
