//! Tests of the ladder alone.

use super::{Death, Ladder, Millis, Step, Time, Transport, Verdict};

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
const MINUTE: Millis = Millis::from_secs(60);

fn all() -> Ladder {
    Ladder::new(&ALL, MINUTE)
}

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// The end of a carrier that has served for this many seconds.
fn old(seconds: u64) -> Death {
    Death { age: seconds * 1000, in_silence: false }
}

/// A ladder whose WebSocket fails while SSE serves.
fn on_sse() -> Ladder {
    let mut ladder = all();
    ladder.failed(at(0));
    ladder.welcomed(at(0));
    ladder
}

#[test]
fn failures_lead_down_then_to_a_back_off_then_to_the_top() {
    let mut ladder = all();
    ladder.begin(at(0));
    assert_eq!(ladder.current(), Transport::WebSocket);
    assert_eq!(ladder.failed(at(0)), Step::Next);
    assert_eq!(ladder.current(), Transport::Sse);
    assert_eq!(ladder.failed(at(0)), Step::Next);
    assert_eq!(ladder.current(), Transport::Polling);
    assert!(ladder.is_last(at(0)));
    assert_eq!(ladder.failed(at(0)), Step::BackOff);
    ladder.begin(at(0));
    assert_eq!(ladder.current(), Transport::WebSocket);
}

#[test]
fn what_failed_where_another_serves_is_left_alone_until_its_trial() {
    let mut ladder = on_sse();
    ladder.begin(at(59));
    assert_eq!((ladder.current(), ladder.due(at(59))), (Transport::Sse, None));
    assert_eq!(ladder.due(at(60)), Some(Transport::WebSocket));
    let verdict = Verdict { transport: Transport::Sse, valid_for: MINUTE.into() };
    assert_eq!(ladder.verdict(at(0)), Some(verdict));
    ladder.begin(at(60));
    assert_eq!(ladder.current(), Transport::WebSocket, "a new round is a trial too");
}

#[test]
fn nothing_is_learnt_from_a_network_where_nothing_works() {
    let mut ladder = on_sse();
    ladder.failed(at(1));
    assert_eq!(ladder.failed(at(1)), Step::BackOff);
    ladder.begin(at(2));
    assert_eq!((ladder.current(), ladder.verdict(at(2))), (Transport::WebSocket, None));
}

#[test]
fn a_cut_carrier_is_tried_again_but_one_that_dies_young_twice_is_not() {
    let mut ladder = all();
    ladder.welcomed(at(0));
    for age in [30, 29, 40, 1] {
        assert_eq!(ladder.lost(old(age), at(40)), Step::Next);
        assert_eq!(ladder.current(), Transport::WebSocket);
    }
    assert_eq!(ladder.lost(old(3), at(42)), Step::Next);
    assert_eq!(ladder.current(), Transport::Sse);
}

#[test]
fn what_died_young_is_condemned_when_another_has_lived_for_four_times_as_long() {
    for (age, comparison) in [(0, 2), (1, 4), (10, 40), (29, 60)] {
        let mut ladder = all();
        ladder.welcomed(at(0));
        ladder.lost(old(age), at(100));
        ladder.lost(old(age / 2), at(200));
        ladder.welcomed(at(202));
        let until = 202 + comparison;
        assert_eq!(ladder.convict(at(until - 1)), None);
        assert_eq!((ladder.verdict(at(until - 1)), ladder.due(at(until - 1))), (None, None));
        assert_eq!(ladder.convict(at(until)), Some(Transport::WebSocket));
        assert_eq!(ladder.convict(at(until)), None, "once");
        assert_eq!(ladder.next_due(), at(until + 240), "it is not tried for a while");
        assert!(ladder.verdict(at(until)).is_some());
    }
}

#[test]
fn a_condemned_transport_has_to_die_young_once_more_only() {
    let mut ladder = all();
    ladder.lost(old(1), at(0));
    ladder.lost(old(1), at(0));
    ladder.welcomed(at(0));
    ladder.convict(at(4));
    ladder.take_over(Transport::WebSocket);
    ladder.welcomed(at(244));
    ladder.lost(old(1), at(245));
    assert_eq!(ladder.current(), Transport::Sse);
    ladder.welcomed(at(245));
    ladder.convict(at(249));
    assert_eq!(ladder.next_due(), at(249 + 960));
}

/// The carriers of each transport end early until the client tries the next one, down to the last.
fn all_die(ladder: &mut Ladder) -> u32 {
    let mut deaths = 0;
    let mut die = || {
        assert_eq!(ladder.lost(old(10), at(0)), Step::Next);
        ladder.welcomed(at(0));
        deaths += 1;
        ladder.current()
    };
    while die() == Transport::WebSocket {}
    while die() != Transport::WebSocket {}
    assert_eq!((ladder.current(), ladder.verdict(at(0))), (Transport::WebSocket, None));
    deaths
}

#[test]
fn what_dies_young_where_everything_does_is_not_condemned_and_is_asked_again_ever_later() {
    let mut ladder = all();
    let deaths: Vec<_> = (0..5).map(|_| all_die(&mut ladder)).collect();
    // The last transport is no better than the others, which the ladder remembers.
    assert_eq!(deaths, [2 + 2 + 2, 4 + 2 + 1, 8 + 2 + 1, 16 + 2 + 1, 16 + 2 + 1]);
    assert_eq!(ladder.lost(old(4), at(0)), Step::BackOff, "without good service it waits");
    ladder.lost(old(30), at(0));
    assert_eq!(all_die(&mut ladder), 2 + 2 + 1, "something has lived");
    ladder.reconsider();
    assert_eq!(all_die(&mut ladder), 2 + 2 + 1, "the network may be another one");
}

#[test]
fn a_death_before_an_outage_is_not_counted() {
    let mut ladder = all();
    for _ in 0..10 {
        ladder.welcomed(at(0));
        assert_eq!(ladder.lost(old(13), at(13)), Step::Next);
        assert_eq!(ladder.current(), Transport::WebSocket);
        while ladder.failed(at(13)) == Step::Next {}
        ladder.begin(at(15));
    }
}

#[test]
fn a_first_death_in_silence_is_spared_and_a_third_one_is_not() {
    let in_silence = Death { age: 5000, in_silence: true };
    let mut ladder = all();
    for seconds in [5, 10] {
        assert_eq!(ladder.lost(in_silence, at(seconds)), Step::Next);
        assert_eq!(ladder.current(), Transport::WebSocket);
    }
    assert_eq!(ladder.lost(old(30), at(60)), Step::Next);
    for seconds in [65, 70] {
        ladder.lost(in_silence, at(seconds));
        assert_eq!(ladder.current(), Transport::WebSocket, "good service has restored its credit");
    }
    assert_eq!(ladder.lost(in_silence, at(75)), Step::Next);
    assert_eq!(ladder.current(), Transport::Sse);
}

#[test]
fn a_transport_that_is_cut_before_its_welcome_has_died_young() {
    let mut ladder = all();
    assert_eq!(ladder.cut_off(at(0)), Step::Next);
    assert_eq!(ladder.current(), Transport::WebSocket);
    assert_eq!(ladder.cut_off(at(1)), Step::Next);
    assert_eq!(ladder.current(), Transport::Sse);
    let mut ladder = on_sse();
    ladder.take_over(Transport::WebSocket);
    ladder.cut_off(at(60));
    assert_eq!(ladder.current(), Transport::Sse, "what served is not left waiting");
}

#[test]
fn a_transport_that_has_served_gets_a_second_look_before_there_is_a_verdict() {
    let mut ladder = all();
    ladder.welcomed(at(0));
    ladder.lost(old(5), at(5));
    ladder.failed(at(5));
    ladder.welcomed(at(5));
    assert_eq!((ladder.verdict(at(5)), ladder.next_due()), (None, at(10)));
    assert_eq!(ladder.due(at(10)), Some(Transport::WebSocket));
    ladder.trial_failed(Transport::WebSocket, at(10));
    assert_eq!(ladder.next_due(), at(70));
    assert!(ladder.verdict(at(10)).is_some());
}

#[test]
fn a_host_that_wakes_waits_for_a_comparison_that_is_under_way() {
    let mut ladder = all();
    ladder.lost(old(10), at(1000));
    ladder.lost(old(10), at(1000));
    ladder.welcomed(at(1000));
    ladder.reconsider();
    assert_eq!((ladder.convict(at(1039)), ladder.next_due()), (None, at(1040)));
}

#[test]
fn each_failed_trial_doubles_the_time_to_the_next_up_to_a_limit() {
    let mut ladder = on_sse();
    let mut waits = Vec::new();
    for _ in 0..6 {
        let due = ladder.next_due();
        ladder.trial_failed(Transport::WebSocket, due);
        waits.push((ladder.next_due() - due).as_secs() / 60);
    }
    assert_eq!(waits, [2, 4, 8, 16, 16, 16]);
}

#[test]
fn a_transport_that_was_taken_over_and_does_not_serve_is_left_again_at_once() {
    let mut ladder = on_sse();
    ladder.take_over(Transport::WebSocket);
    assert_eq!(ladder.current(), Transport::WebSocket);
    assert!(!ladder.is_last(at(60)));
    assert_eq!(ladder.failed(at(60)), Step::Next);
    assert_eq!(ladder.current(), Transport::Sse);
    assert_eq!(ladder.next_due(), at(60 + 120));
}

#[test]
fn good_service_wipes_the_record_clean() {
    let mut ladder = on_sse();
    ladder.take_over(Transport::WebSocket);
    ladder.welcomed(at(60));
    assert_eq!(ladder.next_due(), Time::NEVER);
    ladder.lost(old(40), at(100));
    ladder.failed(at(100));
    ladder.welcomed(at(100));
    ladder.trial_failed(Transport::WebSocket, at(105));
    assert_eq!(ladder.next_due(), at(165), "the first verdict again");
}

#[test]
fn a_host_that_wakes_questions_all_but_fresh_verdicts() {
    let mut ladder = on_sse();
    ladder.trial_failed(Transport::WebSocket, at(60));
    ladder.trial_failed(Transport::WebSocket, at(180));
    ladder.reconsider();
    assert_eq!(ladder.next_due(), at(240), "not the 4 minutes that it has come to");
    ladder.reconsider();
    assert_eq!(ladder.next_due(), at(240));
}

#[test]
fn a_verdict_that_was_handed_on_is_as_fresh_as_one_of_its_own() {
    let mut ladder = all();
    let valid_for = Millis::from_secs(300).into();
    ladder.believe(Verdict { transport: Transport::Sse, valid_for }, at(1_000));
    ladder.reconsider();
    assert_eq!(ladder.next_due(), at(1_060));
}

#[test]
fn a_verdict_can_be_handed_on() {
    let mut ladder = all();
    let valid_for = Millis::from_secs(30).into();
    ladder.believe(Verdict { transport: Transport::Polling, valid_for }, at(0));
    ladder.begin(at(0));
    assert_eq!(ladder.current(), Transport::Polling);
    assert_eq!(ladder.due(at(30)), Some(Transport::WebSocket));
}

#[test]
fn a_forced_transport_is_current_even_if_it_was_not_listed() {
    let mut ladder = Ladder::new(&[Transport::WebSocket], MINUTE);
    ladder.force(Transport::Polling);
    assert_eq!(ladder.current(), Transport::Polling);
    assert_eq!(ladder.failed(at(0)), Step::BackOff);
    let mut ladder = on_sse();
    ladder.force(Transport::Polling);
    assert_eq!(ladder.next_due(), Time::NEVER, "and no trial undoes it");
}
