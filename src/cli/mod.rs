//! What `polyp` can do, one file for each verb, and how it ends.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done, or ended by the user |
//! | 1 | the stream failed while it ran |
//! | 2 | the command line or the configuration is wrong |
//! | 3 | something is missing on this machine: the plugin, an engine, a GStreamer element, a display |

mod bench;
mod budget;
mod bus;
mod check;
mod demo;
mod evidence;
mod export;
mod failure;
mod feed;
mod frames;
mod gather;
mod html;
mod kept;
mod live;
mod measured;
mod options;
mod place;
mod plugin;
mod processes;
mod reading;
mod repair;
mod replay;
mod report;
mod run;
mod served;
mod sink;
mod soak;
mod source;
mod stages;
mod stopwatch;
mod top;
mod trace;
mod tune;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Live polyp segmentation for endoscopy. For research; not a medical device.
#[derive(Debug, Parser)]
#[command(name = "polyp", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Demo),
    Run(run::Run),
    Check(check::Check),
    Replay(replay::Replay),
    Export(export::Export),
    Report(report::Report),
    Budget(budget::Budget),
    Tune(tune::Tune),
    Top(top::Top),
    Trace(trace::Trace),
    Evidence(evidence::Evidence),
    Repair(repair::Repair),
    Bench(bench::Bench),
    Soak(soak::Soak),
}

/// Runs the tool; every failure is said here, once.
pub(crate) fn main() -> ExitCode {
    // clap ends the process by itself: 0 for help, 2 for a wrong command line.
    let Arguments { verb } = Arguments::parse();
    let outcome = match verb {
        Verb::Demo(demo) => demo.run(),
        Verb::Run(run) => run.run(),
        Verb::Check(check) => check.run(),
        Verb::Replay(replay) => replay.run(),
        Verb::Export(export) => export.run(),
        Verb::Report(report) => report.run(),
        Verb::Budget(budget) => budget.run(),
        Verb::Tune(tune) => tune.run(),
        Verb::Top(top) => top.run(),
        Verb::Trace(trace) => trace.run(),
        Verb::Evidence(evidence) => evidence.run(),
        Verb::Repair(repair) => repair.run(),
        Verb::Bench(bench) => bench.run(),
        Verb::Soak(soak) => soak.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("polyp: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
