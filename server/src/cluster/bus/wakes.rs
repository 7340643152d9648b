//! Carriers that are woken once for all that has come from other nodes together.
//!
//! Messages that were published in one go arrive in one read. A carrier that was woken by the first
//! of them would begin to write while the others are still being taken, on another thread, and
//! write each by itself.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use tokio::sync::Notify;

use crate::cluster::host::Host;
use crate::locks::lock;

/// Those that have something to write and were not woken yet.
#[derive(Default)]
pub(crate) struct Wakes {
    waiting: Mutex<Vec<Waker>>,
    filled: Notify,
}

/// Carriers that are woken when this is dropped, whatever happens: they do not ask again.
struct Unwoken(Vec<Waker>);

/// Carriers of one message, on their way to the others.
struct Collected<'a> {
    wakes: &'a Wakes,
    carriers: Vec<Waker>,
}

impl Wakes {
    /// Collects the carriers that `tell` would wake. They are woken soon.
    pub(super) fn collect<T>(&self, tell: impl FnOnce(&mut dyn FnMut(Waker)) -> T) -> T {
        let mut collected = Collected { wakes: self, carriers: Vec::new() };
        tell(&mut |carrier| collected.carriers.push(carrier))
    }

    /// Wakes them, whenever the broker has nothing more to deliver at once.
    ///
    /// Where one worker has all carriers, it is woken once and wakes them itself: on the same
    /// processor it would otherwise begin with each, and interrupt this thread for it.
    pub(crate) async fn keep(self: Arc<Self>, host: Host) {
        loop {
            self.filled.notified().await;
            let unwoken = self.take();
            match host.local() {
                Some(local) => local.workers.run_on_the_only_one(move || drop(unwoken)),
                None => return,
            }
        }
    }

    /// Wakes all of them.
    pub(crate) fn release(&self) {
        drop(self.take());
    }

    fn take(&self) -> Unwoken {
        Unwoken(std::mem::take(&mut *lock(&self.waiting)))
    }
}

impl Drop for Unwoken {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

impl Drop for Collected<'_> {
    fn drop(&mut self) {
        if !self.carriers.is_empty() {
            lock(&self.wakes.waiting).append(&mut self.carriers);
            self.wakes.filled.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::Wakes;

    #[derive(Default)]
    struct Carrier(AtomicUsize);

    impl Wake for Carrier {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn carriers_are_woken_only_when_all_that_came_together_was_taken() {
        let (wakes, carrier) = (Wakes::default(), Arc::<Carrier>::default());
        wakes.collect(|wake| wake(Waker::from(Arc::clone(&carrier))));
        wakes.collect(|wake| wake(Waker::from(Arc::clone(&carrier))));
        assert_eq!(carrier.0.load(Ordering::Relaxed), 0);
        wakes.release();
        assert_eq!(carrier.0.load(Ordering::Relaxed), 2);
        wakes.release();
        assert_eq!(carrier.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_carrier_is_woken_even_if_taking_the_message_panics() {
        let (wakes, carrier) = (Wakes::default(), Arc::<Carrier>::default());
        let take = || {
            wakes.collect(|wake| {
                wake(Waker::from(Arc::clone(&carrier)));
                panic!("on purpose");
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(take)).is_err());
        wakes.release();
        assert_eq!(carrier.0.load(Ordering::Relaxed), 1);
    }
}
