//! What a parser makes of bytes, wherever they are cut.

use bytes::Bytes;

/// Parts, each with a letter for its kind.
pub(crate) type Pieces = Vec<(char, String)>;

/// Feeds a parser so many bytes at a time, and joins parts of one kind that follow each other.
pub(crate) fn read(
    input: &[u8],
    step: usize,
    mut feed: impl FnMut(&[u8]) -> Vec<(char, Bytes)>,
) -> Pieces {
    let mut pieces = Pieces::new();
    for (kind, bytes) in input.chunks(step).flat_map(&mut feed) {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        match pieces.last_mut() {
            Some((last, so_far)) if *last == kind => so_far.push_str(&text),
            _ => pieces.push((kind, text)),
        }
    }
    pieces
}

/// Has the parser find these parts in the bytes of all of them.
pub(crate) fn are_found(parts: &[(char, &str)], read: impl Fn(&[u8], usize) -> Pieces) {
    let input: String = parts.iter().map(|(_, text)| *text).collect();
    let expected: Pieces = parts.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect();
    for step in 1..=input.len() {
        assert_eq!(read(input.as_bytes(), step), expected, "in pieces of {step}");
    }
}
