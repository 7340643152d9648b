//! Checks that a text is compact JSON, and writes a text as a JSON string. This crate does not
//! interpret JSON.
//!
//! Spec: 04-packets, "JSON"; RFC 8259.

/// Writes a text as a JSON string.
pub(crate) fn string(words: &str) -> String {
    let mut text = String::with_capacity(words.len() + 2);
    text.push('"');
    for character in words.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '\0'..='\x1f' => {
                let digit = |value: u32| char::from_digit(value, 16).unwrap_or('0');
                let code = u32::from(character);
                text.extend(['\\', 'u', '0', '0', digit(code / 16), digit(code % 16)]);
            }
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}

/// True if the text is one JSON value, without white space between its tokens.
pub(crate) fn is_compact(text: &str) -> bool {
    value(text.as_bytes(), DEEPEST).is_some_and(<[u8]>::is_empty)
}

/// The text after the value at its beginning.
fn value(text: &[u8], depth: usize) -> Option<&[u8]> {
    let depth = depth.checked_sub(1)?;
    match text.first()? {
        b'"' => quoted(text),
        b'[' => members(&text[1..], b']', |text| value(text, depth)),
        b'{' => members(&text[1..], b'}', |text| value(quoted(text)?.strip_prefix(b":")?, depth)),
        b't' => text.strip_prefix(b"true"),
        b'f' => text.strip_prefix(b"false"),
        b'n' => text.strip_prefix(b"null"),
        _ => number(text),
    }
}

fn members<'a>(
    mut text: &'a [u8],
    end: u8,
    member: impl Fn(&'a [u8]) -> Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    if *text.first()? == end {
        return Some(&text[1..]);
    }
    loop {
        text = member(text)?;
        match *text.first()? {
            b',' => text = &text[1..],
            next if next == end => return Some(&text[1..]),
            _ => return None,
        }
    }
}

fn quoted(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        let (&first, after) = rest.split_first()?;
        rest = match first {
            b'"' => return Some(after),
            b'\\' => escaped(after)?,
            0..0x20 => return None,
            _ => after,
        };
    }
}

fn escaped(text: &[u8]) -> Option<&[u8]> {
    let (&kind, after) = text.split_first()?;
    match kind {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(after),
        b'u' => after.get(..4)?.iter().all(u8::is_ascii_hexdigit).then(|| &after[4..]),
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let mut rest = match text.strip_prefix(b"0") {
        Some(rest) => rest,
        None => digits(text)?,
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = digits(fraction)?;
    }
    match rest {
        [b'e' | b'E', b'+' | b'-', power @ ..] | [b'e' | b'E', power @ ..] => digits(power),
        _ => Some(rest),
    }
}

/// The text after one or more digits.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| &text[count..])
}

/// How deep values may be nested.
const DEEPEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::{is_compact, string};

    #[test]
    fn words_become_one_string_on_one_line_whatever_they_are() {
        assert_eq!(string("it's \u{fc}"), "\"it's \u{fc}\"");
        assert_eq!(string("a\n\"b\"\\\0\u{1f}"), "\"a\\u000a\\\"b\\\"\\\\\\u0000\\u001f\"");
        for words in ["", "\n", "\"", "\\", "\u{7f}\u{2028}", "x\ny"] {
            let text = string(words);
            assert!(is_compact(&text) && !text.contains('\n'), "{text}");
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), words);
        }
    }

    #[test]
    fn compact_json_is_told_from_everything_else_as_serde_does() {
        for text in [
            "1",
            "-0",
            "10.5e+3",
            "1E5",
            "0",
            "true",
            "false",
            "null",
            "\"\"",
            "\"\\u00fc\\n\"",
            "[]",
            "{}",
            "[1,[2,{}],\"a\"]",
            "{\"a\":{\"b\":[null]},\"c\":-1}",
        ] {
            assert!(is_compact(text), "{text}");
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
        for text in [
            "",
            " ",
            "1 ",
            " 1",
            "a",
            "you asked",
            "\"",
            "\"a",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "[1,]",
            "[,]",
            "[1",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "nul",
            "truefalse",
            "1 2",
            "[] []",
        ] {
            assert!(!is_compact(text), "{text}");
        }
        assert!(!is_compact(&"[".repeat(100_000)), "nor does it end the stack");
        assert!(is_compact(&("[".repeat(60) + &"]".repeat(60))));
    }
}
