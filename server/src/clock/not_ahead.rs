//! The clock goes as time does.

#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead;

impl Ahead {
    pub(super) const fn new() -> Self {
        Self
    }

    pub(super) const fn millis(self) -> u64 {
        let Self = self;
        0
    }
}
