//! A connection with what is still to be written and what is not yet understood.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    /// Input that is not a whole message yet.
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
    written: usize,
}

impl Link {
    pub(crate) fn connect(
        server: SocketAddr,
        registry: &Registry,
        token: usize,
    ) -> Result<Self, String> {
        let mut stream = TcpStream::connect(server).map_err(|error| format!("connect: {error}"))?;
        // As browsers do it. Otherwise what a client says second waits until the server has
        // acknowledged the first, and what was one batch for the server becomes two.
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        registry
            .register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)
            .map_err(|error| error.to_string())?;
        Ok(Self { stream, input: Vec::new(), output: Vec::new(), written: 0 })
    }

    /// Reads what is there, `None` when that is nothing. The buffer is so large that one call takes
    /// all.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        match self.stream.read(buffer) {
            Ok(0) => Err("the server closed the connection".into()),
            Ok(size) => Ok(Some(size)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(format!("read: {error}")),
        }
    }

    /// Ends the connection.
    pub(crate) fn cut(&mut self) {
        // It may be gone already.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    pub(crate) fn flush(&mut self) -> Result<(), String> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(size) => self.written += size,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
                    ) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(format!("write: {error}")),
            }
        }
        self.written = 0;
        self.output.clear();
        Ok(())
    }
}
