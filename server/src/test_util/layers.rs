//! Topics and streams of a client of a test.

use bowline_protocol::{
    Encoded, PUBLISH, Payload, PublishTo, STREAM, STREAM_CREDIT, STREAM_END, STREAM_ITEM,
    SUBSCRIBE, SendWindow, Since, StreamCredit, StreamEnd, StreamFailure, StreamOpen, StreamOpened,
    Subscribe, TOPIC, TopicEvent, TopicName, UNSUBSCRIBE, Window, item_size,
};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::session::{TestEvent, TestSession, decode, encode};
use crate::failure::Failure;

impl TestSession {
    /// Subscribes to a topic or a pattern, from this position in its history on.
    ///
    /// # Errors
    /// The failure with which the server refuses.
    ///
    /// # Panics
    /// As [`Self::request`].
    pub async fn subscribe(&mut self, topic: &str, since: Since) -> Result<(), Failure> {
        let asked = Subscribe { topic: topic.to_owned(), since: Some(since), grant: None };
        self.request::<_, Value>(SUBSCRIBE, &asked).await.map(drop)
    }

    /// Ends a subscription.
    ///
    /// # Panics
    /// As [`Self::request`].
    pub async fn unsubscribe(&mut self, topic: &str) {
        let topic = TopicName { topic: topic.to_owned() };
        self.request::<_, Value>(UNSUBSCRIBE, &topic).await.expect("it is acknowledged");
    }

    /// Publishes to a topic.
    ///
    /// # Errors
    /// The failure of a client that may not.
    ///
    /// # Panics
    /// As [`Self::request`].
    pub async fn publish<P: Serialize + ?Sized>(
        &mut self,
        topic: &str,
        name: &str,
        payload: &P,
    ) -> Result<(), Failure> {
        let (topic, name) = (topic.to_owned(), name.to_owned());
        let asked = PublishTo { topic, name, payload: Some(payload), id: None };
        self.request::<_, Value>(PUBLISH, &asked).await.map(drop)
    }

    /// The next event that was published to any topic, which has to be of this topic and name.
    ///
    /// # Panics
    /// When none comes within 5 s, it is another one, or its payload is no `P`.
    pub async fn expect_published<P: DeserializeOwned>(&mut self, topic: &str, name: &str) -> P {
        let TopicEvent { payload: message, .. } = self.expect::<TopicEvent<Value>>(TOPIC).await;
        assert_eq!((&*message.topic, &*message.name), (topic, name), "what was published");
        let payload = message.payload.unwrap_or_default();
        decode(&encode(&payload), "what was published")
    }

    /// Opens a stream, and receives all its items.
    ///
    /// # Errors
    /// The failure with which the server refuses or ends the stream.
    ///
    /// # Panics
    /// As [`Self::request`]; when an item is no `T`.
    pub async fn stream<P: Serialize + ?Sized, T: DeserializeOwned>(
        &mut self,
        name: &str,
        payload: &P,
    ) -> Result<Vec<T>, Failure> {
        let items = self.stream_raw(name, payload).await?;
        let read = |TestEvent { json, bytes, .. }| {
            decode(&Payload { json: String::into(json), bytes }, "an item")
        };
        Ok(items.into_iter().map(read).collect())
    }

    /// As [`Self::stream`], with the bytes of the items.
    ///
    /// # Errors
    /// As [`Self::stream`].
    ///
    /// # Panics
    /// As [`Self::request`].
    pub async fn stream_raw<P: Serialize + ?Sized>(
        &mut self,
        name: &str,
        payload: &P,
    ) -> Result<Vec<TestEvent>, Failure> {
        let (stream, _) = self.open_stream(name, payload).await?;
        let item = format!("{STREAM_ITEM}{stream}");
        let (mut items, mut taken) = (Vec::new(), 0);
        loop {
            let event = self
                .event("an item, a credit or the end of a stream", |event| {
                    event.name == item || event.name == STREAM_END
                })
                .await;
            if event.name == STREAM_END {
                let () = ended(stream, &event)?;
                return Ok(items);
            }
            items.push(event);
            taken += 1;
            self.emit(STREAM_CREDIT, &StreamCredit { stream, taken }).await;
        }
    }

    /// Opens a stream, sends these bytes, an item each, and resolves with the value that the
    /// function of the stream returns.
    ///
    /// # Errors
    /// The failure with which the server refuses or ends the stream.
    ///
    /// # Panics
    /// As [`Self::request`]; when an item is larger than half the server's window.
    pub async fn upload<P: Serialize + ?Sized, R: DeserializeOwned>(
        &mut self,
        name: &str,
        payload: &P,
        chunks: impl IntoIterator<Item = Bytes>,
    ) -> Result<R, Failure> {
        let items = chunks.into_iter().map(|chunk| Payload::default().with_bytes(chunk));
        self.send_all(name, payload, items).await
    }

    /// As [`Self::upload`], for values.
    ///
    /// # Errors
    /// As [`Self::upload`].
    ///
    /// # Panics
    /// As [`Self::upload`].
    pub async fn send_items<P: Serialize + ?Sized, T: Serialize, R: DeserializeOwned>(
        &mut self,
        name: &str,
        payload: &P,
        items: impl IntoIterator<Item = T>,
    ) -> Result<R, Failure> {
        self.send_all(name, payload, items.into_iter().map(|item| encode(&item))).await
    }

    async fn send_all<P: Serialize + ?Sized, R: DeserializeOwned>(
        &mut self,
        name: &str,
        payload: &P,
        items: impl Iterator<Item = Payload>,
    ) -> Result<R, Failure> {
        let (stream, opened) = self.open_stream(name, payload).await?;
        let mut window = SendWindow::new(opened.window.expect("the stream takes items"));
        for item in items {
            let size = item_size(&item) as u64;
            while !window.fits(size).expect("the server takes items of this size") {
                let event =
                    self.event("an item, a credit or the end of a stream", is_about_items).await;
                if event.name == STREAM_END {
                    return ended(stream, &event);
                }
                window.taken(read::<StreamCredit>(&event).taken);
            }
            window.sent(size);
            let packet = Encoded::event(&format!("{STREAM_ITEM}{stream}"), &item);
            self.send(&packet.expect("an item is allowed on the wire")).await;
        }
        let end = StreamEnd::<()> { stream, payload: None, failure: None };
        self.emit(STREAM_END, &end).await;
        let event = self
            .event("an item, a credit or the end of a stream", |event| event.name == STREAM_END)
            .await;
        ended(stream, &event)
    }

    async fn open_stream<P: Serialize + ?Sized>(
        &mut self,
        name: &str,
        payload: &P,
    ) -> Result<(u64, StreamOpened), Failure> {
        self.streams += 1;
        let (stream, name) = (self.streams, name.to_owned());
        let asked = StreamOpen { stream, name, window: WINDOW, payload: Some(payload) };
        Ok((stream, self.request(STREAM, &asked).await?))
    }
}

fn is_about_items(event: &TestEvent) -> bool {
    [STREAM_CREDIT, STREAM_END].contains(&&*event.name)
}

/// The value with which a stream has ended.
fn ended<R: DeserializeOwned>(stream: u64, event: &TestEvent) -> Result<R, Failure> {
    let end: StreamEnd<Box<RawValue>> = read(event);
    assert_eq!(end.stream, stream, "one stream after another");
    if let Some(StreamFailure { code, payload }) = end.failure {
        let failure = Failure::new(&code);
        return Err(match payload {
            Some(payload) => failure.with(&payload),
            None => failure,
        });
    }
    let json = end.payload.map_or_else(String::new, |payload| payload.get().to_owned());
    Ok(decode(&Payload::json(json), "the value of the stream"))
}

fn read<T: DeserializeOwned>(event: &TestEvent) -> T {
    decode(&Payload::json(event.json.clone()), &event.name)
}

/// What a client receives ahead.
const WINDOW: Window = Window { items: 64, bytes: 1024 * 1024 };
