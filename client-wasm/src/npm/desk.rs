//! The desk: the place where the engine and JavaScript leave values for each other.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "./desk.js")]
extern "C" {
    /// Leaves three numbers; their meaning depends on the output.
    pub(super) fn numbers(a: f64, b: f64, c: f64);

    #[wasm_bindgen(js_name = text)]
    fn utf8(text: &[u8]);

    /// Leaves a packet that the engine was given before, by its key.
    pub(super) fn packet(key: f64);

    /// Releases a packet that the engine does not need any more.
    pub(super) fn let_go(key: f64);

    /// Copies the text that JavaScript has left on the desk, in units of UTF-16.
    fn read(text: &mut [u16]);

    /// 32 bits that an attacker cannot guess.
    pub(super) fn random() -> u32;
}

/// Leaves a line or another text.
pub(super) fn text(text: &str) {
    utf8(text.as_bytes());
}

/// Reads the text that JavaScript has left; `room` is its length.
pub(super) fn taken(room: f64) -> String {
    let mut units = vec![0; room as usize];
    read(&mut units);
    String::from_utf16_lossy(&units)
}
