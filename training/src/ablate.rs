//! What each part of the network and of the loss is worth: the same training, again and again, with one thing
//! changed each time.
//!
//! A plan (TOML) names a base configuration, a budget, and rows of changes to it. Its first row is what the others
//! are compared with. Every row and seed is a run of its own below one folder, scored on the validation and the
//! test side at the pictures' own size; what is finished there is not done again.
//!
//! Not here: training ([`crate::fit`]), scoring ([`crate::score`]).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tch::Device;
use toml::{Table, Value};

use crate::data::{DataSet, Random, Split};
use crate::fit::{FitConfig, Progress, fit};
use crate::predict::Trained;
use crate::score::{Reading, ScoreReport, score};
use crate::selection::Selection;
use crate::{TrainingError, json};

/// Resamples of the pictures behind an interval.
const RESAMPLES: usize = 2000;

/// What is to be compared.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ablation {
    /// A training configuration (TOML); relative to where the program is started.
    pub base: PathBuf,
    /// Epochs of every run.
    pub epochs: usize,
    /// Rows and columns of the network's input, in pixels.
    pub side_px: usize,
    /// Every row is run with each of them.
    pub seeds: Vec<u64>,
    /// Keys of the configuration that are changed for all rows.
    #[serde(default)]
    pub change: Table,
    /// What is compared; the first row is what the others are compared with.
    pub rows: Vec<Row>,
}

/// One row of the comparison.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is called: letters, digits, `-` and `_`.
    pub name: String,
    /// The published Dice to stand beside it, in percent.
    pub paper: Option<f64>,
    /// Keys of the configuration that are changed.
    #[serde(default)]
    pub change: Table,
}

/// What a comparison came to. All Dice are per picture, 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationReport {
    /// The base configuration.
    pub base: PathBuf,
    /// Epochs of every run.
    pub epochs: usize,
    /// Rows and columns of the network's input, in pixels.
    pub side_px: usize,
    /// The data set.
    pub data: PathBuf,
    /// In the order of the plan.
    pub rows: Vec<RowReport>,
}

/// What a row came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowReport {
    /// The row.
    pub name: String,
    /// The published Dice, in percent.
    pub paper: Option<f64>,
    /// A run for each seed.
    pub runs: Vec<RunReport>,
    /// Mean over seeds, and the range, on the validation side.
    pub validation: Spread,
    /// On the test side.
    pub test: Spread,
    /// Mean difference to the first row over the tested pictures, and the 95 % bootstrap interval over pictures.
    pub difference: Option<Spread>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// Its seed.
    pub seed: u64,
    /// The sha256 of its best weights.
    pub weights_sha256: String,
    /// Mean Dice on the validation side.
    pub validation: f64,
    /// Mean Dice on the test side.
    pub test: f64,
}

/// A mean between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Ablation {
    /// Reads and checks a plan; unknown keys are refused.
    ///
    /// # Errors
    /// [`TrainingError`] naming the file and the key.
    pub fn read(path: &Path) -> Result<Self, TrainingError> {
        let plan: Self = table(path)?
            .try_into()
            .map_err(|error: toml::de::Error| wrong(path, "a plan of an ablation", &error))?;
        plan.check(path)?;
        Ok(plan)
    }

    fn check(&self, path: &Path) -> Result<(), TrainingError> {
        let refuse = |field: &str, expected: &str, found: String| {
            Err(TrainingError::field(path, field, expected, found))
        };
        if self.rows.is_empty() {
            return refuse("rows", "at least one", "none".to_owned());
        }
        let mut names = BTreeSet::new();
        for row in &self.rows {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            if row.name.is_empty() || !row.name.chars().all(plain) || !names.insert(&row.name) {
                let expected = "names of letters, digits, - and _, each once";
                return refuse("rows.name", expected, format!("{:?}", row.name));
            }
        }
        let seeds: BTreeSet<_> = self.seeds.iter().collect();
        if seeds.is_empty() || seeds.len() != self.seeds.len() {
            return refuse("seeds", "at least one, each once", format!("{:?}", self.seeds));
        }
        Ok(())
    }

    /// The configuration of a row and a seed.
    ///
    /// # Errors
    /// [`TrainingError`] when the base can not be read, or a change makes no configuration of it, naming the row.
    pub fn config(&self, row: &Row, seed: u64) -> Result<FitConfig, TrainingError> {
        let mut merged = table(&self.base)?;
        for change in [&self.change, &row.change, &self.budget(seed)?] {
            merge(&mut merged, change);
        }
        let config: FitConfig = merged.try_into().map_err(|error: toml::de::Error| {
            wrong(&self.base, &format!("a configuration once row {} is applied", row.name), &error)
        })?;
        config.check()?;
        Ok(config)
    }

    fn budget(&self, seed: u64) -> Result<Table, TrainingError> {
        let number = |field: &str, value: u64| {
            i64::try_from(value).map(Value::Integer).map_err(|error| {
                TrainingError::field(&self.base, field, "a number of 63 bits", error.to_string())
            })
        };
        let model = Table::from_iter([("side_px".to_owned(), number("side_px", self.side_px as u64)?)]);
        Ok(Table::from_iter([
            ("epochs".to_owned(), number("epochs", self.epochs as u64)?),
            ("seed".to_owned(), number("seed", seed)?),
            ("model".to_owned(), Value::Table(model)),
        ]))
    }
}

fn table(path: &Path) -> Result<Table, TrainingError> {
    let text = std::fs::read_to_string(path).map_err(TrainingError::file("read", path))?;
    text.parse().map_err(|error: toml::de::Error| wrong(path, "TOML", &error))
}

fn wrong(path: &Path, expected: &str, error: &toml::de::Error) -> TrainingError {
    TrainingError::field(path, "(file)", expected, error.to_string().trim().replace('\n', " "))
}

/// Writes `change` over `base`, table by table.
fn merge(base: &mut Table, change: &Table) {
    for (key, value) in change {
        match (base.get_mut(key), value) {
            (Some(Value::Table(inner)), Value::Table(change)) => merge(inner, change),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

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
        report.rows.push(row_report(row, &runs, first.as_deref().map(|first| difference(first, &pictures))));
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

/// Mean Dice of a side's pictures; a side that was scored has at least one.
fn mean_dice(report: &ScoreReport) -> f64 {
    let dice = report.pictures.iter().map(|picture| picture.dice);
    dice.sum::<f64>() / report.pictures.len().max(1) as f64
}

/// Every tested picture's Dice, mean over seeds.
fn per_picture(runs: &[(u64, Scored)]) -> Vec<f64> {
    let count = runs.iter().map(|(_, [_, test])| test.pictures.len()).min().unwrap_or(0);
    let mut means = vec![0.0; count];
    for (_, [_, test]) in runs {
        for (mean, picture) in means.iter_mut().zip(&test.pictures) {
            *mean += picture.dice / runs.len() as f64;
        }
    }
    means
}

fn row_report(row: &Row, runs: &[(u64, Scored)], difference: Option<Spread>) -> RowReport {
    let runs: Vec<_> = runs
        .iter()
        .map(|(seed, [validation, test])| RunReport {
            seed: *seed,
            weights_sha256: test.weights_sha256.clone(),
            validation: mean_dice(validation),
            test: mean_dice(test),
        })
        .collect();
    RowReport {
        name: row.name.clone(),
        paper: row.paper,
        validation: range(runs.iter().map(|run| run.validation)),
        test: range(runs.iter().map(|run| run.test)),
        runs,
        difference,
    }
}

/// Mean, least and largest.
fn range(values: impl ExactSizeIterator<Item = f64> + Clone) -> Spread {
    Spread {
        mean: values.clone().sum::<f64>() / values.len().max(1) as f64,
        low: values.clone().fold(f64::INFINITY, f64::min),
        high: values.fold(f64::NEG_INFINITY, f64::max),
    }
}

/// The mean of `other - first` over the same pictures, and the interval in which 95 % of the means of resampled
/// pictures lie (percentile bootstrap; Efron, Annals of Statistics 1979).
pub fn difference(first: &[f64], other: &[f64]) -> Spread {
    let pairs: Vec<f64> = first.iter().zip(other).map(|(first, other)| other - first).collect();
    let count = pairs.len().max(1) as f64;
    let mut random = Random::new(&[0xb007]);
    let mut resample = || {
        let drawn = pairs.iter().map(|_| pairs.get(random.below(pairs.len())).copied().unwrap_or(0.0));
        drawn.sum::<f64>() / count
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    let at =
        |share: f64| means.get((share * (RESAMPLES - 1) as f64).round() as usize).copied().unwrap_or(0.0);
    Spread { mean: pairs.iter().sum::<f64>() / count, low: at(0.025), high: at(0.975) }
}

/// The report as a table, Dice in percent.
pub fn markdown(report: &AblationReport) -> String {
    let mut text = format!(
        "Dice per picture, in percent, at the pictures' own size: {} epochs at {} px of `{}` on `{}`, best epoch \
         chosen on the validation side. Where there is more than one seed, means and (least to largest). The difference \
         is paired, to the first row on the test side, with its 95 % bootstrap interval over pictures. The paper's \
         figures were measured with a caption for every picture that was made from its truth.\n\n\
         | row | seeds | validation | test | difference | paper |\n|---|---|---|---|---|---|\n",
        report.epochs,
        report.side_px,
        report.base.display(),
        report.data.file_name().unwrap_or_default().to_string_lossy(),
    );
    for row in &report.rows {
        let figure = |spread: &Spread| {
            let [mean, low, high] = [spread.mean, spread.low, spread.high].map(|value| 100.0 * value);
            if row.runs.len() > 1 {
                format!("{mean:.2} ({low:.2} to {high:.2})")
            } else {
                format!("{mean:.2}")
            }
        };
        let difference = row.difference.map_or_else(String::new, |spread| {
            let [mean, low, high] = [spread.mean, spread.low, spread.high].map(|value| 100.0 * value);
            format!("{mean:+.2} ({low:+.2} to {high:+.2})")
        });
        let paper = row.paper.map_or_else(String::new, |paper| format!("{paper:.2}"));
        let (validation, test) = (figure(&row.validation), figure(&row.test));
        // Writing to a string can not fail.
        let _written: std::fmt::Result = writeln!(
            text,
            "| {} | {} | {validation} | {test} | {difference} | {paper} |",
            row.name,
            row.runs.len()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_written_over_tables() {
        let mut base: Table = "a = 1\n[model]\nb = 2\nc = 3".parse().unwrap();
        merge(&mut base, &"d = 4\n[model]\nb = 5".parse().unwrap());
        assert_eq!(base, "a = 1\nd = 4\n[model]\nb = 5\nc = 3".parse().unwrap());
    }

    #[test]
    fn an_interval_is_as_wide_as_pictures_differ() {
        let first: Vec<f64> = (0..400).map(|picture| f64::from(picture % 10) / 10.0).collect();
        let same: Vec<f64> = first.iter().map(|dice| dice + 0.01).collect();
        let spread = difference(&first, &same);
        assert!((spread.mean - 0.01).abs() < 1e-12 && (spread.high - spread.low).abs() < 1e-12, "{spread:?}");
        // 0.05 more or 0.03 less in turn: the standard error of the mean is 0.04 / sqrt 400 = 0.002.
        let turns = first.iter().enumerate().map(|(i, dice)| dice + if i % 2 == 0 { 0.05 } else { -0.03 });
        let spread = difference(&first, &turns.collect::<Vec<_>>());
        assert!((spread.mean - 0.01).abs() < 1e-12, "{spread:?}");
        let half = (spread.high - spread.low) / 2.0;
        assert!((half / (1.96 * 0.002) - 1.0).abs() < 0.1, "{spread:?}");
    }
}
