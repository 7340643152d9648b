//! Streams of items that the client opens.
//!
//! Spec: 12-streams.

mod items;
mod open;
mod sender;
mod upload;

use bowline_protocol::Payload;
use bytes::Bytes;
use futures::Stream;
use serde::Serialize;

pub use items::{ItemStream, RawItemStream};
pub use open::OpenStream;
pub use sender::StreamSender;
pub use upload::Upload;

use crate::client::Client;
use crate::error::EmitError;

impl Client {
    /// Opens a stream of items when the returned value is awaited.
    ///
    /// ```no_run
    /// # async fn read(client: bowline_client::Client) -> Result<(), bowline_client::StreamError> {
    /// use futures::StreamExt;
    ///
    /// let mut words = client.stream::<String>("answer", "Which knot for a wet rope?").await?;
    /// while let Some(word) = words.next().await {
    ///     print!("{} ", word?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The server sends ahead what the [window](OpenStream::window) allows. Dropping the
    /// [`ItemStream`] cancels the stream at the server. A stream survives a change of the transport
    /// and of the network, and ends with its session.
    pub fn stream<T>(&self, name: &str, payload: &(impl Serialize + ?Sized)) -> OpenStream<T> {
        OpenStream::new(self.shared(), name, encode(payload))
    }

    /// Opens a stream, and sends these bytes when the returned value is awaited: a file, in parts.
    /// Resolves with the value that the server's application returns.
    ///
    /// ```no_run
    /// # async fn send(client: bowline_client::Client) -> Result<(), bowline_client::StreamError> {
    /// use futures::stream;
    ///
    /// let parts = stream::iter([Ok::<_, std::io::Error>(vec![7; 100_000].into())]);
    /// let size: u64 = client
    ///     .upload("attach", "picture.png", parts)
    ///     .on_progress(|sent| println!("{sent} bytes"))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The client takes a part from the source when the server may receive it. It cuts parts of
    /// more than 64 KiB. For a file, `tokio_util::io::ReaderStream` is such a source. A source that
    /// fails ends the stream for the server with the failure `aborted`.
    pub fn upload<S, E, R>(
        &self,
        name: &str,
        payload: &(impl Serialize + ?Sized),
        source: S,
    ) -> Upload<S, R>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        Upload::new(OpenStream::new(self.shared(), name, encode(payload)), source)
    }
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, EmitError> {
    let json = serde_json::to_string(value);
    json.map(Payload::json).map_err(|error| EmitError::Encode(error.to_string()))
}
