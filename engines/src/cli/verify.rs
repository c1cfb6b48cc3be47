//! `polyp-engine verify`: files, memory, and every backend against the reference.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use polyp_engine::engine::{BACKENDS, Backend, Engine, Options, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::folder::EngineFolder;
use polyp_engine::memory::PromptMemory;
use polyp_engine::verify::{
    BF16_AGREEMENT, Difference, F16_AGREEMENT, F32_TOLERANCE, INT8_AGREEMENT, compare,
};

/// Verify a folder's files and prompt memory, and run every backend there is against the reference
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The engine folder
    dir: PathBuf,
}

const REFERENCE: &str = "reference";

impl Verify {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let folder = EngineFolder::open(&self.dir)?;
        writeln!(out, "ok    files of {}: every sha256 is the manifest's", folder.manifest().name)?;
        let memory = folder.memory()?;
        writeln!(
            out,
            "ok    memory of \"{}\": made with this prompt side, all numbers finite",
            memory.prompt
        )?;
        let mut reference = (Backend::named(REFERENCE)?.open)(&folder, &Options::default())?;
        let mut failures = 0;
        for backend in BACKENDS.iter().filter(|backend| backend.name != REFERENCE) {
            if let Err(error) = (backend.available)() {
                writeln!(out, "--    {}: not compared: {error}", backend.name)?;
                continue;
            }
            for &precision in backend.precisions {
                let name = format!("{} in {}", backend.name, precision.name());
                match against(reference.as_mut(), &folder, &memory, backend, precision) {
                    Ok(found) if found.is_within(precision) => {
                        writeln!(out, "ok    {name}: {}", words(&found))?
                    }
                    Ok(found) => {
                        failures += 1;
                        writeln!(out, "FAIL  {name}: {}; {}", words(&found), limits(precision))?;
                    }
                    Err(error @ EngineError::Refused { .. }) => {
                        writeln!(out, "--    {name}: not compared: {error}")?;
                    }
                    Err(error) => {
                        failures += 1;
                        writeln!(out, "FAIL  {name}: {error}")?;
                    }
                }
            }
        }
        match failures {
            0 => Ok(()),
            1 => bail!("{}: 1 check failed", self.dir.display()),
            _ => bail!("{}: {failures} checks failed", self.dir.display()),
        }
    }
}

fn against(
    reference: &mut dyn Engine,
    folder: &EngineFolder,
    memory: &PromptMemory,
    backend: &Backend,
    precision: Precision,
) -> Result<Difference, EngineError> {
    let mut engine = (backend.open)(folder, &Options { precision, ..Options::default() })?;
    compare(reference, engine.as_mut(), memory, 1)
}

fn words(found: &Difference) -> String {
    format!(
        "logits at most {:.1e} from the reference's (largest {:.2}), masks agree on {:.3} % of the cells",
        found.furthest,
        found.largest,
        100.0 * found.agreement
    )
}

fn limits(precision: Precision) -> String {
    match precision {
        Precision::F16 => format!("expected agreement on {} %", 100.0 * F16_AGREEMENT),
        Precision::Bf16 => format!("expected agreement on {} %", 100.0 * BF16_AGREEMENT),
        Precision::Int8 => format!("expected agreement on {} %", 100.0 * INT8_AGREEMENT),
        _ => format!("expected at most {F32_TOLERANCE:.0e} of the largest (at least 1)"),
    }
}
