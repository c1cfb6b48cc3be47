//! `polyp-engine resize`: the same weights with an input of another size, judged anew.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use polyp::metric::{MEASURES, Measure, Sums, rounded};
use polyp_engine::error::EngineError;
use polyp_engine::folder::{EngineFolder, write_resized};
use polyp_engine::manifest::{DataSource, Metric};
use polyp_engine::score::Pair;

use super::options::{Pictures, Run, scored, shown};

/// Write an engine folder with the same weights and an input of another size, and judge what it is worth at that size
#[derive(Debug, Args)]
pub(super) struct Resize {
    /// The engine folder
    #[arg(value_name = "ENGINE")]
    engine: PathBuf,
    /// The side of the new input in pixels, a multiple of 32
    #[arg(long, value_name = "N")]
    side: u32,
    #[command(flatten)]
    data: Pictures,
    /// A file that names the pictures to judge it on, one per line [default: all]
    #[arg(long, value_name = "FILE")]
    judge: Option<PathBuf>,
    /// The data set that these are of, as the engine's manifest has it, as Kvasir-SEG
    #[arg(long, value_name = "NAME")]
    data_set: String,
    /// Which part of it
    #[arg(long, value_name = "NAME", default_value = "validation", value_parser = ["validation", "test"])]
    split: String,
    #[command(flatten)]
    run: Run,
    /// The folder to write; nothing may be there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Resize {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let folder = EngineFolder::open(&self.engine)?;
        let pairs = self.data.pairs(self.judge.as_deref())?;
        let source = self.source(&folder, pairs.len())?;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        write_resized(&self.out, &folder, self.side, |resized| {
            before = self.judged(&folder, &pairs)?;
            after = self.judged(resized, &pairs)?;
            Ok((source, after.clone()))
        })?;
        let of = |metrics: &[Metric]| {
            let dice = metrics
                .iter()
                .find(|metric| (metric.measure.as_str(), metric.per.as_str()) == ("dice", "image"));
            dice.map_or(f64::NAN, |metric| metric.value)
        };
        let (before, after) = (of(&before), of(&after));
        writeln!(
            out,
            "{} px: dice {before:.4}; {} px: dice {after:.4} ({:+.4}); means over {} pictures of {}, {}",
            folder.manifest().input.side_px,
            self.side,
            after - before,
            pairs.len(),
            self.data_set,
            self.split
        )?;
        writeln!(out, "{}", shown(&self.out))?;
        Ok(())
    }

    /// What the pictures are of: its terms are those that the engine's manifest names.
    fn source(&self, folder: &EngineFolder, count: usize) -> anyhow::Result<DataSource> {
        let known = &folder.manifest().data;
        let Some(source) = known.iter().find(|source| source.name == self.data_set) else {
            let names: BTreeSet<&str> = known.iter().map(|source| source.name.as_str()).collect();
            bail!(
                "--data-set: expected one that {} has in its manifest ({}), found {}",
                shown(&self.engine),
                Vec::from_iter(names).join(", "),
                self.data_set
            );
        };
        Ok(DataSource { split: self.split.clone(), count, ..source.clone() })
    }

    /// Every figure of `folder` on those pictures, with its own prompt, at the pictures' own size.
    fn judged(&self, folder: &EngineFolder, pairs: &[Pair]) -> Result<Vec<Metric>, EngineError> {
        let mut engine = self.run.open(folder)?;
        let memory = folder.memory()?;
        let scored = scored(folder, engine.as_mut(), &memory, pairs)?;
        let total = Sums::total(scored.pictures());
        let metric = |measure: &Measure| {
            Some(Metric {
                data_set: self.data_set.clone(),
                split: self.split.clone(),
                prompt: memory.prompt.clone(),
                resolution: "own".to_owned(),
                measure: measure.name.to_owned(),
                per: measure.per.to_owned(),
                value: rounded(measure.of(&total)?),
                count: pairs.len(),
                low: None,
                high: None,
            })
        };
        Ok(MEASURES.iter().filter_map(metric).collect())
    }
}
