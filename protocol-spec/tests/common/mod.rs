//! Reads the specification and its vectors, for the tests that check both.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod outputs;
pub(crate) mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The folder of this crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the folder `vectors`.
pub(crate) fn read_json<T: DeserializeOwned>(file: impl AsRef<Path>) -> T {
    let path = root().join("vectors").join(file);
    let text = read(&path);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The JSON files of a folder in `vectors`, in order.
pub(crate) fn vector_files(folder: &str) -> Vec<PathBuf> {
    files(&root().join("vectors").join(folder), "json")
}

/// The files with this extension below a folder, in order. None when there is no such folder.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("the folder can be listed").path()) {
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|this| this == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A text file.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Bytes from pairs of hexadecimal digits.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16);
    (0..text.len()).step_by(2).map(|at| digits(at).expect("hexadecimal digits")).collect()
}

/// Bytes as pairs of lower case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The chapters of the specification: by name, the text and the headings of each.
pub(crate) struct Chapters(BTreeMap<String, Chapter>);

/// One chapter.
pub(crate) struct Chapter {
    /// The whole text.
    pub(crate) text: String,
    headings: BTreeSet<String>,
}

impl Chapters {
    /// Reads the folder `spec`.
    pub(crate) fn read() -> Self {
        let chapters = files(&root().join("spec"), "md").into_iter().map(|path| {
            let text = read(&path);
            let headings = headings(&text).map(str::to_owned).collect();
            let name = path.file_stem().expect("a file has a name").to_string_lossy();
            (name.into_owned(), Chapter { text, headings })
        });
        Self(chapters.collect())
    }

    /// The chapter of this name, such as `04-packets`.
    pub(crate) fn get(&self, name: &str) -> Option<&Chapter> {
        self.0.get(name)
    }

    /// All chapters with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Chapter)> {
        self.0.iter().map(|(name, chapter)| (name.as_str(), chapter))
    }

    /// True if `chapter#anchor` refers to a heading.
    pub(crate) fn has_anchor(&self, link: &str) -> bool {
        link.split_once('#').is_some_and(|(chapter, anchor)| {
            let chapter = self.get(chapter);
            chapter.is_some_and(|chapter| chapter.headings.iter().any(|text| slug(text) == anchor))
        })
    }
}

impl Chapter {
    /// True if the chapter has exactly this heading.
    pub(crate) fn has_heading(&self, heading: &str) -> bool {
        self.headings.contains(heading)
    }

    /// The blocks of code in this language, with the line each begins at.
    pub(crate) fn blocks(&self, language: &str) -> Vec<(usize, String)> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let Some(found) = line.strip_prefix("```") else { continue };
            let body: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            if found == language {
                blocks.push((at + 1, body.join("\n")));
            }
        }
        blocks
    }
}

fn headings(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")))
}

/// The anchor that common Markdown readers give to a heading.
fn slug(heading: &str) -> String {
    let letters = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    letters.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}
