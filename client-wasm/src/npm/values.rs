//! Messages as JavaScript values: the form that the engine of the npm package uses.

use std::rc::Rc;

use bowline_protocol::{Form, KeptPacket, NoKey};

use super::desk::let_go;

/// Payloads and packets that stay in JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values;

/// The part of the present line that contains a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The start of the payload, in units of UTF-16; 0 without a payload.
    pub(super) at: usize,
    /// The size of the line and the bytes beside it.
    pub(super) size: usize,
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
    /// JavaScript finds the name between the type and the payload.
    type Name = ();
    type Payload = Part;
    type Packet = Line;

    const SERVES: bool = false;

    fn size(payload: &Part) -> usize {
        payload.size
    }
}

impl KeptPacket for Line {
    type Key = NoKey;

    fn size(&self) -> usize {
        self.0.size
    }

    fn is_answer(&self) -> bool {
        self.0.answer
    }
}
