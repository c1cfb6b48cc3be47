//! What each part of the network and of the loss is worth: the same training, again and again, with one thing
//! changed each time.
//!
//! A plan ([`Ablation`]) names a base configuration, a budget, and rows of changes to it. Its first row is what the
//! others are compared with. Every row and seed is a run of its own below one folder, scored on the validation and the
//! test side at the pictures' own size; what is finished there is not done again.
//!
//! Not here: training ([`crate::fit`]), scoring ([`crate::score`]).

mod plan;
mod report;

use std::path::Path;
use std::sync::Arc;

pub use plan::{Ablation, Row};
pub use report::{AblationReport, RowReport, RunReport, Spread, markdown};
use report::{differences, per_picture, row_report};
use tch::Device;

use crate::data::{DataSet, Split};
use crate::fit::{FitConfig, Progress, fit};
use crate::predict::Trained;
use crate::score::{Reading, ScoreReport, score};
use crate::selection::Selection;
use crate::{TrainingError, json};

/// Trains and scores what is not finished in `out` yet, and writes `ablation.json` and `ablation.md` there after
/// every row. `watch` hears of every step, with the run's name.
///
/// # Errors
/// [`TrainingError`] when a configuration is none, a run in `out` was started with another one, or a run can not be
/// trained or scored.
pub fn ablate(
    plan: &Ablation,
    data: &Arc<DataSet>,
    out: &Path,
    watch: &mut dyn FnMut(&str, &Progress<'_>),
) -> Result<AblationReport, TrainingError> {
    // A wrong last row is told before the first one is trained.
    for row in &plan.rows {
        plan.config(row, 0)?;
    }
    let mut report = AblationReport {
        base: plan.base.clone(),
        epochs: plan.epochs,
        side_px: plan.side_px,
        data: data.path().to_owned(),
        rows: Vec::new(),
    };
    let mut first = None;
    for row in &plan.rows {
        let mut runs = Vec::new();
        for &seed in &plan.seeds {
            let name = format!("{}-{seed}", row.name);
            let scored = one(&plan.config(row, seed)?, data, &out.join(&name), &mut |progress| {
                watch(&name, progress);
            })?;
            runs.push((seed, scored));
        }
        let pictures = per_picture(&runs);
        let difference = first.as_deref().and_then(|first| differences(data, first, &pictures));
        report.rows.push(row_report(row, &runs, difference));
        first.get_or_insert(pictures);
        json::write(&out.join("ablation.json"), &report)?;
        let path = out.join("ablation.md");
        std::fs::write(&path, markdown(&report)).map_err(TrainingError::file("write", &path))?;
    }
    Ok(report)
}

/// The scores of a run on the validation and the test side.
type Scored = [ScoreReport; 2];

/// One run, trained and scored as far as it is not yet.
fn one(
    config: &FitConfig,
    data: &Arc<DataSet>,
    run: &Path,
    watch: &mut dyn FnMut(&Progress<'_>),
) -> Result<Scored, TrainingError> {
    let sides = [Split::Validation, Split::Test];
    let paths = sides.map(|side| ScoreReport::path(run, data, side));
    let begun = run.join("config.toml");
    if begun.exists() && paths.iter().all(|path| path.exists()) {
        if FitConfig::read(&begun)? != *config {
            let expected = "the configuration that the plan makes";
            return Err(TrainingError::field(&begun, "(file)", expected, "another, of a finished run"));
        }
        let [validation, test] = &paths;
        return Ok([ScoreReport::read(validation)?, ScoreReport::read(test)?]);
    }
    let outcome = fit(config, data, run, Device::Cpu, begun.exists(), watch)?;
    tracing::info!("{}: best epoch {} of {}", run.display(), outcome.best_epoch, outcome.epochs);
    // The temperature moves no mask's edge, so a run need not be calibrated for its Dice.
    let mut trained = Trained::open(run, None)?;
    let reading = Reading::new(1.0, None)?;
    let mut judge = |side| -> Result<ScoreReport, TrainingError> {
        let selection = Selection::side(data, side)?;
        let scored = score(&mut trained, &reading, &selection, &mut |_, _| {})?;
        Ok(scored.report(&trained, &reading, &selection))
    };
    let scored = [judge(Split::Validation)?, judge(Split::Test)?];
    for (path, report) in paths.iter().zip(&scored) {
        report.write(path)?;
    }
    Ok(scored)
}
