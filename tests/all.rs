//! The tests that see everything together. One binary: linking is dearer than compiling.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod demo;
mod engine;
mod exports;
mod house;
mod latency;
mod launch;
mod promises;
mod reports;
mod scripts;
mod sessions;
mod tools;
