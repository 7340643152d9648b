//! Messages for other nodes that are sent together.
//!
//! A broker starts to send with the first message that it receives. Of the many messages that a
//! client sends together, the first would be sent alone, and every node would write to every member
//! twice.

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use super::{Broker, Publication};
use crate::locks::lock;

/// The path to the broker.
pub(crate) struct Outgoing {
    broker: Arc<dyn Broker>,
    held: Mutex<Held>,
}

/// The messages that were published and not passed to the broker yet, in order.
#[derive(Default)]
struct Held {
    messages: Vec<Publication>,
    bytes: usize,
}

/// Until it is dropped, messages that this thread publishes are held back.
pub(crate) struct Hold {
    outgoing: Arc<Outgoing>,
    before: usize,
}

thread_local! {
    /// The node whose messages this thread holds back: it may serve several nodes.
    static HOLDS: Cell<usize> = const { Cell::new(0) };
}

impl Outgoing {
    pub(crate) fn new(broker: Arc<dyn Broker>) -> Arc<Self> {
        Arc::new(Self { broker, held: Mutex::default() })
    }

    /// `None` if this thread holds messages back already.
    pub(crate) fn hold(self: &Arc<Self>) -> Option<Hold> {
        let before = HOLDS.replace(self.address());
        (before != self.address()).then(|| Hold { outgoing: Arc::clone(self), before })
    }

    /// Publishes after everything that waits, and sends it now unless this thread holds it back.
    pub(crate) fn publish(&self, message: Publication) {
        let mut held = lock(&self.held);
        held.bytes += message.message.len();
        held.messages.push(message);
        if HOLDS.get() != self.address() || held.bytes > MAX_HELD {
            self.give(&mut held);
        }
    }

    fn give(&self, held: &mut Held) {
        let Held { messages, .. } = std::mem::take(held);
        if !messages.is_empty() {
            self.broker.publish(messages);
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        HOLDS.set(self.before);
        self.outgoing.give(&mut lock(&self.outgoing.held));
    }
}

/// The most bytes that are held back: with more the broker has enough to do, and counts what waits
/// for it.
const MAX_HELD: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use bytes::Bytes;
    use futures::future::BoxFuture;
    use tokio::sync::oneshot;

    use super::{MAX_HELD, Outgoing};
    use crate::broker::{
        Appended, Broker, Deliver, Entry, Keep, Once, Publication, Slice, Unavailable,
    };
    use crate::locks::lock;

    /// Records the channels of the messages that it receives, those of a call together.
    #[derive(Debug, Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Broker for Recorder {
        fn publish(&self, messages: Vec<Publication>) {
            lock(&self.0).push(messages.iter().map(|message| &*message.channel).collect());
        }
        fn run(&self, _: Deliver) -> BoxFuture<'static, ()> {
            unreachable!("it only notes")
        }
        fn subscribe(&self, _: &str, _: Option<oneshot::Sender<()>>) {}
        fn unsubscribe(&self, _: &str) {}
        fn directory(
            &self,
            _: &str,
            _: Entry,
        ) -> BoxFuture<'static, Result<Option<Bytes>, Unavailable>> {
            unreachable!("it only notes")
        }
        fn append(
            &self,
            _: &str,
            _: Bytes,
            _: Keep,
            _: Option<Once>,
        ) -> BoxFuture<'static, Result<Appended, Unavailable>> {
            unreachable!("it only notes")
        }
        fn read(&self, _: &str, _: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>> {
            unreachable!("it only notes")
        }
        fn trim(
            &self,
            _: &str,
            _: Option<bowline_protocol::Position>,
            _: Keep,
        ) -> BoxFuture<'static, Result<u64, Unavailable>> {
            unreachable!("it only notes")
        }
    }

    fn outgoing() -> (Arc<Outgoing>, Arc<Recorder>) {
        let broker = Arc::<Recorder>::default();
        (Outgoing::new(Arc::clone(&broker) as Arc<dyn Broker>), broker)
    }

    fn to(channel: &str) -> Publication {
        Publication { channel: channel.into(), message: Bytes::new(), heard: None }
    }

    #[test]
    fn what_a_thread_holds_back_leaves_together_at_the_end_of_it() {
        let (outgoing, broker) = outgoing();
        let publish = |channel| outgoing.publish(to(channel));
        let hold = outgoing.hold();
        publish("a");
        drop(outgoing.hold());
        publish("b");
        assert!(lock(&broker.0).is_empty(), "an inner one holds nothing and ends nothing");
        drop(hold);
        assert_eq!(*lock(&broker.0), ["ab"]);
        publish("c");
        assert_eq!(*lock(&broker.0), ["ab", "c"], "nothing is held back any more");
    }

    #[test]
    fn what_is_much_does_not_wait() {
        let (outgoing, broker) = outgoing();
        let hold = outgoing.hold();
        let publish = |channel| {
            outgoing.publish(Publication { message: vec![0; MAX_HELD / 2].into(), ..to(channel) });
        };
        publish("a");
        publish("b");
        assert!(lock(&broker.0).is_empty(), "it is as much as may wait");
        publish("c");
        publish("d");
        assert_eq!(*lock(&broker.0), ["abc"]);
        drop(hold);
        assert_eq!(*lock(&broker.0), ["abc", "d"]);
    }

    #[test]
    fn another_thread_and_another_node_do_not_wait_and_overtake_nothing() {
        let ((here, broker), (elsewhere, other)) = (outgoing(), outgoing());
        let hold = here.hold();
        here.publish(to("a"));
        thread::scope(|scope| {
            scope.spawn(|| here.publish(to("b")));
        });
        assert_eq!(*lock(&broker.0), ["ab"]);
        elsewhere.publish(to("c"));
        assert_eq!(*lock(&other.0), ["c"]);
        drop(hold);
    }

    #[test]
    fn a_panic_keeps_nothing_back() {
        let (outgoing, broker) = outgoing();
        let panics = || {
            let _hold = outgoing.hold();
            outgoing.publish(to("a"));
            panic!("on purpose");
        };
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        outgoing.publish(to("b"));
        assert_eq!(*lock(&broker.0), ["a", "b"]);
    }
}
