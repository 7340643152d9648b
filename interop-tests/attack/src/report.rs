//! What was measured, and whether it is within its bounds.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::check::Check;
use crate::innocent::Waits;
use crate::recovery::Recovery;
use crate::target::{Gauge, MIB};

/// One attack.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    name: &'static str,
    about: &'static str,
    /// Seconds of the attack.
    took: f64,
    /// MiB before, at most, and at the end.
    memory: [f64; 3],
    /// Descriptors before, at most, and at the end.
    descriptors: [usize; 3],
    /// Seconds for which descriptors and memory were held after the attack.
    held: [Option<f64>; 2],
    /// Milliseconds that the innocent client waited: median and 99th percentile.
    innocent: [f64; 2],
    checks: Vec<Check>,
}

/// All of them.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Of a short run.
    pub(crate) short: bool,
    /// The server was optimized.
    pub(crate) release: bool,
    pub(crate) rows: Vec<Row>,
}

/// What holds for every attack.
pub(crate) fn judge(
    peak_bound: f64,
    before: Gauge,
    peak: Gauge,
    recovery: &Recovery,
    waits: &Waits,
) -> Vec<Check> {
    let seconds = |time: Option<Duration>| time.map_or(f64::INFINITY, |time| time.as_secs_f64());
    let mut checks = vec![
        Check::below("most MiB beyond before", (peak.resident - before.resident) / MIB, peak_bound),
        Check::below("s until descriptors are back", seconds(recovery.descriptors), 30.0),
        Check::below("s until memory is within 20 MiB", seconds(recovery.memory), 60.0),
    ];
    // An ordinary build is some twenty times as slow.
    if !cfg!(debug_assertions) {
        let wait = waits.quantile(0.99).as_secs_f64() * 1e3;
        checks.push(Check::below("ms p99 of the innocent", wait, 10.0));
    }
    checks
}

impl Row {
    pub(crate) fn new(
        name: &'static str,
        about: &'static str,
        took: Duration,
        (before, peak, recovery): (Gauge, Gauge, &Recovery),
        waits: &Waits,
        checks: Vec<Check>,
    ) -> Self {
        let gauges = [before, peak, recovery.last];
        let ms = |share| waits.quantile(share).as_secs_f64() * 1e3;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        Self {
            name,
            about,
            took: took.as_secs_f64(),
            memory: gauges.map(|gauge| gauge.resident / MIB),
            descriptors: gauges.map(|gauge| gauge.descriptors),
            held: [seconds(recovery.descriptors), seconds(recovery.memory)],
            innocent: [ms(0.5), ms(0.99)],
            checks,
        }
    }

    /// True if everything is within its bounds.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|check| check.passes)
    }

    /// A line, and one more for each bound that is passed.
    #[must_use]
    pub fn line(&self) -> String {
        let verdict = if self.passes() { "ok  " } else { "FAIL" };
        let mut text =
            format!("{verdict} {} ({:.1} s): {}", self.name, self.took, self.figures().join(", "));
        for check in self.checks.iter().filter(|check| !check.passes) {
            let _ = write!(
                text,
                "\n       {}: {:.1}, bound {:.1}",
                check.what, check.measured, check.bound
            );
        }
        text
    }

    fn figures(&self) -> [String; 4] {
        let [before, most, after] = self.memory;
        let [few, many, left] = self.descriptors;
        let held = |time: Option<f64>| {
            time.map_or_else(|| "> 30 s".to_owned(), |time| format!("{time:.1} s"))
        };
        let [median, tail] = self.innocent;
        [
            format!("{before:.0} / {most:.0} / {after:.0} MiB"),
            format!("{few} / {many} / {left} fds"),
            format!("held {}", held(self.held[0])),
            format!("p50 {median:.2} ms, p99 {tail:.2} ms"),
        ]
    }
}

impl Report {
    /// True if every row passes.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.rows.iter().all(Row::passes)
    }

    /// A table of Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| Attack | Memory before, most, after (MiB) | Descriptors | Held after it | The \
                innocent's p50, p99 (ms) | What else has a bound |\n|---|--:|--:|--:|--:|---|\n",
        );
        for row in &self.rows {
            let [before, most, after] = row.memory;
            let [few, many, left] = row.descriptors;
            let held =
                row.held[0].map_or_else(|| "> 30 s".to_owned(), |time| format!("{time:.1} s"));
            let [median, tail] = row.innocent;
            let common = if self.release { 4 } else { 3 };
            let more: Vec<_> = row.checks.iter().skip(common).map(shown).collect();
            let failed = if row.passes() { "" } else { " **beyond a bound**" };
            let _ = writeln!(
                text,
                "| {}: {}{failed} | {before:.0}, {most:.0}, {after:.0} | {few}, {many}, {left} | \
                    {held} | {median:.2}, {tail:.2} | {} |",
                row.name,
                row.about,
                more.join("; "),
            );
        }
        text
    }
}

fn shown(check: &Check) -> String {
    let digits = if check.bound.fract() == 0.0 { 0 } else { 2 };
    format!("{}: {:.digits$} of {:.digits$}", check.what, check.measured, check.bound)
}
