//! Who is let in, and who is still: hooks, cookies and tokens, over raw carriers of every
//! transport.

#[path = "admission/attaching.rs"]
mod attaching;
#[path = "admission/cookies.rs"]
mod cookies;
#[allow(dead_code, reason = "what is secret is watched where raw carriers are tested")]
#[path = "raw/journal.rs"]
mod journal;
#[path = "admission/patience.rs"]
mod patience;
#[path = "admission/site.rs"]
mod site;
#[path = "admission/thinking.rs"]
mod thinking;
#[path = "admission/way.rs"]
mod way;
