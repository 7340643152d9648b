//! The worker threads of actix that can run handlers.
//!
//! Futures of handlers are not `Send`, so they run where a request has arrived before. Most start
//! on the thread that received their message; the end of a session may come from the timer thread
//! or from any other, and is carried to a worker first.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{HttpRequest, rt};
use bowline_protocol::Time;
use tokio::sync::mpsc;

use super::Common;

/// This thread, as far as one `Bowline` knows it.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The first request that came here: it holds the application's data for handlers.
    pub(crate) request: HttpRequest,
    /// When the handlers began that are being tried in place.
    moment: Cell<Option<Time>>,
}

/// All threads that a `Bowline` has met.
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
    /// Makes the current thread known to the node. False if it was known already.
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
            // The node is gone, and its address may be given to another.
            HERE.with_borrow_mut(|here| here.retain(|(known, _)| *known != address));
        });
        true
    }

    /// Tries handlers in place. All that they do happens at one moment: reading the clock for each
    /// answer would cost more than most answers do.
    pub(super) fn at_once<T>(&self, common: &Common, handlers: impl FnOnce() -> T) -> T {
        self.moment.set(Some(common.now()));
        let _over = Moment(&self.moment);
        handlers()
    }

    /// The time of what a handler on this thread does.
    pub(super) fn now(&self, common: &Common) -> Time {
        self.moment.get().unwrap_or_else(|| common.now())
    }

    /// The current thread, if the node has met it.
    pub(crate) fn here(common: &Arc<Common>) -> Option<Rc<Self>> {
        HERE.with_borrow(|here| {
            here.iter()
                .find(|(known, _)| *known == address(common))
                .map(|(_, worker)| Rc::clone(worker))
        })
    }
}

/// The moment is over when this is dropped, even by a panic: the time must not stand still for all
/// that come later.
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

    /// Runs a job on the worker if there is just one. Otherwise it is dropped.
    pub(crate) fn run_on_the_only_one(&self, job: impl FnOnce() + Send + 'static) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let only = if let [only] = &**known { Some(only.clone()) } else { None };
        drop(known);
        // One that has ended is no worker: its job is dropped, too.
        let _ = only.map(|only| only.send(Box::new(job)));
    }

    /// Runs a job on a worker. Without any (the server has stopped) it is dropped, and the result
    /// is false.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let mut job: Job = Box::new(job);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(worker) = known.last() {
            match worker.send(job) {
                // The next job goes to another.
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
    fn the_moment_of_handlers_is_over_when_they_are_even_if_one_panics() {
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
