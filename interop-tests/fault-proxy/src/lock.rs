//! Locks of values that are whole between calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic elsewhere must not hide behind a second one: every value here is whole between calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
