//! Messages as JavaScript values: the form in which the engine of the npm package holds them.

use bowline_protocol::{Form, KeptPacket, ProtocolError};
use wasm_bindgen::JsValue;

/// Payloads and packets that stay in JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values;

/// The head of a line; the line itself is in JavaScript.
pub(super) struct Head {
    pub(super) text: String,
    /// Of the line and the bytes beside it.
    pub(super) size: usize,
}

/// The part of the present line that holds a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it begins, in units of UTF-16; 0 when there is none.
    pub(super) at: usize,
    size: usize,
}

/// A packet as JavaScript has made it.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) value: JsValue,
    pub(super) size: usize,
    pub(super) answer: bool,
}

impl Form for Values {
    type Line = Head;
    /// JavaScript finds it between the kind and the payload.
    type Name = ();
    type Payload = Part;
    type Packet = Line;

    const SERVES: bool = false;

    fn text(line: &Head) -> &str {
        &line.text
    }

    fn name(_line: &Head, _name: &str) {}

    /// The base64 of bytes is a part of the payload here; JavaScript reads it.
    fn payload(line: &Head, rest: Option<&str>, _bytes: bool) -> Result<Part, ProtocolError> {
        let at = rest.map_or(0, |rest| units(&line.text[..line.text.len() - rest.len()]));
        Ok(Part { at, size: line.size })
    }

    fn size(payload: &Part) -> usize {
        payload.size
    }
}

impl KeptPacket for Line {
    fn size(&self) -> usize {
        self.size
    }

    fn is_answer(&self) -> bool {
        self.answer
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

/// Length in UTF-16: every character has one leading byte, and those of four bytes take two units.
fn units(text: &str) -> usize {
    text.bytes().filter(|byte| byte & 0xc0 != 0x80).count()
        + text.bytes().filter(|byte| *byte >= 0xf0).count()
}
