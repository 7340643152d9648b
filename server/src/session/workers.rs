//! The worker threads of actix that can run handlers.
//!
//! Futures of handlers are not `Send`, so they run on a thread where a request has arrived before.
//! Most start on the thread that received their message; the end of a session may come from the
//! timer thread or any other, and is passed to a worker first.

#![expect(clippy::disallowed_methods, reason = "a task on a worker that begins")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{HttpRequest, rt};
use bowline_protocol::Time;
use tokio::sync::mpsc;

use super::Common;

/// The current thread, as one `Bowline` knows it.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The first request that arrived here: it contains the application's data for handlers.
    pub(crate) request: HttpRequest,
    /// When the handlers started that are being polled in place.
    moment: Cell<Option<Time>>,
}

/// All threads on which a `Bowline` has received a request.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    known: Mutex<Vec<mpsc::UnboundedSender<Job>>>,
}

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The workers of this thread, one for each node that it serves.
    static HERE: RefCell<Vec<(usize, Rc<Worker>)>> = const { RefCell::new(Vec::new()) };
}

impl Worker {
    /// Registers the current thread with the node. False if it was registered already.
    pub(crate) fn enter(common: &Arc<Common>, request: &HttpRequest) -> bool {
        if Self::here(common).is_some() {
            return false;
        }
        let worker = Rc::new(Self { request: request.clone(), moment: Cell::new(None) });
        HERE.with_borrow_mut(|here| here.push((address(common), worker)));
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        common.workers.known.lock().unwrap_or_else(PoisonError::into_inner).push(jobs);
        let address = address(common);
        rt::spawn(async move {
            while let Some(job) = queue.recv().await {
                job();
            }
            // The node was dropped, and another may be allocated at its address.
            HERE.with_borrow_mut(|here| here.retain(|(known, _)| *known != address));
        });
        true
    }

    /// Polls handlers in place. Everything that they do happens at one time: reading the clock for
    /// each answer would cost more than most answers do.
    pub(super) fn at_once<T>(&self, common: &Common, handlers: impl FnOnce() -> T) -> T {
        self.moment.set(Some(common.now()));
        let _over = Moment(&self.moment);
        handlers()
    }

    /// The time at which a handler on this thread acts.
    pub(super) fn now(&self, common: &Common) -> Time {
        self.moment.get().unwrap_or_else(|| common.now())
    }

    /// The current thread, if it is registered with the node.
    pub(crate) fn here(common: &Arc<Common>) -> Option<Rc<Self>> {
        HERE.with_borrow(|here| {
            here.iter()
                .find(|(known, _)| *known == address(common))
                .map(|(_, worker)| Rc::clone(worker))
        })
    }
}

/// Resets the time when it is dropped, even by a panic: otherwise the clock would stand still for
/// later handlers.
struct Moment<'a>(&'a Cell<Option<Time>>);

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl Workers {
    /// True if there is a thread that can run handlers.
    pub(crate) fn any(&self) -> bool {
        !self.known.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Runs a job on the worker if there is exactly one. Otherwise drops it.
    pub(crate) fn run_on_the_only_one(&self, job: impl FnOnce() + Send + 'static) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let only = if let [only] = &**known { Some(only.clone()) } else { None };
        drop(known);
        // A thread that has ended is no worker: its job is dropped as well.
        let _ = only.map(|only| only.send(Box::new(job)));
    }

    /// Runs a job on a worker. If there is none (the server has stopped) it drops the job and
    /// returns false.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let mut job: Job = Box::new(job);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(worker) = known.last() {
            match worker.send(job) {
                // The next job goes to another worker.
                Ok(()) => {
                    known.rotate_right(1);
                    return true;
                }
                Err(mpsc::error::SendError(returned)) => job = returned,
            }
            known.pop();
        }
        false
    }
}

fn address(common: &Arc<Common>) -> usize {
    Arc::as_ptr(common).addr()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use actix_web::test::TestRequest;

    use super::Worker;
    use crate::config::Config;
    use crate::node::{Handlers, Hooks, Node};

    #[test]
    fn the_fixed_time_of_handlers_ends_with_them_even_if_one_panics() {
        let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
        let request = TestRequest::default().to_http_request();
        let worker = Worker { request, moment: Cell::new(None) };
        worker.at_once(&node, || assert_eq!(worker.moment.get(), Some(worker.now(&node))));
        assert_eq!(worker.moment.get(), None);
        let panics = || worker.at_once(&node, || panic!("on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(worker.moment.get(), None);
    }
}
