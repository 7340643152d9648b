//! What is attacked.

use std::path::PathBuf;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rows whose names hold this.
    pub only: Option<String>,
    /// Smaller attacks on a server with less patience.
    pub short: bool,
    /// The program that is the server: this one, with `serve` as its first word.
    pub program: PathBuf,
}
