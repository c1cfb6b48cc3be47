//! The tool `polyp`: plays, checks and measures live segmentation. It drives GStreamer and finds the plugin in the
//! registry, as any application does.
//!
//! Not here: the network (the plugin opens it) and what is true of pixels and masks (the library).
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool speaks to whoever started it")]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
