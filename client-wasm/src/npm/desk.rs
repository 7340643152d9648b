//! The desk: the place where the engine and JavaScript leave values for each other.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "./desk.js")]
extern "C" {
    /// Leaves three numbers; their meaning depends on the output.
    pub(super) fn numbers(a: f64, b: f64, c: f64);

    #[wasm_bindgen(js_name = text)]
    fn utf8(text: &[u8]);

    /// Leaves a first line: its ids and its authentication. The numbers of its pairs are on the
    /// desk.
    pub(super) fn first(ids: &[u8], auth: &[u8]);

    /// Leaves the line of a packet that the session does not store; the number is -1 without one.
    pub(super) fn control(kind: u32, number: f64, text: &[u8]);

    /// Leaves a packet that the engine was given before, by its key.
    pub(super) fn packet(key: f64);

    /// Releases a packet that the engine does not need any more.
    pub(super) fn let_go(key: f64);

    /// Takes the next number that JavaScript has left, or the number of characters of the next
    /// text.
    pub(super) fn next() -> f64;

    /// How many numbers and texts JavaScript has left.
    pub(super) fn left() -> u32;

    /// Copies the characters of that text.
    fn read(text: &mut [u32]);

    /// 32 bits that an attacker cannot guess.
    pub(super) fn random() -> u32;
}

/// Leaves a line or another text.
pub(super) fn text(text: &str) {
    utf8(text.as_bytes());
}

/// Takes the next text that JavaScript has left.
pub(super) fn taken() -> String {
    let mut characters = vec![0; next() as usize];
    read(&mut characters);
    let valid = |character| char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER);
    characters.into_iter().map(valid).collect()
}

/// Takes the next numbers that JavaScript has left, as bytes.
pub(super) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    bytes.fill_with(|| next() as u8);
    bytes
}
