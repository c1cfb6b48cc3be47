//! What properties of few values can be.

use gst::glib;
use polyp::trace::Missed;

/// Whether the picture waits for its mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "PolypMode")]
pub enum Mode {
    /// The picture never waits: the newest mask is shown, with its age, while it is young enough.
    #[default]
    #[enum_value(name = "The picture never waits; the newest mask is shown with its age", nick = "live")]
    Live,
    /// The picture waits for its own mask, at most for the latency budget.
    #[enum_value(
        name = "The picture waits for its own mask, at most for latency-budget, and goes on without it after that",
        nick = "locked"
    )]
    Locked,
}

/// Where the engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "PolypIsolation")]
pub enum Isolation {
    /// In a thread of this process.
    #[default]
    #[enum_value(
        name = "In a thread of this process: a crash of the library that runs it is a crash of the pipeline",
        nick = "thread"
    )]
    Thread,
    /// In a process of its own, with another in reserve.
    #[enum_value(
        name = "In a process of its own, with another in reserve: nothing that happens to it happens to the picture",
        nick = "process"
    )]
    Process,
}

/// What happens where the picture keeps missing its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "PolypBudgetMissed")]
pub enum BudgetMissed {
    /// It is said.
    #[default]
    #[enum_value(name = "It is said in a message", nick = "announce")]
    Announce,
    /// Frames pass without the network for a while.
    #[enum_value(
        name = "The network rests for a second or more, and frames pass without masks",
        nick = "skip"
    )]
    Skip,
    /// The network is asked about fewer frames for a while.
    #[enum_value(
        name = "The network is asked about every second, fourth or eighth frame for a while",
        nick = "lower-rate"
    )]
    LowerRate,
    /// An engine with a smaller input is asked for a while.
    #[enum_value(
        name = "The engine that smaller-engine names is asked in the other's place for a while; its masks are coarser",
        nick = "shrink-input"
    )]
    ShrinkInput,
}

impl From<BudgetMissed> for Missed {
    fn from(missed: BudgetMissed) -> Self {
        match missed {
            BudgetMissed::Announce => Self::Announce,
            BudgetMissed::Skip => Self::Skip,
            BudgetMissed::LowerRate => Self::LowerRate,
            BudgetMissed::ShrinkInput => Self::ShrinkInput,
        }
    }
}
