//! Where the engine and JavaScript leave what they have to say to each other.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "./desk.js")]
extern "C" {
    /// Three numbers; what they mean depends on the output.
    pub(super) fn numbers(a: f64, b: f64, c: f64);

    #[wasm_bindgen(js_name = text)]
    fn utf8(text: &[u8]);

    /// A packet that was given to the engine before, by its key.
    pub(super) fn packet(key: f64);

    /// The engine needs this packet no more.
    pub(super) fn let_go(key: f64);

    /// Writes what JavaScript has left here, in units of UTF-16.
    fn read(text: &mut [u16]);

    /// 32 bits that nobody can guess.
    pub(super) fn random() -> u32;
}

/// Leaves a line or words.
pub(super) fn text(text: &str) {
    utf8(text.as_bytes());
}

/// Takes the text that JavaScript has left, for which there has to be so much room.
pub(super) fn taken(room: f64) -> String {
    let mut units = vec![0; room as usize];
    read(&mut units);
    String::from_utf16_lossy(&units)
}
