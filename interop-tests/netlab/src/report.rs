//! The table, as people read it.

use std::fmt::Write as _;

use crate::outcome::Outcome;
use crate::row::Row;

/// The rows of a run as a table, the broken promises, and what was left out.
#[must_use]
pub fn table(outcome: &Outcome) -> String {
    let mut text = String::new();
    let lines: Vec<[String; COLUMNS]> =
        std::iter::once(HEAD.map(str::to_owned)).chain(outcome.rows.iter().map(cells)).collect();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
    });
    let mut scenario = String::new();
    for mut line in lines {
        if line[0] == scenario {
            line[0].clear();
        } else {
            scenario.clone_from(&line[0]);
        }
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let _ = match column < WORDS {
                true => write!(text, "{cell:<width$}  "),
                false => write!(text, "{cell:>width$}  "),
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    notes(outcome, &mut text);
    text
}

fn notes(outcome: &Outcome, text: &mut String) {
    let broken = |row: &&Row| !row.broken.is_empty();
    for row in outcome.rows.iter().filter(broken) {
        let _ =
            write!(text, "\nBROKEN: {}, {}: {}", row.scenario, row.client, row.broken.join("; "));
    }
    for row in outcome.rows.iter().filter(|row| row.untouched) {
        let _ =
            write!(text, "\nUNTOUCHED: {}, {}: the fault did not strike", row.scenario, row.client);
    }
    for (words, all) in [("LEFT OUT", &outcome.left_out), ("FAILED", &outcome.failed)] {
        for (what, why) in all {
            let _ = write!(text, "\n{words}: {what}: {why}");
        }
    }
    let ours = outcome.rows.iter().filter(|row| row.client.starts_with("bowline"));
    let good = ours.clone().filter(|row| row.broken.is_empty()).count();
    let _ = writeln!(
        text,
        "\n{good} of {} rows of Bowline kept every promise; {} left out. Times are in \
            milliseconds.",
        ours.count(),
        outcome.left_out.len()
    );
}

fn cells(row: &Row) -> [String; COLUMNS] {
    let millis = |time: Option<u64>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    [
        row.scenario.clone(),
        row.client.clone(),
        path(&row.transports, &row.transport),
        millis(row.first),
        millis(row.settled),
        millis(row.noticed),
        millis(row.recover),
        row.later.map_or_else(|| "-".to_owned(), |later| format!("{later} in {} s", row.watched)),
        row.sent.to_string(),
        row.lost.to_string(),
        row.duplicated.to_string(),
        row.reordered.to_string(),
        row.refused.to_string(),
    ]
}

/// The last transport, and how many there were before it.
fn path(all: &[String], last: &str) -> String {
    match all.len() {
        0 | 1 => last.to_owned(),
        many => format!("{last} ({many} connections)"),
    }
}

const COLUMNS: usize = 13;

/// Columns that are aligned to the left.
const WORDS: usize = 3;

const HEAD: [&str; COLUMNS] = [
    "scenario",
    "client",
    "transport",
    "first",
    "settled",
    "noticed",
    "recover",
    "later",
    "sent",
    "lost",
    "dupl.",
    "reord.",
    "refused",
];
