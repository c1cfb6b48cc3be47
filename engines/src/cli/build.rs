//! `polyp-engine build`: a plan for cards.

use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use polyp_engine::error::EngineError;
use polyp_engine::folder::EngineFolder;
use polyp_engine::plan::{FLAVOUR, FULL, Flavour, PlanOptions, PlanPrecision, Progress, RTX, build, cache};

use super::options::shown;

/// Make a plan of an engine folder for NVIDIA cards, ahead of time; TensorRT for RTX needs no card for that
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The engine folder
    #[arg(value_name = "ENGINE")]
    engine: PathBuf,
    /// The library that the plan is for
    #[arg(long, value_name = "NAME", default_value = FLAVOUR.name, value_parser = [RTX.name, FULL.name])]
    backend: String,
    /// The numbers to compute in
    #[arg(long, value_name = "NAME", default_value = PlanPrecision::F16.name(), value_parser = precision_names())]
    precision: PlanPrecision,
    /// The most pictures that will run at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// The compute capability of the only cards that it is for, as 7.5 for Turing [default: all from 8.0 on]
    #[arg(long, value_name = "X.Y", value_parser = capability)]
    capability: Option<(i32, i32)>,
    /// Where plans are kept [default: polyp/plans below $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn precision_names() -> impl clap::builder::TypedValueParser<Value = PlanPrecision> {
    let names = PossibleValuesParser::new(PlanPrecision::ALL.map(PlanPrecision::name));
    names.map(|name| if name == PlanPrecision::F32.name() { PlanPrecision::F32 } else { PlanPrecision::F16 })
}

/// Which there are is the library's knowledge.
fn capability(text: &str) -> Result<(i32, i32), String> {
    let parsed =
        text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.ok_or_else(|| "expected a compute capability, as 8.9".to_owned())
}

impl Build {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        // A program has one of them.
        for Flavour { name, .. } in [RTX, FULL] {
            if self.backend == name && name != FLAVOUR.name {
                return Err(EngineError::Feature { backend: name, feature: name }.into());
            }
        }
        let folder = EngineFolder::open(&self.engine)?;
        let options =
            PlanOptions { precision: self.precision, largest_batch: self.batch, capability: self.capability };
        let place = self.out.clone().map_or_else(cache, Ok)?;
        let terminal = std::io::stderr().is_terminal();
        let plan = build(&folder, &options, &place, &move |progress| tell(terminal, &progress))?;
        if terminal {
            // The line that progress was told on.
            write!(std::io::stderr(), "\r\x1b[K")?;
        }
        let made = &plan.description;
        let how = if plan.found {
            "was there already".to_owned()
        } else {
            format!("made in {:.1} s", made.seconds)
        };
        writeln!(
            out,
            "{}, {}, at most {} at once: {how}, {:.1} MB, {} layers",
            made.library,
            made.precision.name(),
            made.largest_batch,
            made.bytes as f64 / 1e6,
            made.layers
        )?;
        writeln!(out, "{}", shown(&plan.folder))?;
        Ok(())
    }
}

/// One line that is written over on a terminal, nothing elsewhere.
fn tell(terminal: bool, progress: &Progress) {
    if terminal {
        // What is told is of no weight: a closed terminal must not end the work.
        drop(write!(std::io::stderr(), "\r\x1b[K{progress}"));
    }
}
