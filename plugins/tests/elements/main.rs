//! The elements in pipelines: every promise that the README makes of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]

mod alarm;
mod allocations;
mod budget;
mod card_memory;
mod cuda_memory;
mod fallback;
mod fault_table;
mod faults;
mod fixture;
mod formats;
mod frozen;
mod honesty;
mod isolation;
mod launch;
mod live;
mod locked;
mod manners;
mod meta;
mod motion;
#[path = "../../../engines/tests/card/network.rs"]
#[allow(dead_code, reason = "the engines' own tests use the rest")]
mod network;
mod numbered;
mod overlay;
mod plugin_file;
mod preparing;
mod properties;
mod puppet;
mod recording;
mod recording_troubles;
mod refusals;
mod session_fixture;
mod sharing;
mod shrink;
#[path = "../../../engines/tests/card/stand_in.rs"]
#[allow(dead_code, reason = "the engines' own tests use the rest")]
mod stand_in;
mod stream;
mod swap;
mod swap_real;
mod system_faults;
mod untouched;
