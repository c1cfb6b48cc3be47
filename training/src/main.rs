//! The tool `polyp-train`: import, fit, score, calibrate and export from the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

#[expect(clippy::print_stderr, reason = "the one place where an error is told")]
fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("polyp-train: {error:#}");
            ExitCode::FAILURE
        }
    }
}
