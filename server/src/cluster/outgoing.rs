//! Messages for other nodes that leave together.
//!
//! A broker begins with the first message that it is given. Of the many that a client's handlers publish in one go, the
//! first would travel alone, and every member on every other node would be written to twice.

use std::cell::Cell;
use std::sync::Mutex;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::lock;
use crate::broker::Broker;

/// What was published and not given to the broker yet, in order.
#[derive(Default)]
pub(super) struct Outgoing {
    held: Mutex<Vec<Held>>,
}

struct Held {
    channel: String,
    message: Bytes,
    heard: Option<oneshot::Sender<usize>>,
}

/// While it lives, what this thread publishes waits for the end of it.
pub(crate) struct Hold<'a> {
    outgoing: &'a Outgoing,
    broker: &'a dyn Broker,
    before: usize,
}

thread_local! {
    /// What this thread holds back: a thread may serve several nodes.
    static HOLDS: Cell<usize> = const { Cell::new(0) };
}

impl Outgoing {
    pub(super) fn hold<'a>(&'a self, broker: &'a dyn Broker) -> Hold<'a> {
        Hold { outgoing: self, broker, before: HOLDS.replace(self.address()) }
    }

    /// Publishes behind everything that waits, which goes out now unless this thread holds it back.
    pub(super) fn publish(
        &self,
        broker: &dyn Broker,
        channel: &str,
        message: Bytes,
        heard: Option<oneshot::Sender<usize>>,
    ) {
        let mut held = lock(&self.held);
        if HOLDS.get() == self.address() {
            held.push(Held { channel: channel.to_owned(), message, heard });
            return;
        }
        give(&mut held, broker);
        broker.publish(channel, message, heard);
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        HOLDS.set(self.before);
        give(&mut lock(&self.outgoing.held), self.broker);
    }
}

fn give(held: &mut Vec<Held>, broker: &dyn Broker) {
    for Held { channel, message, heard } in held.drain(..) {
        broker.publish(&channel, message, heard);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use bytes::Bytes;
    use futures::future::BoxFuture;
    use tokio::sync::oneshot;

    use super::Outgoing;
    use crate::broker::{Broker, Deliver, Entry, Keep, Slice, Unavailable};
    use crate::cluster::lock;

    /// Notes the channels that it was given messages for.
    #[derive(Debug, Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Broker for Recorder {
        fn publish(&self, channel: &str, _: Bytes, _: Option<oneshot::Sender<usize>>) {
            lock(&self.0).push(channel.to_owned());
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
        ) -> BoxFuture<'static, Result<bowline_protocol::Position, Unavailable>> {
            unreachable!("it only notes")
        }
        fn read(&self, _: &str, _: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>> {
            unreachable!("it only notes")
        }
    }

    #[test]
    fn what_a_thread_holds_back_leaves_together_at_the_end_of_it() {
        let (outgoing, broker) = (Outgoing::default(), Recorder::default());
        let publish = |channel| outgoing.publish(&broker, channel, Bytes::new(), None);
        let hold = outgoing.hold(&broker);
        publish("a");
        drop(outgoing.hold(&broker));
        assert_eq!(*lock(&broker.0), ["a"], "an inner one ends with what there is");
        publish("b");
        publish("c");
        assert_eq!(*lock(&broker.0), ["a"]);
        drop(hold);
        assert_eq!(*lock(&broker.0), ["a", "b", "c"]);
        publish("d");
        assert_eq!(*lock(&broker.0), ["a", "b", "c", "d"], "nothing is held back any more");
    }

    #[test]
    fn another_thread_and_another_node_do_not_wait_and_overtake_nothing() {
        let (outgoing, broker) = (Outgoing::default(), Recorder::default());
        let (other, elsewhere) = (Outgoing::default(), Recorder::default());
        let hold = outgoing.hold(&broker);
        outgoing.publish(&broker, "a", Bytes::new(), None);
        thread::scope(|scope| {
            scope.spawn(|| outgoing.publish(&broker, "b", Bytes::new(), None));
        });
        assert_eq!(*lock(&broker.0), ["a", "b"]);
        other.publish(&elsewhere, "c", Bytes::new(), None);
        assert_eq!(*lock(&elsewhere.0), ["c"]);
        drop(hold);
    }
}
