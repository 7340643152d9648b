//! What a user may rely on, told once and run over any transport.
//!
//! A story gets a [`World`]: a server, a bad network in front of it, and clients that use one
//! transport. It panics when a promise is broken.

mod breaking;
mod failing;
mod joining;
mod streaming;
mod subscribing;
mod talking;

use std::time::Duration;

use bowline_client::{Backoff, Client, ClientBuilder, OnSessionLost, Transport};
use bowline_server::Bowline;
use tokio_rustls::rustls::ServerConfig;

use bowline_fault_proxy::FaultProxy;
use bowline_fixtures::app;
use bowline_fixtures::test_server::{Listening, Shape, TestServer, no_routes};

pub use breaking::{
    a_drained_server_sends_its_clients_away_and_they_come_back,
    a_killed_server_is_noticed_and_the_client_learns_what_is_unknown,
    a_new_session_is_set_up_before_anything_queued, a_replayed_post_is_harmless,
    a_request_that_timed_out_unsent_is_never_handled, a_session_survives_a_change_of_transport,
    messages_sent_while_cut_off_arrive_once_and_in_order, numbered_messages_survive_many_cuts,
    requests_survive_cuts,
};
pub use failing::{
    a_closed_client_has_flushed_and_the_server_knows_why,
    a_kicked_client_learns_the_code_and_stays_away, a_new_authentication_may_be_refused,
    a_packet_over_the_limit_is_refused_where_it_is_sent,
    a_question_beside_a_handler_waits_for_its_turn, a_question_that_waits_for_itself_is_refused,
    a_question_that_waits_for_itself_is_refused_after_a_cut, a_refused_client_learns_the_reason,
    a_session_that_exceeds_a_rate_limit_may_end,
    an_authentication_that_is_not_renewed_ends_its_session, failures_reach_the_caller,
    messages_beyond_a_rate_limit_fail_and_state_when_to_retry, unanswered_requests_time_out,
};
pub use joining::{
    a_namespace_goes_on_through_cuts_and_new_sessions, a_refused_namespace_leaves_the_others_alone,
};
pub use streaming::{
    a_file_goes_up_whole_through_cuts, a_stream_goes_on_over_another_transport,
    items_arrive_once_and_in_order_both_ways_through_cuts, many_streams_share_a_session,
};
pub use subscribing::{
    a_lost_session_recovers_its_topics_from_their_histories,
    what_is_published_again_with_its_id_arrives_once,
    what_is_published_arrives_once_and_in_order_through_cuts,
};
pub use talking::{
    a_handler_may_ask_its_own_client, a_large_message_arrives_whole,
    a_room_hears_what_is_said_in_it, a_session_goes_on_with_each_new_authentication,
    bytes_travel_both_ways, events_arrive_in_order, everyone_in_a_room_answers,
    ordinary_handlers_speak_to_rooms, requests_are_answered,
    volatile_events_arrive_while_connected,
};

/// What a story happens in.
#[derive(Debug)]
pub struct World {
    /// The server.
    pub server: TestServer,
    /// The way to it.
    pub proxy: FaultProxy,
    /// What its clients use.
    pub transport: Transport,
    /// What its servers speak.
    listening: Listening,
}

impl World {
    /// A world whose clients use one transport.
    ///
    /// # Panics
    /// When the machine has no port left.
    pub async fn new(transport: Transport, shape: Shape) -> Self {
        Self::with(transport, shape, Listening::Plain).await
    }

    /// A world whose servers speak TLS, and HTTP/2 where a client wants it. Its clients have to
    /// trust the certificate for `localhost`.
    ///
    /// # Panics
    /// When the machine has no port left.
    pub async fn secure(transport: Transport, tls: ServerConfig) -> Self {
        Self::with(transport, Shape::default(), Listening::Tls(tls.into())).await
    }

    async fn with(transport: Transport, shape: Shape, listening: Listening) -> Self {
        let server =
            TestServer::start_on(app::builder().build(), shape, no_routes(), listening.clone());
        let proxy = FaultProxy::start(server.address()).await.expect("a port is free");
        Self { server, proxy, transport, listening }
    }

    /// Another server of this world.
    ///
    /// # Panics
    /// When the machine has no port left.
    #[must_use]
    pub fn another_server(&self, bowline: Bowline) -> TestServer {
        TestServer::start_on(bowline, Shape::default(), no_routes(), self.listening.clone())
    }

    /// A client of the world, with settings still open.
    pub fn builder(&self) -> ClientBuilder {
        let url = match self.listening {
            Listening::Tls(_) => format!("https://localhost:{}/bowline", self.proxy.addr().port()),
            _ => self.proxy.url("/bowline"),
        };
        Client::builder(&url)
            .transports([self.transport])
            // Stories cut more often than a network that a client should be patient with.
            .backoff(Backoff { base: Duration::from_millis(20), cap: Duration::from_millis(200) })
    }

    /// A client that is not connected yet.
    ///
    /// # Panics
    /// When it cannot be built.
    #[must_use]
    pub fn client(&self) -> Client {
        self.builder().build().expect("the address is valid")
    }

    /// A client that is connected.
    ///
    /// # Panics
    /// When it cannot connect.
    pub async fn connected(&self) -> Client {
        let client = self.client();
        client.connect().await.expect("the server lets it in");
        client
    }

    /// A client that does not open a new session when its session is lost.
    ///
    /// # Panics
    /// When it cannot connect.
    pub async fn connected_once(&self) -> Client {
        let client = self.builder().on_session_lost(OnSessionLost::Stop).build();
        let client = client.expect("the address is valid");
        client.connect().await.expect("the server lets it in");
        client
    }
}
