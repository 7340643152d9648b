//! The processes of a run: programs that exchange lines with it, what each uses of the machine, and
//! a real Redis.

mod program;
mod redis_server;
mod usage;
mod words;

pub use program::{Program, orders, say, wall_clock};
pub use redis_server::{RedisServer, calls_in, free_port};
pub use usage::Usage;
pub use words::{NodeTools, Programs, Words, at_least};
