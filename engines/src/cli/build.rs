//! `polyp-engine build`: a plan for cards.

use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use polyp_engine::folder::EngineFolder;
use polyp_engine::plan::{PlanOptions, PlanPrecision, Progress, TENSORRT_RTX, build};

use super::options::shown;

/// Make a plan of an engine folder for NVIDIA cards, ahead of time; no card is needed
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The engine folder
    #[arg(value_name = "ENGINE")]
    engine: PathBuf,
    /// The library that the plan is for
    #[arg(long, value_name = "NAME", default_value = TENSORRT_RTX, value_parser = [TENSORRT_RTX])]
    backend: String,
    /// The numbers to compute in
    #[arg(long, value_name = "NAME", default_value = PlanPrecision::F16.name(), value_parser = precision_names())]
    precision: PlanPrecision,
    /// The most pictures that will run at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Where plans are kept [default: polyp/plans below $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn precision_names() -> impl clap::builder::TypedValueParser<Value = PlanPrecision> {
    let names = PossibleValuesParser::new(PlanPrecision::ALL.map(PlanPrecision::name));
    names.map(|name| if name == PlanPrecision::F32.name() { PlanPrecision::F32 } else { PlanPrecision::F16 })
}

/// Where plans are kept unless somebody says otherwise.
fn cache() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = named
        .or_else(home)
        .context("--out: expected a folder, since neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(base.join("polyp/plans"))
}

impl Build {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let folder = EngineFolder::open(&self.engine)?;
        let options = PlanOptions { precision: self.precision, largest_batch: self.batch };
        let place = self.out.clone().map_or_else(cache, Ok)?;
        let terminal = std::io::stderr().is_terminal();
        let plan = build(&folder, &options, &place, move |progress| tell(terminal, &progress))?;
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
