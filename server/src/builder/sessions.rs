//! How long a session waits and what it may keep.

use std::time::Duration;

use bowline_protocol::Window;

use super::BowlineBuilder;

impl BowlineBuilder {
    /// How long a carrier may be silent before the server sends a heartbeat. Defaults to 25 s,
    /// below the 60 s after which common proxies cut. The server holds a poll, and keeps a stream,
    /// for as long.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.session().heartbeat = interval;
        self
    }

    /// How long the server waits for the answer to a heartbeat. Defaults to 15 s.
    pub fn heartbeat_grace(mut self, grace: Duration) -> Self {
        self.session().grace = grace;
        self
    }

    /// How long the server keeps a session whose client is away. Defaults to 2 minutes: a lift ride
    /// or a tunnel, not a memory leak.
    pub fn resume_window(mut self, window: Duration) -> Self {
        self.session().window = window;
        self
    }

    /// Bytes that the server stores for one client until the client confirms them. Defaults to 4
    /// MiB. The server closes the session of a client that falls further behind, as a slow
    /// consumer.
    pub fn outbox_limit(mut self, bytes: usize) -> Self {
        self.session().outbox_limit = bytes;
        self
    }

    /// Bytes of messages of one client that wait for their handlers. Defaults to 4 MiB. Beyond it
    /// the server reads no more from the client until the handlers have caught up.
    pub const fn inbox_limit(mut self, bytes: usize) -> Self {
        self.config.inbox_limit = bytes;
        self
    }

    /// The inbox limit while the connect hook decides about the session. Defaults to 64 KiB,
    /// because the client is not authenticated yet. The client loses nothing: once it is accepted
    /// it sends again what the server has not received.
    pub const fn connect_inbox_limit(mut self, bytes: usize) -> Self {
        self.config.connect_inbox_limit = bytes;
        self
    }

    /// Bytes that the server keeps for all sessions together: packets that clients have not
    /// confirmed, and messages that wait for handlers. Defaults to a quarter of the memory that the
    /// process may use (the machine's, or less if its control groups limit it), and to 1 GiB where
    /// the system does not state it, which is everywhere but on Linux.
    ///
    /// Beyond it no session opens (4200), and the server reads no more from clients with waiting
    /// messages. It closes sessions until an eighth is free: first those whose connect hook is
    /// pending (4200: their clients reconnect with everything that they have sent), then those
    /// whose clients are away (4100), then the others (4103), the largest first in each group. A
    /// warning states how many.
    ///
    /// [`Bowline::stats`](crate::Bowline::stats) states the present sum, and how the server counts
    /// it.
    pub const fn memory_limit(mut self, bytes: usize) -> Self {
        self.config.memory_limit = Some(bytes);
        self
    }

    /// How many streams of one session may be open at a time. Defaults to 100. The client that
    /// opens another receives the failure `too-many-streams` with this number.
    pub const fn max_streams_per_session(mut self, streams: usize) -> Self {
        self.config.max_streams_per_session = streams;
        self
    }

    /// How much of the items of one stream a client may send before the application takes them.
    /// Defaults to 64 items and 256 KiB; one item may have half of the bytes. A larger window is
    /// faster over long distances. What waits counts for [`memory_limit`](Self::memory_limit).
    ///
    /// # Panics
    /// When it is not 1 to 65,536 items and at least 1,024 bytes.
    #[track_caller]
    pub const fn stream_window(mut self, items: u64, bytes: u64) -> Self {
        let window = Window { items, bytes };
        assert!(window.is_valid(), "a window has 1 to 65,536 items and at least 1,024 bytes");
        self.config.stream_window = window;
        self
    }

    /// How long the handlers of a session may continue after it has ended, and the disconnect hook
    /// after them. Defaults to 30 s.
    ///
    /// The server handles what a client has sent before it left: a handler that is writing to a
    /// database should not stop because a page was closed. But a handler that never ends would keep
    /// its session for ever. When the time is over, the server drops the handler's future where it
    /// awaits, drops the messages that wait behind it, logs a warning, and calls the disconnect
    /// hook. Work that must not be cut off belongs in a task of its own.
    pub const fn handler_deadline(mut self, time: Duration) -> Self {
        self.config.handler_deadline = time;
        self
    }

    /// The largest message in bytes, its name and the bytes beside its payload included. Defaults
    /// to 1 MiB. The server closes the session of a client that sends more, with the code 4305.
    pub const fn max_packet(mut self, bytes: usize) -> Self {
        self.config.limits.packet = bytes;
        // The largest packet must fit into one body, as base64 and with its first line.
        let batch = bytes.saturating_mul(4) / 3 + 64 * 1024;
        if self.config.limits.batch < batch {
            self.config.limits.batch = batch;
        }
        self
    }

    /// How long a connection may take to send its whole first line. Defaults to 10 s.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.config.handshake_timeout = timeout;
        self
    }

    /// How long a hook may take to decide about a session, and its extractors to find their values.
    /// Defaults to 30 s. Meanwhile the server notifies the client that it is waiting for the
    /// application. The server drops a hook that takes longer, and its client receives a failure of
    /// the server (4004) and retries.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long a peer may accept none of the bytes that the server writes. Defaults to 20 s. Where
    /// [`Bowline::guard`](crate::Bowline::guard) is installed, the operating system then cuts the
    /// connection of a peer that has not confirmed any bytes, or has had no room for more, for so
    /// long; also for other requests of the application. A carrier that has had something to write
    /// for so long, and was not written to, no longer serves its session.
    ///
    /// The session waits for its client, as after any cut.
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.config.write_timeout = timeout;
        self
    }

    /// How long a connection may be open without a request in progress. Defaults to 20 s, for
    /// connections that [`Bowline::guard`](crate::Bowline::guard) guards and
    /// [`Bowline::watch`](crate::Bowline::watch) watches. It has to be longer than
    /// `HttpServer::keep_alive`, 5 s unless set: that ends idle connections, and this ends those
    /// that stall in the middle of a request head, or in the rest of a body whose response was
    /// sent.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.idle_timeout = timeout;
        self
    }

    /// How many messages of one session the server handles at the same time. Defaults to 1: in
    /// order, one after another.
    ///
    /// A handler may send a request to its own client, whose reply needs no handler. But if that
    /// client sends a request to the server before it replies, that request waits for a handler. If
    /// all handlers wait for this client, the request fails at once with the code `would-deadlock`,
    /// which the client's handler receives, and the server logs a warning. A contract with nested
    /// requests needs one more for each level.
    ///
    /// Clients other than those of this project have to mark the requests that they send within a
    /// request, or both ends wait until the timeout: see the specification, 06-rooms-and-requests,
    /// "Requests within requests".
    pub const fn concurrency(mut self, handlers: usize) -> Self {
        self.config.concurrency = if handlers == 0 { 1 } else { handlers };
        self
    }
}
