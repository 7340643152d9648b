//! What must hold of the figures.

/// Something that must hold of our figures in a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    pub(crate) title: &'static str,
    /// A key of the result.
    pub(crate) figure: &'static str,
    /// What makes the figure the number that is shown and compared.
    pub(crate) scale: f64,
    pub(crate) beside: Beside,
    pub(crate) at_most: f64,
}

/// What a figure is divided by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beside {
    Nothing,
    /// The same figure of another library, measured in the same round.
    Peer(&'static str),
    /// The same figure of ours in another scenario of the same round.
    Scenario(&'static str),
}
