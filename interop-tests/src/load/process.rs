//! What the kernel says of a process.

use std::fs;

/// Resources that a process has used or holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// Microseconds of user time of all its threads.
    pub(super) user: f64,
    /// Microseconds of system time.
    pub(super) system: f64,
    /// Bytes that are resident.
    pub(super) resident: f64,
}

impl Usage {
    /// What the process with this id has used; "self" is this one.
    ///
    /// # Errors
    /// When the process is gone.
    pub(super) fn of(process: &str) -> Result<Self, String> {
        let read = |file: &str| {
            let path = format!("/proc/{process}/{file}");
            fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
        };
        let stat = read("stat")?;
        // The second field is a name in brackets, which may hold anything.
        let (_, fields) = stat.rsplit_once(')').ok_or("/proc has no stat")?;
        let fields: Vec<f64> =
            fields.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
        let ticks = |at: usize| fields.get(at).map_or(0.0, |ticks| ticks * MICROSECONDS);
        let status = read("status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
        Ok(Self {
            user: ticks(11),
            system: ticks(12),
            resident: kilobytes.map_or(0.0, |kilobytes: f64| kilobytes * 1024.0),
        })
    }

    pub(super) const fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// Microseconds of a tick: user space sees 100 a second on every Linux.
const MICROSECONDS: f64 = 10_000.0;
