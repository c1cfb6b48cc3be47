//! Where every frame's time goes: the stages, one ledger that all of them are written to, and what a budget says of them.
//!
//! Statistics, bus messages, metrics for Prometheus, trace files and the tool's live views all read the same [`Ledger`]. Writing to it never waits and
//! allocates nothing.
//!
//! Not here: GStreamer, and serving any of it (`plugins/`).

mod budget;
mod chrome;
mod histogram;
mod ledger;
mod prometheus;
mod relief;
mod report;
mod stage;

pub use budget::{Budget, BudgetError};
pub use chrome::{Event, write_chrome};
pub use ledger::Ledger;
pub use prometheus::exposition;
pub use relief::{Missed, Relief, Rest};
pub use report::{PERCENTILES, Report, Snapshot, StageReport};
pub use stage::{COUNT, Stage};
