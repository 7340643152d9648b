//! Locks that a panic does not spoil for everybody else.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The content, also after a panic of the thread that held the lock: the next thread sees what was
/// half done, which is better than to fail for ever.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
