//! How much memory this process may use, according to the operating system.

use std::fs;

/// The share of it that sessions may keep unless set: a quarter. 1 GiB where the system does not
/// report its memory (it is read from `/proc` and `/sys/fs/cgroup`, so anywhere but on Linux).
pub(crate) fn share() -> usize {
    let (memory, own) = (read("/proc/meminfo"), read("/proc/self/cgroup"));
    let limits = limit_files(&own).into_iter().filter_map(|file| bytes(&read(&file)));
    let least = limits.chain(total(&memory)).min();
    least.map_or(UNKNOWN, |bytes| bytes / 4)
}

/// Empty for a file that does not exist.
fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// The memory of the machine, from `/proc/meminfo`.
fn total(memory: &str) -> Option<usize> {
    let line = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    bytes(line.trim().trim_end_matches(" kB")).map(|kilobytes| kilobytes.saturating_mul(1024))
}

/// The files with the limits of the control groups that the process is in, from
/// `/proc/self/cgroup`: those of both versions, each with the groups that it is part of.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, kinds, path) = (fields.next(), fields.next(), fields.next().unwrap_or_default());
        let (root, file) = match kinds {
            Some("") => ("/sys/fs/cgroup", "memory.max"),
            Some(kinds) if kinds.split(',').any(|kind| kind == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mut path = path.trim_end_matches('/');
        loop {
            files.push(format!("{root}{path}/{file}"));
            let Some((parent, _)) = path.rsplit_once('/') else { break };
            path = parent;
        }
    }
    files
}

/// A number; `None` for "max" and the like.
fn bytes(text: &str) -> Option<usize> {
    text.trim().parse().ok()
}

/// For systems that do not report their memory.
const UNKNOWN: usize = 1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::{bytes, limit_files, total};

    #[test]
    fn the_memory_of_the_machine_is_read() {
        assert_eq!(total("MemTotal:       16315532 kB\nMemFree: 1 kB\n"), Some(16_315_532 * 1024));
        assert_eq!(total(""), None);
    }

    #[test]
    fn the_limits_of_all_groups_that_the_process_is_in_count() {
        assert_eq!(
            limit_files("0::/pods/one\n"),
            [
                "/sys/fs/cgroup/pods/one/memory.max",
                "/sys/fs/cgroup/pods/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(
            limit_files("4:cpu,memory:/a\n3:cpuset:/a\n0::/\n"),
            [
                "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!((bytes("536870912\n"), bytes("max\n")), (Some(536_870_912), None));
    }
}
