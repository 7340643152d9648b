//! Checks that the specification, the code that cites it and the examples in it agree.

mod common;

use bowline_protocol::{
    Batch, CloseCode, Limits, Packet, Retry, SessionConfig, SseDecoder, VERSION,
};

use common::{Chapters, files, read, root};

#[test]
fn every_citation_in_the_code_names_a_chapter_and_a_heading() {
    let chapters = Chapters::read();
    let mut count = 0;
    for folder in ["src", "../server/src", "../client/src", "../client-wasm/src"] {
        for file in files(&root().join(folder), "rs") {
            for (line, citation) in citations(&read(&file)) {
                let place = format!("{}:{line}: {citation:?}", file.display());
                check_citation(&chapters, &citation, &place);
                count += 1;
            }
        }
    }
    assert!(count > 10, "only {count} citations were found");
}

#[test]
fn references_between_chapters_name_a_heading() {
    let chapters = Chapters::read();
    for (name, chapter) in chapters.iter() {
        let text = chapter.text.replace('\n', " ");
        for (at, _) in text.match_indices(", \"") {
            let target = text[..at].rsplit([' ', '(']).next().unwrap_or_default();
            let heading = text[at + 3..].split('"').next().unwrap_or_default();
            if !target.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            let cited = chapters.get(target).unwrap_or_else(|| panic!("{name} cites {target}"));
            assert!(cited.has_heading(heading), "{name} cites {target}, {heading:?}");
        }
    }
}

#[test]
fn the_table_of_close_codes_is_the_one_in_the_code() {
    let chapters = Chapters::read();
    let chapter = &chapters.get("07-close-codes").expect("the chapter exists").text;
    let rows: Vec<&str> = chapter.lines().filter(|line| line.starts_with("| 1000 |")).collect();
    assert_eq!(rows.len(), 1, "the table begins once");
    let written: Vec<&str> = chapter
        .lines()
        .skip_while(|line| !line.starts_with("| 1000 |"))
        .take_while(|line| line.starts_with("| 1") || line.starts_with("| 4"))
        .filter(|line| !line.starts_with("| 4500–"))
        .collect();
    let expected: Vec<String> = CloseCode::ALL.iter().copied().map(table_row).collect();
    assert_eq!(written, expected, "the table should read:\n{}", expected.join("\n"));
}

#[test]
fn codes_outside_the_registry_are_as_the_chapter_says() {
    for code in [4500, 4999] {
        let code = CloseCode::application(code).expect("in the range of applications");
        assert_eq!((code.retry(), code.http_status()), (Retry::Stop, 403));
    }
    for code in [1006, 3000, 4400, 4499] {
        let code = CloseCode::from_wire(code).expect("valid on the wire");
        assert_eq!((code.name(), code.retry(), code.http_status()), (None, Retry::Attach, 500));
    }
}

#[test]
fn the_numbers_of_the_limits_are_those_of_the_code() {
    let (limits, server, client) =
        (Limits::default(), SessionConfig::server(), SessionConfig::client());
    let size = |bytes: usize| match bytes {
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    };
    let rows = [
        format!("| {} | `packet` | `Limits::packet` |", size(limits.packet)),
        format!("| {} | `batch` | `Limits::batch` |", size(limits.batch)),
        format!("| {VERSION} | `VERSION` |"),
        format!("| 1 to {} | `Limits::NAME` |", Limits::NAME),
        format!("| {} | `Limits::FIRST_LINE` |", size(Limits::FIRST_LINE)),
        format!("| {} s | `heartbeat` | `SessionConfig::heartbeat` |", server.heartbeat.as_secs()),
        format!("| {} s | `grace` | `SessionConfig::grace` |", server.grace.as_secs()),
        format!("| {} s | `window` | `SessionConfig::window` |", server.window.as_secs()),
        format!("| {} | `SessionConfig::outbox_limit` | SLOW", size(server.outbox_limit)),
        format!("| {} | `SessionConfig::outbox_limit` | the app", size(client.outbox_limit)),
    ];
    let chapters = Chapters::read();
    let text = &chapters.get("08-limits").expect("the chapter exists").text;
    for row in rows {
        assert!(text.contains(&row), "08-limits has no {row}");
    }
}

#[test]
fn the_index_lists_every_chapter() {
    let index = read(&root().join("spec/README.md"));
    for (name, _) in Chapters::read().iter().filter(|(name, _)| *name != "README") {
        assert!(index.contains(&format!("[{name}]({name}.md)")), "{name} is not in the index");
    }
}

#[test]
fn every_example_follows_the_grammar() {
    for (name, chapter) in Chapters::read().iter() {
        for (line, block) in chapter.blocks("bowline") {
            check_batch(&block, &format!("{name}:{line}"));
        }
        for (line, block) in chapter.blocks("http") {
            check_http(&block, &format!("{name}:{line}"));
        }
    }
}

/// The citations after `Spec:` in comments, each joined to one line, with its line number.
fn citations(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = source.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some((_, begin)) = comment(line).and_then(|text| text.split_once("Spec: ")) else {
            continue;
        };
        let mut citation = begin.to_owned();
        while !citation.contains('.') {
            let Some(more) = lines.next().and_then(|(_, line)| comment(line)) else { break };
            citation.push(' ');
            citation.push_str(more);
        }
        let end = citation.find('.').unwrap_or(citation.len());
        citation.truncate(end);
        found.push((at + 1, citation));
    }
    found
}

fn comment(line: &str) -> Option<&str> {
    Some(line.trim_start().strip_prefix("//")?.trim_start_matches(['/', '!']).trim())
}

/// `chapter, "Heading" and "Heading"; chapter; RFC 6455`
fn check_citation(chapters: &Chapters, citation: &str, place: &str) {
    for part in citation.split(';').filter(|part| !part.trim().starts_with("RFC ")) {
        let (name, headings) = part.trim().split_once(", ").unwrap_or_else(|| (part.trim(), ""));
        let chapter = chapters.get(name).unwrap_or_else(|| panic!("{place}: no chapter {name:?}"));
        let mut quoted = headings.split('"');
        while let Some(between) = quoted.next() {
            assert!(["", " and ", ", "].contains(&between), "{place}: {between:?}");
            let Some(heading) = quoted.next() else { break };
            assert!(chapter.has_heading(heading), "{place}: no heading {heading:?} in {name}");
        }
    }
}

fn table_row(code: CloseCode) -> String {
    let name = code.name().expect("a code of the registry has a name");
    let (class, status) = (code.retry(), code.http_status());
    format!("| {} | {name} | {class:?} | {status} | {} |", code.get(), code.meaning())
}

fn check_batch(text: &str, place: &str) -> Vec<Packet> {
    let body = text.to_owned().into();
    let mut batch = Batch::new(body, &Limits::default()).expect("a small text");
    let mut packets = Vec::new();
    while let Some(packet) = batch.next_packet() {
        packets.push(packet.unwrap_or_else(|error| panic!("{place}: {error}: {text}")));
    }
    assert!(!packets.is_empty(), "{place}: an example without packets");
    packets
}

fn check_http(message: &str, place: &str) {
    let (head, body) = message.split_once("\n\n").unwrap_or((message, ""));
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    if let Some(length) = length {
        assert_eq!(length, body.len().to_string(), "{place}: the length of the body");
        check_batch(body, place);
    } else if head.contains("text/event-stream\n") && head.starts_with("HTTP") {
        check_stream(body, place);
    } else {
        assert_eq!(body, "", "{place}: a body without a length");
    }
}

/// Each event is a batch, and its `id` is the number of the last tracked packet up to it.
fn check_stream(body: &str, place: &str) {
    let mut decoder = SseDecoder::new(&Limits::default());
    decoder.push(body.as_bytes());
    decoder.push(b"\n\n");
    let mut number = 0;
    while let Some(event) = decoder.next_event().expect("an event") {
        number += check_batch(&event.data, place).iter().filter(|it| it.is_tracked()).count();
        assert_eq!(event.id, number.to_string(), "{place}");
    }
    assert!(number > 0, "{place}: a stream without tracked packets");
}
