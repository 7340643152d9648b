//! Which sessions end when the sessions of a server keep more than `memory_limit`.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Close, CloseCode};

use super::{Common, LiveSession, OpenPhase, State};

/// The order in which sessions end: those whose clients lose least come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It has ended; only its handlers are still running.
    Over,
    /// Not let in yet: its client opens again and sends everything again.
    Asking,
    /// Its client is away.
    Away,
    Served,
}

/// Closes sessions until there is room; among those of the same standing, those first that keep
/// most.
pub(super) fn make_room(common: &Arc<Common>) {
    let standing = |session: Arc<LiveSession>| {
        let (standing, kept) = session.look(|state| (state.standing(), state.kept()));
        (kept > 0).then_some((standing, Reverse(kept), session))
    };
    let mut all: Vec<_> = common.registry.all().into_iter().filter_map(standing).collect();
    all.sort_unstable_by_key(|(standing, kept, _)| (*standing, *kept));
    let (mut closed, mut most) = (0, 0);
    for (_, Reverse(kept), session) in all {
        if common.budget.has_room() {
            break;
        }
        closed += u64::from(session.give_way());
        most = most.max(kept);
    }
    common.budget.count_closed(closed);
    if closed > 0
        && let Some(suppressed) = common.complaints.admit("memory_limit", common.now())
    {
        let limit = common.budget.limit();
        log::warn!(
            "sessions kept more than the memory_limit of {limit} bytes: {closed} were closed; \
             the largest had kept {most}{suppressed}"
        );
    }
}

impl LiveSession {
    /// Ends the session, and drops what it keeps. False if it had ended already.
    fn give_way(self: &Arc<Self>) -> bool {
        let standing = self.with(|state, now| {
            let standing = state.standing();
            state.drop_messages();
            state.unread = 0;
            match standing {
                Standing::Over => state.core.drop_kept(),
                Standing::Asking => {
                    state.set_phase(OpenPhase::Refused);
                    state.core.abort(come_later(), now);
                }
                Standing::Away => state.core.abort(because(CloseCode::SESSION_EXPIRED), now),
                Standing::Served => state.core.abort(because(CloseCode::SLOW_CONSUMER), now),
            }
            standing
        });
        if standing == Standing::Asking {
            // Its client may open again with the same key.
            self.common.registry.retract(self);
        }
        standing != Standing::Over
    }
}

impl State {
    fn standing(&self) -> Standing {
        if self.core.closed().is_some() {
            Standing::Over
        } else if self.phase() == OpenPhase::Asking {
            Standing::Asking
        } else if self.core.is_attached() {
            Standing::Served
        } else {
            Standing::Away
        }
    }
}

/// The close that a client receives for an open while there is no room.
pub(crate) fn come_later() -> Close {
    because(CloseCode::TOO_MANY_SESSIONS).after(Duration::from_secs(30))
}

fn because(code: CloseCode) -> Close {
    Close::with_reason(code, "memory_limit is reached")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bowline_protocol::{CloseCode, Encoded, Open, Payload, Token};

    use super::{LiveSession, make_room};
    use crate::config::Config;
    use crate::node::{Handlers, Hooks, Node};
    use crate::random::random;
    use crate::session::tests::{attach, open, receive};
    use crate::session::{Intake, Opened};

    /// A node that makes room only when the test calls for it.
    fn node(limit: usize) -> Arc<Node> {
        let config = Config { memory_limit: Some(limit), ..Config::default() };
        let node = Node::new(config, Handlers::default(), Hooks::default());
        node.timers.stop();
        node
    }

    fn emit(session: &Arc<LiveSession>, bytes: usize) {
        let payload = Payload::json(format!("\"{}\"", "a".repeat(bytes)));
        session.emit(&Encoded::event("news", &payload).unwrap()).unwrap();
    }

    fn closed(session: &LiveSession) -> Option<CloseCode> {
        session.look(|state| state.core.closed().map(|close| close.code))
    }

    #[test]
    fn sessions_whose_clients_lose_least_end_first_and_then_those_that_keep_most() {
        let node = node(100_000);
        let sessions: Vec<_> = (0..5).map(|_| open(&node)).collect();
        let [asking, small_away, large_away, small, large] = &sessions[..] else { panic!() };
        let _small = attach(small, 1);
        let _large = attach(large, 1);
        let open = Open {
            key: Token::from_bytes(random()),
            counter: 1,
            instance: 0,
            take: None,
            auth: "".into(),
        };
        let Ok(Opened::New(undecided)) = node.open(&open, None) else { panic!("it is new") };
        let _undecided = attach(&undecided, 1);
        receive(&undecided, 1, "e news \"nobody handles it yet\"");
        for (session, bytes) in
            [(small_away, 10_000), (large_away, 20_000), (small, 30_000), (large, 60_000)]
        {
            emit(session, bytes);
        }
        emit(asking, 10);
        assert!(node.budget.is_exceeded());
        make_room(&node.common);
        assert_eq!(closed(&undecided), Some(CloseCode::TOO_MANY_SESSIONS));
        assert!(node.registry.by_key(&open.key).is_none(), "its client may open it again");
        assert_eq!(closed(large_away), Some(CloseCode::SESSION_EXPIRED));
        assert_eq!(closed(small_away), Some(CloseCode::SESSION_EXPIRED));
        assert_eq!(closed(large), Some(CloseCode::SLOW_CONSUMER));
        assert_eq!(closed(small), None);
        assert!(node.budget.has_room());
        assert_eq!(node.budget.closed(), 5);
    }

    #[test]
    fn no_session_opens_and_no_packet_is_accepted_while_there_is_no_room() {
        let node = node(10_000);
        let session = open(&node);
        emit(&session, 20_000);
        let open = Open {
            key: Token::from_bytes(random()),
            counter: 1,
            instance: 0,
            take: None,
            auth: "".into(),
        };
        let refused = node.open(&open, None).err().expect("there is no room");
        assert_eq!(refused.code, CloseCode::TOO_MANY_SESSIONS);
        receive(&session, 1, "e news");
        // No worker is known, so the first message waits.
        assert_eq!(receive(&session, 2, "e news"), Intake::Full);
    }
}
