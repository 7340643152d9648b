//! What the kernel says of a process.

use std::fs;

/// Resources that a process has used or holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Microseconds of CPU time of all its threads, as the scheduler counts them: in nanoseconds.
    cpu: f64,
    /// Which share of that was user time. The kernel tells it apart in steps of 10 ms.
    user: f64,
    system: f64,
    /// Bytes that are resident.
    pub resident: f64,
    /// Bytes that were resident at most so far.
    pub peak: f64,
}

impl Usage {
    /// What the process with this id has used; "self" is this one.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn of(process: &str) -> Result<Self, String> {
        let stat = read(&format!("/proc/{process}/stat"))?;
        // The second field is a name in brackets, which may hold anything.
        let (_, fields) = stat.rsplit_once(')').ok_or("/proc has no stat")?;
        let fields: Vec<f64> =
            fields.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
        let ticks = |at: usize| fields.get(at).copied().unwrap_or(0.0);
        let status = read(&format!("/proc/{process}/status"))?;
        let bytes = |key| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kilobytes = line.and_then(|text| text.split_whitespace().next()?.parse().ok());
            kilobytes.map_or(0.0, |kilobytes: f64| kilobytes * 1024.0)
        };
        Ok(Self {
            cpu: scheduled(process)?,
            user: ticks(11),
            system: ticks(12),
            resident: bytes("VmRSS:"),
            peak: bytes("VmHWM:"),
        })
    }

    /// Microseconds of CPU time since then.
    pub const fn cpu_since(&self, before: &Self) -> f64 {
        self.cpu - before.cpu
    }

    /// Which share of it was user time.
    pub fn user_share_since(&self, before: &Self) -> f64 {
        let (user, system) = (self.user - before.user, self.system - before.system);
        if user + system > 0.0 { user / (user + system) } else { 0.0 }
    }
}

/// Microseconds that the threads of a process were on a processor. None of the servers ends threads
/// while it is measured.
fn scheduled(process: &str) -> Result<f64, String> {
    let folder = format!("/proc/{process}/task");
    let threads = fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
    let mut nanoseconds = 0.0;
    for thread in threads.flatten() {
        let times = read(&thread.path().join("schedstat").to_string_lossy())?;
        let time = times.split_whitespace().next().and_then(|time| time.parse::<f64>().ok());
        nanoseconds += time.ok_or("the kernel does not count the time of threads")?;
    }
    Ok(nanoseconds / 1e3)
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}
