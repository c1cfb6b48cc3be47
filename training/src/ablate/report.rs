//! What an ablation came to, as a table.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use polyp::metric::{Interval, mean_interval};
use serde::{Deserialize, Serialize};

use super::{Row, Scored};
use crate::data::{DataSet, Split};
use crate::score::ScoreReport;

/// Names the draws behind the intervals.
const SEED: u64 = 0xb007;

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
    /// Mean difference to the first row over the tested pictures, and its 95 % bootstrap interval by group; none
    /// for the first row, and where there is one group only.
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

/// Mean Dice of a side's pictures; a side that was scored has at least one.
fn mean_dice(report: &ScoreReport) -> f64 {
    let dice = report.pictures.iter().map(|picture| picture.dice);
    dice.sum::<f64>() / report.pictures.len().max(1) as f64
}

/// Every tested picture's Dice, mean over seeds.
pub(super) fn per_picture(runs: &[(u64, Scored)]) -> Vec<f64> {
    let count = runs.iter().map(|(_, [_, test])| test.pictures.len()).min().unwrap_or(0);
    let mut means = vec![0.0; count];
    for (_, [_, test]) in runs {
        for (mean, picture) in means.iter_mut().zip(&test.pictures) {
            *mean += picture.dice / runs.len() as f64;
        }
    }
    means
}

pub(super) fn row_report(row: &Row, runs: &[(u64, Scored)], difference: Option<Spread>) -> RowReport {
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

/// [`difference`] over the test side of `data`, by its groups.
pub(super) fn differences(data: &DataSet, first: &[f64], other: &[f64]) -> Option<Spread> {
    let names = data.infos().iter().filter(|info| info.split == Split::Test).map(|info| info.group.as_str());
    difference(names, first, other)
}

/// The mean of `other - first` over the same pictures, whose groups are `names`, and its interval; none where there
/// is only one group.
fn difference<'a>(names: impl Iterator<Item = &'a str>, first: &[f64], other: &[f64]) -> Option<Spread> {
    let mut groups: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for (name, (first, other)) in names.zip(first.iter().zip(other)) {
        let (sum, count) = groups.entry(name).or_default();
        *sum += other - first;
        *count += 1;
    }
    let groups: Vec<(f64, usize)> = groups.into_values().collect();
    let (sum, count) = groups.iter().fold((0.0, 0), |(sum, count), group| (sum + group.0, count + group.1));
    let Interval { low, high } = mean_interval(&groups, SEED)?;
    Some(Spread { mean: sum / count as f64, low, high })
}

/// The report as a table, Dice in percent.
pub fn markdown(report: &AblationReport) -> String {
    let mut text = format!(
        "Dice per picture, in percent, at the pictures' own size: {} epochs at {} px of `{}` on `{}`, best epoch \
         chosen on the validation side. Where there is more than one seed, means and (least to largest). The difference \
         is paired, to the first row on the test side, with its 95 % bootstrap interval by group. The paper's \
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
    fn an_interval_is_as_wide_as_pictures_differ() {
        let first: Vec<f64> = (0..400).map(|picture| f64::from(picture % 10) / 10.0).collect();
        let same: Vec<f64> = first.iter().map(|dice| dice + 0.01).collect();
        let names: Vec<String> = (0..400).map(|picture| picture.to_string()).collect();
        let names = || names.iter().map(String::as_str);
        let spread = difference(names(), &first, &same).unwrap();
        assert!((spread.mean - 0.01).abs() < 1e-12 && (spread.high - spread.low).abs() < 1e-12, "{spread:?}");
        // 0.05 more or 0.03 less in turn: the standard error of the mean is 0.04 / sqrt 400 = 0.002.
        let turns = first.iter().enumerate().map(|(i, dice)| dice + if i % 2 == 0 { 0.05 } else { -0.03 });
        let spread = difference(names(), &first, &turns.collect::<Vec<_>>()).unwrap();
        assert!((spread.mean - 0.01).abs() < 1e-12, "{spread:?}");
        let half = (spread.high - spread.low) / 2.0;
        assert!((half / (1.96 * 0.002) - 1.0).abs() < 0.1, "{spread:?}");
    }
}
