//! Whether the figures are what they must be.

use std::fmt::Write as _;

use serde_json::Value;

use crate::check::{Beside, Check};
use crate::peers::PEERS;
use crate::report::{median, scenarios};
use crate::scenario::Scenario;

/// What was required of the scenarios that were measured, and what came out.
#[derive(Debug)]
pub struct Verdict {
    /// A line for each requirement, as Markdown.
    pub table: String,
    /// How many were missed, or could not be judged because what they are compared with was not
    /// measured.
    pub missed: usize,
}

impl Verdict {
    /// Judges all rounds together: the median of their quotients counts.
    #[must_use]
    pub fn of(results: &[Value]) -> Self {
        let mut table = String::from("| must hold | measured | at most | |\n|---|--:|--:|---|\n");
        let mut missed = 0;
        for scenario in scenarios(results) {
            for check in scenario.checks {
                let found = check.find(results, scenario);
                let holds = found.is_some_and(|found| found <= check.at_most);
                missed += usize::from(!holds);
                let word = if holds { "holds" } else { "**missed**" };
                let found = found.map_or_else(|| "–".to_owned(), shown);
                let (title, what, at_most) = (scenario.title, check.title, shown(check.at_most));
                let _ = writeln!(table, "| {title}: {what} | {found} | {at_most} | {word} |");
            }
        }
        Self { table, missed }
    }
}

impl Check {
    fn find(&self, results: &[Value], scenario: &Scenario) -> Option<f64> {
        let figure = |round: &Value, scenario: &str, peer: &str| {
            let same = |result: &&Value| {
                result["round"] == *round
                    && result["scenario"] == scenario
                    && result["peer"] == peer
            };
            results.iter().find(same)?[self.figure].as_f64()
        };
        let ours = results.iter().filter(|result| {
            result["scenario"] == scenario.name && result["peer"] == PEERS[0].name
        });
        let quotient = |own: &Value| {
            let beside = match self.beside {
                Beside::Nothing => Some(1.0),
                Beside::Peer(peer) => figure(&own["round"], scenario.name, peer),
                Beside::Scenario(name) => figure(&own["round"], name, PEERS[0].name),
            };
            Some(own[self.figure].as_f64()? * self.scale / beside?)
        };
        median(ours.filter_map(quotient))
    }
}

fn shown(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Verdict;

    fn run(round: u32, peer: &str, cpu: f64) -> Value {
        json!({ "scenario": "echo", "peer": peer, "round": round, "cpu": cpu })
    }

    #[test]
    fn what_was_measured_in_one_round_is_compared_and_the_median_counts() {
        let mut results = vec![run(1, "bowline", 0.4), run(1, "socketioxide", 1.0)];
        results.extend([run(2, "bowline", 4.0), run(2, "socketioxide", 10.0)]);
        results.extend([run(3, "bowline", 9.0), run(3, "socketioxide", 10.0)]);
        let verdict = Verdict::of(&results);
        assert_eq!(verdict.missed, 0, "{}", verdict.table);
        assert!(verdict.table.contains("| 0.40 | 0.50 | holds |"), "{}", verdict.table);
        results.extend([run(4, "bowline", 9.0), run(4, "socketioxide", 10.0)]);
        results.extend([run(5, "bowline", 9.0), run(5, "socketioxide", 10.0)]);
        assert_eq!(Verdict::of(&results).missed, 1);
    }

    #[test]
    fn what_nothing_was_measured_beside_has_not_been_shown() {
        assert_eq!(Verdict::of(&[run(1, "bowline", 0.1)]).missed, 1);
    }
}
