//! The promises, each a story that runs over every transport.

mod breaking;
mod talking;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::scene::{Scene, Told};

type Story = fn(Scene) -> LocalBoxFuture<'static, Told>;

/// The stories under the names of their functions, which are sentences.
macro_rules! stories {
    ($($part:ident: $($name:ident)*;)*) => {
        [$($((stringify!($name), (|scene| $part::$name(scene).boxed_local()) as Story),)*)*]
    };
}

pub(crate) const ALL: [(&str, Story); 14] = stories! {
    talking:
        requests_are_answered_in_types
        a_request_ends_exactly_once
        events_arrive_both_ways_and_in_order
        bytes_travel_beside_the_payload
        large_messages_arrive_whole
        the_server_asks_and_the_client_answers
        a_question_that_waits_for_itself_is_refused
        a_client_that_is_refused_stops_and_says_why
        closing_sends_what_waits_first;
    breaking:
        a_session_moves_between_the_transports_without_loss
        messages_sent_while_cut_off_arrive_once_and_in_order
        a_thousand_messages_each_way_survive_cuts_at_any_moment
        a_restarted_server_is_reported_with_what_is_unknown
        a_suspended_client_goes_on_where_it_was;
};
