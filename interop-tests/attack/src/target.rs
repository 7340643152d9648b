//! The server process, seen from outside.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::scenario::{REDIS, Scenario};
use bowline_processes::RedisServer;
use bowline_processes::Usage;

pub(crate) const MIB: f64 = 1024.0 * 1024.0;

/// What it holds at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gauge {
    pub(crate) resident: f64,
    pub(crate) descriptors: usize,
}

impl Gauge {
    fn of(process: u32) -> Result<Self, String> {
        let resident = Usage::of(&process.to_string())?.resident;
        let folder = format!("/proc/{process}/fd");
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
        Ok(Self { resident, descriptors: entries.count() })
    }

    fn most(self, other: Self) -> Self {
        Self {
            resident: self.resident.max(other.resident),
            descriptors: self.descriptors.max(other.descriptors),
        }
    }
}

/// The process, until this is dropped.
pub(crate) struct Target {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Target {
    pub(crate) fn start(
        plan: &Plan,
        scenario: &Scenario,
        redis: Option<&RedisServer>,
    ) -> Result<Self, String> {
        let mut command = Command::new(&plan.program);
        command.arg("serve").args(scenario.settings.iter().filter(|word| **word != REDIS));
        if plan.short {
            command.arg("impatient").envs(GLIBC_GIVES_BACK);
        } else if let Some(library) = JEMALLOC.iter().find(|path| Path::new(path).exists()) {
            command.env("LD_PRELOAD", library).env("MALLOC_CONF", GIVES_BACK);
        }
        command.args(redis.map(|redis| format!("redis={}", redis.url())));
        let name = format!("bowline-attack-{}-{}.log", std::process::id(), scenario.name);
        let log = std::env::temp_dir().join(name);
        let file = std::fs::File::create(&log).map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);
        command.env("RUST_LOG", "warn");
        let mut child = command.spawn().map_err(|error| format!("the server: {error}"))?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let address = line.trim().parse().map_err(|_| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!("the server did not start: {said}")
        })?;
        Ok(Self { child, address, log })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.log.clone()
    }

    pub(crate) fn gauge(&self) -> Result<Gauge, String> {
        Gauge::of(self.child.id())
    }

    /// Looks at the process every few milliseconds, for the most that it holds.
    pub(crate) fn watch(&self) -> Watch {
        let (process, over) = (self.child.id(), Arc::new(AtomicBool::new(false)));
        let ends = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut most = Gauge::default();
            while !ends.load(Ordering::Relaxed) {
                most = Gauge::of(process).map_or(most, |now| most.most(now));
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        Watch { over, thread }
    }

    /// Tells it to end, and says how long that took.
    pub(crate) async fn end(mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        told.map_err(|error| format!("kill: {error}"))?;
        while self.child.try_wait().map_err(|error| error.to_string())?.is_none() {
            if begun.elapsed() > Duration::from_secs(20) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(begun.elapsed())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}

pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Gauge>,
}

impl Watch {
    pub(crate) fn end(self) -> Gauge {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// An allocator that gives back what was freed, where Debian has it. The system's own keeps half of
/// it and more, for whoever asks next: then nobody sees from outside what the server still holds.
const JEMALLOC: &[&str] =
    &["/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "/usr/lib/aarch64-linux-gnu/libjemalloc.so.2"];
const GIVES_BACK: &str = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";

/// The same of glibc, for the few large pieces of a short run: each is mapped by itself. Thousands
/// of small ones stay.
const GLIBC_GIVES_BACK: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "16384"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ("MALLOC_ARENA_MAX", "1"),
];

pub(crate) fn has_redis() -> bool {
    Command::new("redis-server")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}
