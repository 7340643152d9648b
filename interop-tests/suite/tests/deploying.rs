//! The snippets of docs/deploying.md are those that `cargo xtask networks` and the tests run.

use std::fs;
use std::path::Path;

#[test]
fn every_snippet_is_part_of_a_configuration_that_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let page = fs::read_to_string(root.join("docs/deploying.md")).unwrap();
    let mut snippets = 0;
    for part in page.split("<!-- ").skip(1) {
        let (file, rest) = part.split_once(" -->").unwrap();
        let snippet = rest.split("```").nth(1).expect("a snippet follows");
        let config = fs::read_to_string(root.join(file)).expect(file);
        let config = config.replace("@SERVER@", "8080").replace("@OTHER@", "8081");
        let mut lines = config.lines().map(str::trim);
        for line in snippet.lines().skip(1).map(str::trim).filter(|line| is_compared(line)) {
            assert!(
                lines.any(|known| known == line),
                "{file} does not have {line:?} in this place"
            );
        }
        snippets += 1;
    }
    assert_eq!(snippets, 9);
}

/// Host names and comments are the page's own.
fn is_compared(line: &str) -> bool {
    !(line.is_empty() || line.starts_with('#') || line.contains("example.com"))
}
