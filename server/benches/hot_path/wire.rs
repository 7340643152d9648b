//! A WebSocket without a socket: chunks go in where actix would have read them, and come out where
//! it would write.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_http::{BoxedPayloadStream, Request};
use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::{Error, test};
use bytes::{Bytes, BytesMut};
use futures::Stream;

/// What the server is, for its tests.
pub(crate) trait Serves:
    Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>
{
}

impl<S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>> Serves for S {}

/// The client's end.
pub(crate) struct Wire {
    inbound: Rc<RefCell<VecDeque<Bytes>>>,
    /// actix reads into one buffer for as long as it has room.
    buffer: BytesMut,
    body: BoxBody,
}

impl Wire {
    pub(crate) async fn upgrade(server: &impl Serves) -> Self {
        let inbound = Rc::<RefCell<VecDeque<Bytes>>>::default();
        let request = test::TestRequest::get()
            .uri("/bowline/ws")
            .insert_header(("connection", "upgrade"))
            .insert_header(("upgrade", "websocket"))
            .insert_header(("sec-websocket-version", "13"))
            .insert_header(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="))
            .to_request();
        let chunks: BoxedPayloadStream = Box::pin(Chunks(Rc::clone(&inbound)));
        let (request, _) = request.replace_payload(Payload::Stream { payload: chunks });
        let response = server.call(request).await.expect("the server answers");
        Self { inbound, buffer: BytesMut::new(), body: response.into_body() }
    }

    /// Sends one text message. The server sees it when it is polled.
    pub(crate) fn send(&mut self, text: &str) {
        self.send_together(&[text]);
    }

    /// Sends some text messages, which the server reads together.
    pub(crate) fn send_together(&mut self, texts: &[&str]) {
        self.buffer.reserve(8 * 1024);
        texts.iter().for_each(|text| self.frame(text));
        self.inbound.borrow_mut().push_back(self.buffer.split().freeze());
    }

    fn frame(&mut self, text: &str) {
        match text.len() {
            short @ 0..=125 => self.buffer.extend_from_slice(&[0x81, 0x80 | short as u8]),
            long => {
                self.buffer.extend_from_slice(&[0x81, 0x80 | 126]);
                self.buffer.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        // A key of zeros, which the server need not know.
        self.buffer.extend_from_slice(&[0; 4]);
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// Lets the server read and write until it waits. Returns how many bytes it wrote.
    pub(crate) fn poll(&mut self) -> usize {
        let mut written = 0;
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(bytes))) = Pin::new(&mut self.body).poll_next(&mut cx) {
            written += bytes.len();
        }
        written
    }
}

struct Chunks(Rc<RefCell<VecDeque<Bytes>>>);

impl Stream for Chunks {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().pop_front().map_or(Poll::Pending, |chunk| Poll::Ready(Some(Ok(chunk))))
    }
}
