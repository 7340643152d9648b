//! Runs the vectors of topics: which texts are topics and patterns, and which topics match.
//!
//! `vectors/README.md` describes the format.
#![cfg(feature = "serde")]

mod common;

use bowline_protocol::{is_pattern, is_topic, matches};
use serde::Deserialize;

use common::{Chapters, read_json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    spec: String,
    text: Option<String>,
    is: Option<Kind>,
    pattern: Option<String>,
    topic: Option<String>,
    matches: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Topic,
    Pattern,
    Neither,
}

#[test]
fn names_and_patterns_are_those_of_the_vectors() {
    let vectors = read_json::<Vec<Vector>>("topics.json");
    let chapters = Chapters::read();
    assert!(!vectors.is_empty());
    for Vector { name, spec, text, is, pattern, topic, matches: expected } in vectors {
        assert!(chapters.has_anchor(&spec), "{name}: {spec}");
        match (text, is, pattern, topic, expected) {
            (Some(text), Some(is), None, None, None) => assert_eq!(kind(&text), is, "{name}"),
            (None, None, Some(pattern), Some(topic), Some(expected)) => {
                assert!(is_pattern(&pattern) && is_topic(&topic), "{name}");
                assert_eq!(matches(&pattern, &topic), expected, "{name}");
            }
            _ => panic!("{name}: either a text, or a pattern and a topic"),
        }
    }
}

fn kind(text: &str) -> Kind {
    match (is_topic(text), is_pattern(text)) {
        (true, false) => Kind::Topic,
        (false, true) => Kind::Pattern,
        (false, false) => Kind::Neither,
        (true, true) => panic!("{text:?} is both"),
    }
}
