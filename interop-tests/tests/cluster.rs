//! Several nodes, over every bus that connects them.

#[path = "cluster/brokers.rs"]
mod brokers;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/handover.rs"]
mod handover;
#[path = "cluster/history.rs"]
mod history;
#[path = "cluster/outages.rs"]
mod outages;
#[path = "cluster/presence.rs"]
mod presence;
#[path = "cluster/relaying.rs"]
mod relaying;
#[path = "cluster/shaky.rs"]
mod shaky;
#[path = "cluster/talking.rs"]
mod talking;
#[path = "cluster/trials.rs"]
mod trials;
