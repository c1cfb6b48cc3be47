//! The elements in pipelines: every promise that the README makes of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]

mod fallback;
mod faults;
mod fixture;
mod formats;
mod frozen;
mod isolation;
mod launch;
mod live;
mod locked;
mod meta;
mod overlay;
mod plugin_file;
mod preparing;
mod properties;
mod refusals;
mod stream;
