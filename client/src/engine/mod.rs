//! Decisions without I/O: which transport comes next, and when.

pub(crate) mod backoff;
pub(crate) mod ladder;
