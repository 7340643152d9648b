//! Links of Markdown pages: those to files of the project, which can be checked without a network.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Fails when a page of the project links to a file or heading that does not exist.
pub(super) fn check(root: &Path) -> Result<(), String> {
    let mut pages = Vec::new();
    find_pages(root, &mut pages)?;
    let mut broken = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).map_err(|error| format!("{page:?}: {error}"))?;
        let name = page.strip_prefix(root).expect("it was found below").display().to_string();
        let wrong = Links::of(&text).filter_map(|link| link.fault(root, &name));
        broken.extend(wrong.map(|fault| format!("\n{name}: {fault}")));
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.concat()) }
}

fn find_pages(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{folder:?}: {error}"))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !(name == "target" || name == "node_modules" || name.starts_with('.')) {
                find_pages(&path, pages)?;
            }
        } else if name.ends_with(".md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// The links of a page to files of the project, without those in code.
#[derive(Debug)]
pub(super) struct Links<'a> {
    text: &'a str,
    is_code: Vec<bool>,
    at: usize,
}

impl<'a> Links<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, is_code: code(text), at: 0 }
    }
}

impl<'a> Iterator for Links<'a> {
    type Item = Link<'a>;

    fn next(&mut self) -> Option<Link<'a>> {
        loop {
            let middle = self.at + self.text[self.at..].find("](")?;
            self.at = middle + 2;
            let end = self.at + self.text[self.at..].find(')')?;
            let target = &self.text[self.at..end];
            let is_external = target.contains(':') || target.starts_with('<');
            if !self.is_code[middle] && !is_external {
                let open = self.text[..middle].rfind('[').unwrap_or(middle);
                return Some(Link { target, words: open + 1..middle, end: end + 1 });
            }
        }
    }
}

/// One link.
#[derive(Debug)]
pub(super) struct Link<'a> {
    target: &'a str,
    words: Range<usize>,
    end: usize,
}

impl Link<'_> {
    /// The file, without the heading.
    pub(super) fn path(&self) -> &str {
        self.target.split('#').next().unwrap_or_default()
    }

    /// What is wrong with it, as a link of this page.
    fn fault(&self, root: &Path, page: &str) -> Option<String> {
        let path = match self.path() {
            "" => page.to_owned(),
            path => joined(page, path),
        };
        let file = root.join(&path);
        let (_, heading) = self.target.split_once('#').unwrap_or_default();
        let exists = match fs::read_to_string(&file) {
            Ok(text) if !heading.is_empty() => anchors(&text).iter().any(|known| known == heading),
            _ => file.exists(),
        };
        (!exists).then(|| format!("{} does not exist", self.target))
    }
}

/// The page with other targets. A link whose target is `None` becomes its words.
pub(super) fn retarget(text: &str, to: impl Fn(&str) -> Option<String>) -> String {
    let (mut page, mut at) = (String::new(), 0);
    for link in Links::of(text) {
        page.push_str(&text[at..link.words.start - 1]);
        let words = &text[link.words.clone()];
        match to(link.target) {
            Some(target) => page.extend(["[", words, "](", &target, ")"]),
            None => page.push_str(words),
        }
        at = link.end;
    }
    page + &text[at..]
}

/// A relative path of a page, from the root.
pub(super) fn joined(page: &str, path: &str) -> String {
    let mut steps: Vec<&str> = page.split('/').collect();
    steps.pop();
    for step in path.split('/') {
        match step {
            ".." => drop(steps.pop()),
            "." | "" => {}
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// For each byte of the page, whether it is part of code.
fn code(text: &str) -> Vec<bool> {
    let (mut is_code, mut in_block) = (Vec::with_capacity(text.len()), false);
    for line in text.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        let mut in_span = false;
        is_code.extend(line.bytes().map(|byte| {
            in_span ^= byte == b'`';
            in_block || is_fence || in_span
        }));
    }
    is_code
}

/// What links to the headings of a page are called.
fn anchors(text: &str) -> Vec<String> {
    let (is_code, mut at) = (code(text), 0);
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut anchors = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with('#') && !is_code[at] {
            let anchor = anchor(line.trim_start_matches('#').trim());
            let before = known.entry(anchor.clone()).or_default();
            anchors.push(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
            *before += 1;
        }
        at += line.len();
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<&str> {
        Links::of(text).map(|link| link.target).collect()
    }

    #[test]
    fn links_to_files_are_found_and_those_in_code_or_elsewhere_are_not() {
        let text = "[`a`](a.md) ![b](b.svg) `[c](c.md)` [d](https://d.example)
```
[e](e.md)
```
[f](#f)";
        assert_eq!(targets(text), ["a.md", "b.svg", "#f"]);
    }

    #[test]
    fn a_link_to_a_file_or_heading_that_does_not_exist_is_a_fault() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let fault = |text: &str| Links::of(text).next().unwrap().fault(root, "docs/page.md");
        assert_eq!(fault("[x](../README.md)"), None);
        assert_eq!(fault("[x](../CONTRIBUTING.md#how-to-run-the-checks)"), None);
        assert_eq!(fault("[x](nothing.md)").unwrap(), "nothing.md does not exist");
        let heading = "../CONTRIBUTING.md#nothing";
        assert_eq!(fault(&format!("[x]({heading})")).unwrap(), format!("{heading} does not exist"));
    }

    #[test]
    fn headings_become_anchors_as_repositories_show_them() {
        let text = "# A `b` c!\n```\n# no heading\n```\n## Same\n## Same\n";
        assert_eq!(anchors(text), ["a-b-c", "same", "same-1"]);
    }

    #[test]
    fn a_link_to_what_is_not_in_the_book_becomes_its_words() {
        let to = |target: &str| (target == "a.md").then(|| "docs/a.md".to_owned());
        assert_eq!(retarget("see [a](a.md), [b](b.rs).", to), "see [a](docs/a.md), b.");
    }

    #[test]
    fn paths_are_joined_as_browsers_join_them() {
        assert_eq!(
            joined("docs/SUMMARY.md", "../protocol-spec/spec/README.md"),
            "protocol-spec/spec/README.md"
        );
        assert_eq!(joined("README.md", "docs/errors.md"), "docs/errors.md");
    }
}
