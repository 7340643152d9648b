//! Why and how a connection ends.

use crate::faults::Cut;

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both peers ended it.
    Over,
    /// A peer broke it, or could not be reached.
    Broken,
    /// It was to be cut in the middle of a body.
    MidBody,
    /// Its time was up.
    TimeUp(Cut),
}

impl Ending {
    /// How both sides see it end.
    pub(crate) const fn how(self) -> Cut {
        match self {
            Self::Over | Self::MidBody => Cut::Finish,
            Self::Broken => Cut::Reset,
            Self::TimeUp(how) => how,
        }
    }
}
