//! Runs the vectors of namespaces: which texts are their names, and which messages are theirs.
//!
//! `vectors/README.md` describes the format.
#![cfg(feature = "serde")]

mod common;

use bowline_protocol::{is_namespace, split_namespace};
use serde::Deserialize;

use common::{Chapters, read_json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    spec: String,
    text: Option<String>,
    is: Option<bool>,
    message: Option<String>,
    namespace: Option<String>,
    rest: Option<String>,
}

#[test]
fn names_and_their_messages_are_those_of_the_vectors() {
    let vectors = read_json::<Vec<Vector>>("namespaces.json");
    let chapters = Chapters::read();
    assert!(!vectors.is_empty());
    for Vector { name, spec, text, is, message, namespace, rest } in vectors {
        assert!(chapters.has_anchor(&spec), "{name}: {spec}");
        match (text, is, message) {
            (Some(text), Some(is), None) => assert_eq!(is_namespace(&text), is, "{name}"),
            (None, None, Some(message)) => {
                let expected = namespace.as_deref().zip(rest.as_deref());
                assert_eq!(split_namespace(&message), expected, "{name}");
            }
            _ => panic!("{name}: either a text, or a message"),
        }
    }
}
