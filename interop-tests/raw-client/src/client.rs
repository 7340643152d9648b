//! One connection of a client that speaks bytes.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::body::{self, Body};
use crate::frame::{Frame, masked_frame};
use crate::head::Head;

/// How long a read or a write may take: 20 seconds, far more than loopback ever needs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One TCP connection.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    /// Received and not yet read.
    input: BytesMut,
    /// What is still to come of the body of the last response.
    body: Body,
}

/// A response that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body, without its chunk headers.
    pub body: Bytes,
}

impl Response {
    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body that a test reads as text is UTF-8")
    }
}

impl RawClient {
    /// Opens a connection.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = patiently(TcpStream::connect(addr)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: BytesMut::new(), body: Body::None })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is broken, or the peer does not read.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        patiently(self.stream.write_all(bytes.as_ref())).await
    }

    /// Ends the sending direction with a FIN. Reading goes on.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn finish(&mut self) -> io::Result<()> {
        patiently(self.stream.shutdown()).await
    }

    /// Ends the connection with an RST.
    ///
    /// # Errors
    /// When the operating system does not know the option.
    pub fn reset(self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }

    /// Sends a GET request and reads the whole response.
    ///
    /// # Errors
    /// As [`Self::response`].
    pub async fn get(&mut self, path: &str) -> io::Result<Response> {
        self.request("GET", path, &[], "").await?;
        self.response().await
    }

    /// Sends a POST request and reads the whole response.
    ///
    /// # Errors
    /// As [`Self::response`].
    pub async fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> io::Result<Response> {
        self.request("POST", path, &[], body).await?;
        self.response().await
    }

    /// Sends a request and reads nothing. `Host` is added, and `Content-Length` unless a GET has no
    /// body; a header that is given replaces neither.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> io::Result<()> {
        let body = body.as_ref();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.peer()?);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" || !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        self.send([request.as_bytes(), body].concat()).await
    }

    /// Reads a response whole.
    ///
    /// # Errors
    /// As [`Self::head`] and [`Self::chunk`].
    pub async fn response(&mut self) -> io::Result<Response> {
        let head = self.head().await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Response { head, body: body.freeze() })
    }

    /// Reads the head of a response, and nothing of its body.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the connection ends before, and
    /// [`io::ErrorKind::InvalidData`] for what is not HTTP/1.1.
    pub async fn head(&mut self) -> io::Result<Head> {
        let bytes = self.line(b"\r\n\r\n").await?;
        let head = Head::parse(&bytes).ok_or_else(|| invalid("not the head of a response"))?;
        self.body = Body::after(&head).ok_or_else(|| invalid("a body of unknown length"))?;
        Ok(head)
    }

    /// Reads what comes next of the body: a chunk of a chunked one, otherwise what is there. `None`
    /// at its end.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the connection ends before the body does, and
    /// [`io::ErrorKind::InvalidData`] for wrong chunk headers.
    pub async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        match self.body {
            Body::None => Ok(None),
            Body::Length(missing) => {
                self.fill(1).await?;
                let bytes = self.take(missing.min(self.input.len()));
                self.body = Body::of_length(missing - bytes.len());
                Ok(Some(bytes))
            }
            Body::Chunked => {
                let header = self.line(b"\r\n").await?;
                let size = body::chunk_size(&header).ok_or_else(|| invalid("not a chunk size"))?;
                self.fill(size.saturating_add(2)).await?;
                let bytes = self.take(size);
                if self.take(2) != "\r\n" {
                    return Err(invalid("a chunk is longer than its header says"));
                }
                if size == 0 {
                    self.body = Body::None;
                }
                Ok(Some(bytes).filter(|_| size > 0))
            }
            Body::UntilEnd => {
                if self.input.is_empty() && !self.read().await? {
                    self.body = Body::None;
                    return Ok(None);
                }
                Ok(Some(self.take(self.input.len())))
            }
        }
    }

    /// Asks for a WebSocket, with more headers if there are any, and reads the head of the answer.
    /// If it is a 101, frames follow.
    ///
    /// # Errors
    /// As [`Self::head`]; also when the answer is a 101 with a wrong `Sec-WebSocket-Accept`.
    pub async fn upgrade(&mut self, path: &str, headers: &[(&str, &str)]) -> io::Result<Head> {
        // The key and its answer are the example of RFC 6455, section 1.3.
        let mut all = vec![
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        all.extend(headers);
        self.request("GET", path, &all, "").await?;
        let head = self.head().await?;
        let accept = head.header("sec-websocket-accept");
        if head.status == 101 && accept != Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
            return Err(invalid("a wrong Sec-WebSocket-Accept"));
        }
        Ok(head)
    }

    /// Sends a text message in one frame.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_text(&mut self, text: &str) -> io::Result<()> {
        self.send(masked_frame(Frame::FIN | Frame::TEXT, text)).await
    }

    /// Reads the next frame, of whatever kind. `None` when the connection ended in order.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for frames that no server may send, and
    /// [`io::ErrorKind::UnexpectedEof`] for half a frame.
    pub async fn frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some((frame, size)) = Frame::parse(&self.input).map_err(invalid)? {
                let Frame { fin, opcode, payload } = frame;
                let frame = Frame { fin, opcode, payload: Bytes::copy_from_slice(payload) };
                self.input.advance(size);
                return Ok(Some(frame));
            }
            if !self.read().await? {
                return if self.input.is_empty() { Ok(None) } else { Err(eof()) };
            }
        }
    }

    /// Reads everything until the connection ends.
    ///
    /// # Errors
    /// When it does not end in order.
    pub async fn rest(&mut self) -> io::Result<Bytes> {
        while self.read().await? {}
        Ok(self.take(self.input.len()))
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Takes the bytes up to and including a mark.
    async fn line(&mut self, mark: &[u8]) -> io::Result<Bytes> {
        loop {
            if let Some(at) = self.input.windows(mark.len()).position(|window| window == mark) {
                return Ok(self.take(at + mark.len()));
            }
            self.fill(self.input.len() + 1).await?;
        }
    }

    fn take(&mut self, size: usize) -> Bytes {
        self.input.split_to(size).freeze()
    }

    async fn fill(&mut self, size: usize) -> io::Result<()> {
        while self.input.len() < size {
            if !self.read().await? {
                return Err(eof());
            }
        }
        Ok(())
    }

    /// Reads more. False at the end of the stream.
    async fn read(&mut self) -> io::Result<bool> {
        Ok(patiently(self.stream.read_buf(&mut self.input)).await? > 0)
    }
}

async fn patiently<T>(action: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, action).await?
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn eof() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
