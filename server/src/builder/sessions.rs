//! How long a session waits and what it may keep.

use std::time::Duration;

use super::BowlineBuilder;

impl BowlineBuilder {
    /// How long a carrier may be silent before the server asks for a sign of life. Defaults to 25
    /// s, below the 60 s after which common proxies cut. Polls are held and streams kept for as
    /// long.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.session().heartbeat = interval;
        self
    }

    /// How long the server waits for that sign. Defaults to 15 s.
    pub fn heartbeat_grace(mut self, grace: Duration) -> Self {
        self.session().grace = grace;
        self
    }

    /// How long a session whose client is away is kept. Defaults to 2 minutes: a lift ride or a
    /// tunnel, not a memory leak.
    pub fn resume_window(mut self, window: Duration) -> Self {
        self.session().window = window;
        self
    }

    /// Bytes kept for one client until it confirms them. Defaults to 4 MiB. A client that falls
    /// further behind is closed as a slow consumer.
    pub fn outbox_limit(mut self, bytes: usize) -> Self {
        self.session().outbox_limit = bytes;
        self
    }

    /// Bytes of messages that wait for their handlers, for one client. Defaults to 4 MiB. Beyond it
    /// the server reads no more from the client until the handlers have caught up.
    pub const fn inbox_limit(mut self, bytes: usize) -> Self {
        self.config.inbox_limit = bytes;
        self
    }

    /// The same while the connect hook decides about the session. Defaults to 64 KiB, because
    /// nobody knows yet whose client it is. The client notices nothing: what the server does
    /// not take, it sends again once it is let in.
    pub const fn connect_inbox_limit(mut self, bytes: usize) -> Self {
        self.config.connect_inbox_limit = bytes;
        self
    }

    /// Bytes that the server keeps for all sessions together: what clients have not confirmed, and
    /// what waits for handlers. Defaults to a quarter of the memory that the process may use
    /// (the machine's, or less if its control groups say so), and to 1 GiB where the system
    /// does not say, which is anywhere but on Linux.
    ///
    /// Beyond it no session opens (4200) and no more is read of clients with messages that wait.
    /// Sessions are closed until an eighth is free: first those that are not let in yet (4200:
    /// they come back with all that they have said), then those whose clients are away (4100),
    /// then the others (4103), each time the largest first. A warning says how many.
    ///
    /// [`Bowline::stats`](crate::Bowline::stats) says how much it is, and how that is counted.
    pub const fn memory_limit(mut self, bytes: usize) -> Self {
        self.config.memory_limit = Some(bytes);
        self
    }

    /// For how long handlers of a session go on after it has ended, and the disconnect hook after
    /// them. Defaults to 30 s.
    ///
    /// What a client has said before it left is handled: a handler that is in the middle of writing
    /// something down shall not stop there because a page was closed. But a handler that never
    /// ends would keep its session for ever. When the time is over its future is dropped where
    /// it awaits, messages that wait behind it are dropped too, a warning is logged, and the
    /// disconnect hook is told the end. What must not be cut off belongs in a task of its own.
    pub const fn handler_deadline(mut self, time: Duration) -> Self {
        self.config.handler_deadline = time;
        self
    }

    /// Bytes of one message at most, name and bytes included. Defaults to 1 MiB. A client that
    /// sends more is closed with code 4305.
    pub const fn max_packet(mut self, bytes: usize) -> Self {
        self.config.limits.packet = bytes;
        // The largest packet must fit into one body, as base64 and with its first line.
        let batch = bytes.saturating_mul(4) / 3 + 64 * 1024;
        if self.config.limits.batch < batch {
            self.config.limits.batch = batch;
        }
        self
    }

    /// How long a connection may take until its first line has arrived whole. Defaults to 10 s.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.config.handshake_timeout = timeout;
        self
    }

    /// How long a hook may take to decide about a session, and its extractors to find what it
    /// wants. Defaults to 30 s. The client is told meanwhile that the server is thinking. A
    /// hook that takes longer is dropped, its client is told that this is the server's failure
    /// (4004), and tries again.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long a peer may take nothing of what is written to it. Defaults to 20 s. A connection
    /// whose peer does not confirm for so long that it has received something, or has no room
    /// for more, is cut by the operating system,
    /// where [`Bowline::guard`](crate::Bowline::guard) is installed; for requests of the
    /// application as well. A carrier of a session that has not been written to for so long,
    /// although there is something to write, no longer serves the session.
    ///
    /// The session waits for its client as after any cut.
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.config.write_timeout = timeout;
        self
    }

    /// How long a connection may be open without a request in progress. Defaults to 20 s, for
    /// connections that [`Bowline::guard`](crate::Bowline::guard) guards and
    /// [`Bowline::watch`](crate::Bowline::watch) watches. It has to be longer than
    /// `HttpServer::keep_alive`, 5 s unless set: idle connections end with that, and this one
    /// ends those that stall in the middle of a request head, or in what is left of a body that
    /// was answered.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.idle_timeout = timeout;
        self
    }

    /// How many messages of one session are handled at the same time. Defaults to 1: in order, one
    /// after another.
    ///
    /// A handler may ask its own client, whose answer does not wait for it. But if that client asks
    /// the server before it answers, its question waits for a handler. If all wait for this
    /// client, the question fails at once with the code `would-deadlock`, which the client's
    /// handler receives, and a warning is logged. A contract in which questions are nested
    /// needs one more for each level.
    ///
    /// Clients other than those of this project have to say what they ask within a question, else
    /// both wait until the timeout: see the specification, 06-rooms-and-requests, "Requests
    /// within requests".
    pub const fn concurrency(mut self, handlers: usize) -> Self {
        self.config.concurrency = if handlers == 0 { 1 } else { handlers };
        self
    }
}
