//! The trainer as a whole: it computes what the reference computes, reads what it should and refuses the rest, goes on
//! after a kill as if there had been none, and exports what it trained.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]

mod ablate;
mod average;
mod command;
mod convert;
mod fit;
mod fixture;
mod import;
mod input;
mod layouts;
mod parity;
mod pretrained;
mod score;
