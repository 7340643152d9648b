//! What came out, and whether it is what was promised.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::layout::{Layout, Sample};
use super::{BURSTS, MEMBERS, Turn};
use bowline_load::median;

/// The figures of all rounds.
#[derive(Debug)]
pub struct Figures {
    turns: Vec<Turn>,
    round_trips: Value,
}

impl Figures {
    pub(super) const fn new(turns: Vec<Turn>, round_trips: Value) -> Self {
        Self { turns, round_trips }
    }

    /// One object.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut all = Map::new();
        all.insert("members".into(), json!(MEMBERS));
        all.insert("round_trip_us".into(), self.round_trips.clone());
        for in_flight in BURSTS.map(|burst| burst.broadcasts) {
            let (broadcasts, publishes, beats) = self.published(in_flight);
            let cpu = |layout| rounded(self.per_delivery(layout, in_flight));
            let batch = |layout| rounded(self.batch(layout, in_flight));
            let beyond = |layout| rounded(self.beyond(layout, in_flight));
            let each = |figure: &dyn Fn(Layout) -> f64| {
                let [alone, half, publishing, receiving] = Layout::ALL.map(figure);
                json!({
                    "alone_1000": alone,
                    "alone_500": half,
                    "publishing_500": publishing,
                    "receiving_500": receiving,
                })
            };
            let figures = json!({
                "broadcasts_over_two_nodes": broadcasts,
                "publishes_per_broadcast": publishes as f64 / broadcasts as f64,
                "heartbeats_beside": beats,
                "cpu_us_per_delivery": each(&cpu),
                "messages_per_read": each(&batch),
                "us_per_broadcast_beyond_alone_500": {
                    "publishing": beyond(Layout::Publishing),
                    "receiving": beyond(Layout::Receiving),
                },
            });
            all.insert(format!("in_flight_{in_flight}"), figures);
        }
        Value::Object(all)
    }

    /// The comparison, some lines for each number in flight.
    #[must_use]
    pub fn comparison(&self) -> String {
        let mut text = String::new();
        for in_flight in BURSTS.map(|burst| burst.broadcasts) {
            let (broadcasts, publishes, _) = self.published(in_flight);
            let cpu = |layout| self.per_delivery(layout, in_flight);
            let _ = writeln!(
                text,
                "{in_flight} in flight: {publishes} publishes for {broadcasts} broadcasts over \
                    two nodes; CPU a \
                 delivery alone {:.2} µs (1,000 members), {:.2} µs (500)",
                cpu(Layout::Alone),
                cpu(Layout::HalfAlone),
            );
            for (layout, name) in
                [(Layout::Publishing, "publishing"), (Layout::Receiving, "receiving")]
            {
                let beside = (cpu(layout) / cpu(Layout::HalfAlone) - 1.0) * 100.0;
                let _ = writeln!(
                    text,
                    "  {name} node, 500 members: {:.2} µs, {beside:+.1} % beside alone with 500; \
                        {:+.0} µs a broadcast",
                    cpu(layout),
                    self.beyond(layout, in_flight),
                );
            }
        }
        text
    }

    /// What was promised and not kept.
    #[must_use]
    pub fn broken_promises(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for in_flight in BURSTS.map(|burst| burst.broadcasts) {
            for sample in self.of_two(in_flight) {
                let Sample { broadcasts, publishes, beats, seconds, .. } = sample;
                // Each node says once a second that it lives.
                let most = 2 * (*seconds as u64 + 2);
                if publishes != broadcasts || *beats > most {
                    broken.push(format!(
                        "a broadcast is published once: {broadcasts} with {in_flight} in flight \
                            were {publishes} \
                         publishes and {beats} to all nodes"
                    ));
                }
            }
        }
        broken
    }

    /// Broadcasts over two nodes, publishes of them, and heartbeats beside.
    fn published(&self, in_flight: u64) -> (u64, u64, u64) {
        self.of_two(in_flight).fold((0, 0, 0), |(broadcasts, publishes, beats), sample| {
            (broadcasts + sample.broadcasts, publishes + sample.publishes, beats + sample.beats)
        })
    }

    /// µs of CPU.
    fn per_delivery(&self, layout: Layout, in_flight: u64) -> f64 {
        let samples = self.of(layout, in_flight);
        middle(samples.map(|sample| sample.cpu / layout.each() as f64))
    }

    fn batch(&self, layout: Layout, in_flight: u64) -> f64 {
        middle(self.of(layout, in_flight).map(|sample| sample.batch))
    }

    /// What a broadcast costs the node beyond what it costs one that is alone with as many members,
    /// in µs. What was measured in one round is compared.
    fn beyond(&self, layout: Layout, in_flight: u64) -> f64 {
        let alone = self.of(Layout::HalfAlone, in_flight).map(|alone| alone.cpu);
        middle(self.of(layout, in_flight).zip(alone).map(|(sample, alone)| sample.cpu - alone))
    }

    fn of(&self, layout: Layout, in_flight: u64) -> impl Iterator<Item = &Sample> {
        let turns = self.turns.iter().filter(move |turn| turn.in_flight == in_flight);
        turns.flat_map(|turn| &turn.samples).filter(move |sample| sample.layout == layout)
    }

    fn of_two(&self, in_flight: u64) -> impl Iterator<Item = &Sample> {
        let two = [Layout::Publishing, Layout::Receiving];
        two.into_iter().flat_map(move |layout| self.of(layout, in_flight))
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    median(values).unwrap_or(f64::NAN)
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::Turn;
    use super::super::layout::{Layout, Sample};
    use super::Figures;

    fn figures(publishes: u64, beats: u64) -> Figures {
        let sample = |(layout, cpu): (Layout, f64)| Sample {
            layout,
            broadcasts: 50,
            cpu,
            batch: 1.0,
            publishes: if layout.has_two() { publishes } else { 0 },
            beats,
            seconds: 0.8,
        };
        let [alone, half, publishing, receiving] = Layout::ALL;
        let cpu = [(alone, 8_000.0), (half, 4_000.0), (publishing, 4_050.0), (receiving, 3_950.0)];
        let turn = || Turn { in_flight: 1, samples: cpu.map(sample).into() };
        Figures::new(vec![turn(), turn()], Value::Null)
    }

    #[test]
    fn a_node_is_compared_with_one_that_is_alone_with_as_many_members() {
        let figures = &figures(50, 2).json()["in_flight_1"];
        assert_eq!(figures["publishes_per_broadcast"], 1.0);
        assert_eq!(figures["heartbeats_beside"], 8);
        assert_eq!(figures["cpu_us_per_delivery"]["alone_500"], 8.0);
        assert_eq!(figures["cpu_us_per_delivery"]["publishing_500"], 8.1);
        assert_eq!(figures["us_per_broadcast_beyond_alone_500"]["publishing"], 50.0);
        assert_eq!(figures["us_per_broadcast_beyond_alone_500"]["receiving"], -50.0);
    }

    #[test]
    fn a_broadcast_that_is_published_twice_or_not_to_its_room_breaks_the_promise() {
        assert!(figures(50, 2).broken_promises().is_empty());
        assert_eq!(figures(51, 2).broken_promises().len(), 4);
        assert_eq!(figures(49, 2).broken_promises().len(), 4);
        assert_eq!(figures(50, 52).broken_promises().len(), 4);
    }
}
