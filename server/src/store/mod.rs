//! Places for sessions while no process holds them: one process writes to a place, and the next one
//! reads from it.
//!
//! `place` is the interface of every such place: values that appear when they are complete, are
//! claimed by one process, and are removed by it. `file` is a folder, `redis` is Redis, and
//! `format` is the content of a value. `keeper` decides what is stored, and when.
//!
//! Spec: 05-delivery-and-resume, "Attach and resume".

mod file;
pub(crate) mod format;
mod names;
pub(crate) mod place;
#[cfg(feature = "redis")]
pub(crate) mod redis;

use std::time::Duration;

pub use file::FileStore;
pub use place::Store;
#[cfg(feature = "redis")]
pub use redis::RedisStore;

/// Sessions that were stored longer ago are lost: a folder that was restored from a copy must not
/// bring back sessions that ended long ago.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(3600);
