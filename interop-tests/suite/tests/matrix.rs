//! Every story over every transport, over long polling with each request on another worker, and
//! over TLS with HTTP/2.

#[cfg(target_os = "linux")]
#[path = "matrix/secure.rs"]
mod secure;

use std::collections::HashSet;

use bowline_client::Transport;
use bowline_contract::Up;
use bowline_fixtures::test_server::Shape;
use bowline_fixtures::within_a_minute;
use bowline_interop_tests::stories::{self, World};

/// One test for each story and transport.
macro_rules! matrix {
    ($($story:ident)*) => {
        $(mod $story {
            use super::*;

            #[tokio::test]
            async fn over_websocket() {
                run(Transport::WebSocket, Shape::default()).await;
            }

            #[tokio::test]
            async fn over_sse() {
                run(Transport::Sse, Shape::default()).await;
            }

            #[tokio::test]
            async fn over_polling() {
                run(Transport::Polling, Shape::default()).await;
            }

            #[tokio::test]
            async fn over_polling_with_each_request_on_another_worker() {
                let shape = Shape { one_request_per_connection: true, ..Shape::default() };
                run(Transport::Polling, shape).await;
            }

            #[tokio::test]
            async fn with_the_server_mounted_as_middleware() {
                run(Transport::Sse, Shape { as_middleware: true, ..Shape::default() }).await;
            }

            secure!($story);

            async fn run(transport: Transport, shape: Shape) {
                let _ = env_logger::try_init();
                within_a_minute(async move {
                    stories::$story(World::new(transport, shape).await).await;
                })
                .await;
            }
        })*
    };
}

/// The same over TLS.
macro_rules! secure {
    // Nothing can send a copy of what it cannot read: tests/http2 does it as the client.
    (a_replayed_post_is_harmless) => {};
    ($story:ident) => {
        #[cfg(target_os = "linux")]
        mod on_http2 {
            use super::*;

            #[tokio::test]
            async fn over_websocket() {
                run(Transport::WebSocket, "over_websocket").await;
            }

            #[tokio::test]
            async fn over_sse() {
                run(Transport::Sse, "over_sse").await;
            }

            #[tokio::test]
            async fn over_polling() {
                run(Transport::Polling, "over_polling").await;
            }

            async fn run(transport: Transport, test: &str) {
                let test = format!("{}::on_http2::{test}", stringify!($story));
                secure::run(transport, &test, stories::$story).await;
            }
        }
    };
}

matrix! {
    a_session_goes_on_with_each_new_authentication
    a_new_authentication_may_be_refused
    an_authentication_that_is_not_renewed_ends_its_session
    requests_are_answered
    events_arrive_in_order
    a_room_hears_what_is_said_in_it
    everyone_in_a_room_answers
    a_handler_may_ask_its_own_client
    bytes_travel_both_ways
    a_large_message_arrives_whole
    volatile_events_arrive_while_connected
    ordinary_handlers_speak_to_rooms
    failures_reach_the_caller
    unanswered_requests_time_out
    a_question_that_waits_for_itself_is_refused
    a_question_that_waits_for_itself_is_refused_after_a_cut
    a_question_beside_a_handler_waits_for_its_turn
    a_refused_client_learns_the_reason
    a_closed_client_has_flushed_and_the_server_knows_why
    a_kicked_client_learns_the_code_and_stays_away
    messages_beyond_a_rate_limit_fail_and_state_when_to_retry
    a_session_that_exceeds_a_rate_limit_may_end
    a_packet_over_the_limit_is_refused_where_it_is_sent
    messages_sent_while_cut_off_arrive_once_and_in_order
    numbered_messages_survive_many_cuts
    a_request_that_timed_out_unsent_is_never_handled
    a_new_session_is_set_up_before_anything_queued
    requests_survive_cuts
    a_session_survives_a_change_of_transport
    a_replayed_post_is_harmless
    a_killed_server_is_noticed_and_the_client_learns_what_is_unknown
    a_drained_server_sends_its_clients_away_and_they_come_back
    what_is_published_arrives_once_and_in_order_through_cuts
    a_lost_session_recovers_its_topics_from_their_histories
    a_namespace_goes_on_through_cuts_and_new_sessions
    a_refused_namespace_leaves_the_others_alone
    items_arrive_once_and_in_order_both_ways_through_cuts
    a_file_goes_up_whole_through_cuts
    many_streams_share_a_session
    a_stream_goes_on_over_another_transport
    what_is_published_again_with_its_id_arrives_once
}

/// What the shape of the fourth test promises: the session is served by more than one worker.
#[tokio::test]
async fn successive_requests_of_one_session_land_on_different_workers() {
    within_a_minute(async {
        let shape = Shape { one_request_per_connection: true, ..Shape::default() };
        for transport in [Transport::Sse, Transport::Polling] {
            let world = World::new(transport, shape).await;
            let client = world.connected().await;
            let mut workers = HashSet::new();
            for number in 1..=20 {
                workers.insert(client.request(Up, &number).await.unwrap().worker);
            }
            assert_eq!(workers.len(), shape.workers, "{transport}: {workers:?}");
            let session = client.session_id().unwrap();
            assert!(world.server.journal().numbers(session).into_iter().eq(1..=20));
        }
    })
    .await;
}
