//! Messages as JavaScript values: the form that the engine of the npm package uses.

use std::rc::Rc;

use bowline_protocol::{Form, KeptPacket, ProtocolError};

use super::desk::let_go;

/// Payloads and packets that stay in JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values;

/// The head of a line; JavaScript has the whole line.
pub(super) struct Head {
    pub(super) text: String,
    /// The size of the line and the bytes beside it.
    pub(super) size: usize,
}

/// The part of the present line that contains a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The start of the payload, in units of UTF-16; 0 without a payload.
    pub(super) at: usize,
    size: usize,
}

/// A packet that JavaScript has encoded and stores under a number.
///
/// A table of JavaScript values in the module would do the same, and would add some kilobytes to
/// the package and to every page.
#[derive(Debug, Clone)]
pub(super) struct Line(Rc<Held>);

#[derive(Debug)]
struct Held {
    key: f64,
    size: usize,
    answer: bool,
}

impl Line {
    pub(super) fn new(key: f64, size: usize, answer: bool) -> Self {
        Self(Rc::new(Held { key, size, answer }))
    }

    pub(super) fn key(&self) -> f64 {
        self.0.key
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let_go(self.key);
    }
}

impl Form for Values {
    type Line = Head;
    /// JavaScript finds the name between the type and the payload.
    type Name = ();
    type Payload = Part;
    type Packet = Line;

    const SERVES: bool = false;

    fn text(line: &Head) -> &str {
        &line.text
    }

    fn name(_line: &Head, _name: &str) {}

    /// Base64 is a part of the payload here; JavaScript decodes it.
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
        self.0.size
    }

    fn is_answer(&self) -> bool {
        self.0.answer
    }
}

/// Length in UTF-16: every character has one leading byte, and a character of four bytes takes two
/// units.
fn units(text: &str) -> usize {
    let units = |byte| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0);
    text.bytes().map(units).sum()
}
