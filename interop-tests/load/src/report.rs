//! Medians of what was measured, as a table and as a picture.

use std::fmt::Write as _;

use serde_json::Value;

use crate::peers::PEERS;
use crate::scenario::{SCENARIOS, Scenario};

/// The figures that are compared, as Markdown: a line for each scenario, a column for each peer.
#[must_use]
pub fn table(results: &[Value]) -> String {
    let peers: Vec<&str> = PEERS
        .iter()
        .map(|peer| peer.name)
        .filter(|peer| results.iter().any(|result| result["peer"] == **peer))
        .collect();
    let mut table = format!("| | {} |\n|---|{}\n", peers.join(" | "), "--:|".repeat(peers.len()));
    for scenario in scenarios(results) {
        let cells = peers.iter().map(|peer| {
            middle(results, scenario, peer, scenario.figure)
                .map_or_else(|| "–".to_owned(), |value| shown(value, scenario))
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(
            table,
            "| {}, {} | {} |",
            scenario.title,
            scenario.unit.replace("bytes", unit(scenario)),
            cells.join(" | ")
        );
    }
    table
}

/// The same as a drawing: for each scenario a group of bars, the shorter the better.
#[must_use]
pub fn plot(results: &[Value]) -> String {
    let mut body = String::new();
    let mut y = 16.0;
    for scenario in scenarios(results) {
        let bars: Vec<(&str, f64)> = PEERS
            .iter()
            .filter_map(|peer| {
                Some((peer.name, middle(results, scenario, peer.name, scenario.figure)?))
            })
            .collect();
        let longest = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let unit = scenario.unit.replace("bytes", unit(scenario));
        let _ = writeln!(
            body,
            r#"<text x="0" y="{y}" class="t">{}<tspan class="u"> {unit}</tspan></text>"#,
            scenario.title
        );
        y += 8.0;
        for (peer, value) in bars {
            let width = (value / longest * BAR).max(1.0);
            let class = if peer == PEERS[0].name { "own" } else { "peer" };
            let (text_y, value_x) = (y + 11.0, LABEL + width + 6.0);
            let _ = writeln!(
                body,
                r#"<text x="{}" y="{text_y}" class="n">{peer}</text><rect x="{LABEL}" y="{y}" width="{width:.1}" height="14" rx="2" class="{class}"/><text x="{value_x:.1}" y="{text_y}" class="v">{}</text>"#,
                LABEL - 8.0,
                shown(value, scenario)
            );
            y += 18.0;
        }
        y += 26.0;
    }
    svg(WIDTH, y - 8.0, &body)
}

/// A drawing of this size, with a margin to the left of and above 0.
///
/// The drawings are written by hand because their colours are classes of one style sheet, which
/// follows the reader's light or dark theme. plotters writes a fixed colour into every element.
#[must_use]
pub fn svg(width: f64, height: f64, body: &str) -> String {
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -8 {width} {height}" font-family="system-ui, sans-serif" font-size="12">
<style>{STYLE}</style>
<rect x="-12" y="-8" width="100%" height="100%" class="b"/>
{body}</svg>
"#
    )
}

/// The scenarios that were measured.
pub(crate) fn scenarios(results: &[Value]) -> impl Iterator<Item = &'static Scenario> {
    let measured =
        |scenario: &&Scenario| results.iter().any(|result| result["scenario"] == scenario.name);
    SCENARIOS.iter().filter(measured)
}

fn middle(results: &[Value], scenario: &Scenario, peer: &str, figure: &str) -> Option<f64> {
    let same = |result: &&Value| result["scenario"] == scenario.name && result["peer"] == peer;
    median(results.iter().filter(same).filter_map(|result| result[figure].as_f64()))
}

/// The value in the middle, the upper one of two.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Memory of all is shown in MiB, memory of one in bytes.
fn unit(scenario: &Scenario) -> &'static str {
    if scenario.figure == "resident" { "MiB" } else { "bytes" }
}

fn shown(value: f64, scenario: &Scenario) -> String {
    match scenario.figure {
        "resident" => format!("{:.0}", value / f64::from(1 << 20)),
        _ if value >= 100.0 => thousands(value),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

const STYLE: &str = ".b{fill:#fff}.t{font-weight:600;fill:#1f2328}.u{font-weight:400;fill:#59636e}.n{text-anchor:end;fill:#1f2328}\
.v{fill:#59636e}.own{fill:#0b7285}.peer{fill:#c9d1d9}\
@media(prefers-color-scheme:dark){.b{fill:#0d1117}.t,.n{fill:#e6edf3}.u,.v{fill:#9198a1}.own{fill:#3bc9db}.peer{fill:#3d444d}}";
const WIDTH: f64 = 720.0;
/// Where the bars begin.
const LABEL: f64 = 96.0;
/// How long the longest is.
const BAR: f64 = 520.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{plot, table};

    #[test]
    fn the_median_of_all_rounds_stands_in_the_table_and_in_the_picture() {
        let run = |peer, cpu| json!({ "scenario": "echo", "peer": peer, "cpu": cpu });
        let results =
            [run("bowline", 0.5), run("ws", 7.0), run("bowline", 12.0), run("bowline", 0.7)];
        let table = table(&results);
        assert!(table.contains("| bowline | ws |"), "{table}");
        assert!(table.contains("| 0.70 | 7.00 |"), "{table}");
        assert!(plot(&results).contains(">0.70</text>"));
    }
}
