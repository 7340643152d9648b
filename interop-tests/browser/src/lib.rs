//! What the tests in browsers and Node are run against: worlds on demand, and the faults of each.
//!
//! A world is the application of the tests behind a
//! [`FaultProxy`](bowline_fault_proxy::FaultProxy), at an origin of its own, which also serves the
//! pages of the tests and the package under test: a page is of the same origin as the server that
//! it talks to. What a test wants of a world it posts to the control address, which no fault
//! touches:
//!
//! | POST | body | answer |
//! |---|---|---|
//! | `/worlds` | `Settings` | `{"id", "url"}` |
//! | `/worlds/{id}/end` | | |
//! | `/worlds/{id}/journal` | `{"after": n}` | all entries, once there are more than n |
//! | `/worlds/{id}/versions` | `{"path"}` | in which versions of HTTP it was requested |
//! | `/worlds/{id}/counters` | bounds such as `{"accepted": n}` | the proxy's counters, once none is less |
//! | `/worlds/{id}/emit` | `{"session", "from", "through"}` | numbered events to a session |
//! | `/worlds/{id}/do` | `Deed` | what the deed tells |

mod control;
mod files;
mod host;
mod worlds;

pub use files::Folders;
pub use host::start;
