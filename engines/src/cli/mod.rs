//! The command line: one file per verb, and the options that several share.
//!
//! Verbs write to what they are given, so that a closed pipe is an error like any other. Not here: anything
//! that a library's user could want.

mod bench;
mod build;
mod inspect;
mod new;
mod options;
mod prompt;
#[cfg(feature = "ort")]
mod quantize;
mod resize;
mod score;
mod serve;
mod verify;

use std::io::Write;

use clap::{Parser, Subcommand};

/// Engine folders of the polyp network: make, inspect, verify, resize, quantise, time and score them.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
    Prompt(prompt::Prompt),
    New(new::New),
    Bench(bench::Bench),
    Build(build::Build),
    #[cfg(feature = "ort")]
    Quantize(quantize::Quantize),
    Resize(resize::Resize),
    Score(score::Score),
    #[command(hide = true)]
    Serve(serve::Serve),
}

impl Cli {
    /// Does what was asked and writes the answer to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> anyhow::Result<()> {
        match self.verb {
            Verb::Inspect(verb) => verb.run(out),
            Verb::Verify(verb) => verb.run(out),
            Verb::Prompt(verb) => verb.run(out),
            Verb::New(verb) => verb.run(out),
            Verb::Bench(verb) => verb.run(out),
            Verb::Build(verb) => verb.run(out),
            #[cfg(feature = "ort")]
            Verb::Quantize(verb) => verb.run(out),
            Verb::Resize(verb) => verb.run(out),
            Verb::Score(verb) => verb.run(out),
            Verb::Serve(verb) => verb.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
