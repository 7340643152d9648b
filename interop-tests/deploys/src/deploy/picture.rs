//! How soon clients are back, as a drawing: a line for each library.

use std::fmt::Write as _;

use super::Row;
use bowline_load::svg;

/// The share of clients that have received a message, over the time since the new process listens.
pub(super) fn draw<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let rows: Vec<&Row> = rows.filter(|row| !row.waits.is_empty()).collect();
    let waits = rows.iter().flat_map(|row| &row.waits);
    let longest = waits.filter(|wait| **wait < u32::MAX).max().copied().unwrap_or_default();
    let end = longest.next_multiple_of(STEP).max(STEP);
    let mut body = axes(end);
    for (at, row) in rows.iter().enumerate() {
        let (path, y) = (line(&row.waits, end), BOTTOM - 14.0 - 20.0 * (rows.len() - at) as f64);
        let _ = writeln!(body, r#"<path d="{path}" class="l l{at}"/>"#);
        let _ = writeln!(
            body,
            r#"<path d="M{LEGEND} {y}h24" class="l l{at}"/><text x="{}" y="{}" class="s">{}</text>"#,
            LEGEND + 32.0,
            y + 4.0,
            row.peer
        );
    }
    svg(RIGHT + 36.0, BOTTOM + 36.0, &format!("<style>{STYLE}</style>\n{body}"))
}

/// A grid with a line for each half second and each quarter of the clients.
fn axes(end: u32) -> String {
    let mut axes = format!("{TITLE}\n");
    for percent in [0, 25, 50, 75, 100] {
        let y = y(f64::from(percent) / 100.0);
        let (text_x, text_y) = (LEFT - 8.0, y + 4.0);
        let _ = writeln!(
            axes,
            r#"<path d="M{LEFT} {y}H{RIGHT}" class="g"/><text x="{text_x}" y="{text_y}" class="n">{percent} %</text>"#
        );
    }
    for time in (0..=end).step_by(STEP as usize) {
        let (x, text_y, seconds) = (x(time, end), BOTTOM + 18.0, f64::from(time) / 1000.0);
        let _ = writeln!(
            axes,
            r#"<path d="M{x:.1} {TOP}V{BOTTOM}" class="g"/><text x="{x:.1}" y="{text_y}" class="m">{seconds} s</text>"#
        );
    }
    axes
}

/// Goes up by one client whenever one is back. `waits` are in order; who never came back leaves the
/// line below the top.
fn line(waits: &[u32], end: u32) -> String {
    let mut path = format!("M{LEFT} {BOTTOM}");
    let back = waits.iter().take_while(|wait| **wait < u32::MAX).count();
    for client in 1..=back {
        let wait = waits[client - 1];
        // Clients that came in the same millisecond are one step.
        if client == back || waits[client] > wait {
            let share = client as f64 / waits.len() as f64;
            let _ = write!(path, "H{:.1}V{:.1}", x(wait, end), y(share));
        }
    }
    let _ = write!(path, "H{RIGHT}");
    path
}

fn x(time: u32, end: u32) -> f64 {
    LEFT + f64::from(time) / f64::from(end) * (RIGHT - LEFT)
}

fn y(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP)
}

const TITLE: &str = r#"<text x="0" y="12" class="t">Clients that are back after a deploy<tspan class="u"> by the time since the new process listens</tspan></text>"#;
const STYLE: &str = ".g{stroke:#d1d9e0;stroke-width:1}.m{text-anchor:middle;fill:#59636e}.s{fill:#1f2328}\
.l{fill:none;stroke-width:2}.l0{stroke:#0b7285;stroke-width:3}.l1{stroke:#e8590c}.l2{stroke:#e8590c;stroke-dasharray:5 4}\
.l3{stroke:#868e96}\
@media(prefers-color-scheme:dark){.g{stroke:#3d444d}.m{fill:#9198a1}.s{fill:#e6edf3}.l0{stroke:#3bc9db}}";
/// Milliseconds between two lines of the grid.
const STEP: u32 = 500;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 684.0;
const TOP: f64 = 32.0;
const BOTTOM: f64 = 292.0;
/// Where the names begin: low and to the right, where no line is.
const LEGEND: f64 = 470.0;

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_goes_up_with_each_client_and_stays_below_the_top_for_who_never_came() {
        assert_eq!(line(&[500, 500, 1000, 1000], 1000), "M52 292H368.0V162.0H684.0V32.0H684");
        assert_eq!(line(&[500, u32::MAX], 1000), "M52 292H368.0V162.0H684");
    }
}
