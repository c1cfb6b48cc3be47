//! `polyp-engine score`: how good the masks are.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use polyp::metric::{MEASURES, Measure, Summary, Sums};
use polyp_engine::engine::Description;
use polyp_engine::folder::EngineFolder;
use polyp_engine::score::Pair;
use serde_json::{Value, json};

use super::options::{Encoder, Pictures, Run, scored};

/// Score an engine on pictures and their masks, compared at the pictures' own size
#[derive(Debug, Args)]
pub(super) struct Score {
    /// The engine folder
    #[arg(long, value_name = "DIR")]
    engine: PathBuf,
    #[command(flatten)]
    pictures: Pictures,
    /// Only the pictures that this file names, one per line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// The prompt [default: the engine's own]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    #[command(flatten)]
    encoder: Encoder,
    #[command(flatten)]
    run: Run,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Print every picture's figures too
    #[arg(long)]
    per_image: bool,
}

impl Score {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let pairs = self.pictures.pairs(self.list.as_deref())?;
        let folder = EngineFolder::open(&self.engine)?;
        let memory = self.encoder.memory(&folder, self.prompt.as_deref())?;
        let mut engine = self.run.open(&folder)?;
        let scored = scored(&folder, engine.as_mut(), &memory, &pairs)?;
        let (summary, total) = (scored.finish(), Sums::total(scored.pictures()));
        if self.json {
            let mut report = report(&summary, &memory.prompt, engine.description(), &pairs, self.per_image);
            for (measure, value) in further(&total) {
                report[measure.name] = value.into();
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        writeln!(out, "{} pictures, prompt \"{}\"", summary.count, memory.prompt)?;
        writeln!(out, "dice  per image {:.4}, pooled {:.4}", summary.dice_per_image, summary.dice_pooled)?;
        writeln!(out, "iou   per image {:.4}, pooled {:.4}", summary.iou_per_image, summary.iou_pooled)?;
        writeln!(out, "ece   whole images {:.4}, around polyps {:.4}", summary.ece_image, summary.ece_box)?;
        for (measure, value) in further(&total) {
            writeln!(out, "{:16} {value:.4}  {}", measure.name, measure.words)?;
        }
        if self.per_image {
            for (pair, (dice, iou)) in pairs.iter().zip(&summary.per_image) {
                writeln!(out, "{}  dice {dice:.4}, iou {iou:.4}", pair.stem)?;
            }
        }
        Ok(())
    }
}

/// The measures that the summary does not have, where there is a value.
fn further(total: &Sums) -> impl Iterator<Item = (&'static Measure, f64)> {
    let others = MEASURES.iter().filter(|m| !["dice", "iou", "ece_image", "ece_box"].contains(&m.name));
    others.filter_map(|measure| Some((measure, measure.of(total)?)))
}

fn report(summary: &Summary, prompt: &str, engine: &Description, pairs: &[Pair], per_image: bool) -> Value {
    let mut report = json!({
        "dice_per_image": summary.dice_per_image,
        "dice_pooled": summary.dice_pooled,
        "iou_per_image": summary.iou_per_image,
        "iou_pooled": summary.iou_pooled,
        "ece_image": summary.ece_image,
        "ece_box": summary.ece_box,
        "count": summary.count,
        "prompt": prompt,
        "backend": engine.backend,
        "precision": engine.precision,
        "side_px": engine.side_px,
        "engine": engine.model,
    });
    if per_image {
        let one = |(pair, (dice, iou)): (&Pair, &(f64, f64))| json!({ "name": pair.stem, "dice": dice, "iou": iou });
        report["per_image"] = pairs.iter().zip(&summary.per_image).map(one).collect();
    }
    report
}
