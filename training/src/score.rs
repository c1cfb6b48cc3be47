//! How good a network is on one side of a data set: per-picture and pooled Dice and IoU and the calibration
//! error, at each picture's own size.
//!
//! Not here: what the figures mean (`polyp::metric`), who gives the logits ([`crate::predict`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polyp::input::Placement;
use polyp::metric::Summary;
use polyp_engine::manifest::{DataSource, Metric};
use polyp_engine::score::{Prepare, Scorer};
use serde::{Deserialize, Serialize};

use crate::data::{DataSet, Info, Split};
use crate::predict::Predictor;
use crate::{TrainingError, json};

/// What a score came to: a file of its own, below the run's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreReport {
    /// The sha256 of the weights that were scored.
    pub weights_sha256: String,
    /// Logits were divided by it.
    pub temperature: f32,
    /// The figures, as an engine's manifest carries them.
    pub metrics: Vec<Metric>,
    /// The pictures' origin.
    pub data: Vec<DataSource>,
    /// Every picture.
    pub pictures: Vec<PictureScore>,
}

/// One picture's score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureScore {
    /// Its name.
    pub name: String,
    /// Dice, 0 to 1.
    pub dice: f64,
    /// Intersection over union, 0 to 1.
    pub iou: f64,
}

impl ScoreReport {
    /// Where a run keeps the score of a side of a data set.
    pub fn path(run: &Path, data: &DataSet, split: Split) -> PathBuf {
        let stem = data.path().file_stem().unwrap_or_default().to_string_lossy();
        run.join("scores").join(format!("{stem}-{}.json", split.name()))
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`TrainingError`] when the file is not one.
    pub fn read(path: &Path) -> Result<Self, TrainingError> {
        json::read(path, "a score report")
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`TrainingError`] when the file can not be written.
    pub fn write(&self, path: &Path) -> Result<(), TrainingError> {
        json::write(path, self)
    }

    /// The figure of that measure and kind; none when there is none.
    pub fn value(&self, measure: &str, per: &str) -> Option<f64> {
        self.metrics
            .iter()
            .find(|metric| metric.measure == measure && metric.per == per)
            .map(|metric| metric.value)
    }
}

/// Scores the pictures of one side, telling `progress` how many of how many are done.
///
/// # Errors
/// [`TrainingError`] when that side has no pictures, one can not be read, or the network refuses it.
pub fn score(
    predictor: &mut dyn Predictor,
    temperature: f32,
    data: &DataSet,
    split: Split,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<ScoreReport, TrainingError> {
    let mut scorer = Scorer::new(temperature)?;
    run(predictor, data, split, progress, &mut |judged| {
        Ok(scorer.add(judged.logits, judged.placement, &judged.truth(), judged.info.size)?)
    })?;
    let infos: Vec<&Info> = data.infos().iter().filter(|info| info.split == split).collect();
    let summary = scorer.finish();
    let pictures = infos.iter().zip(&summary.per_image);
    Ok(ScoreReport {
        weights_sha256: predictor.weights_sha256().to_owned(),
        temperature,
        metrics: metrics(&summary, &infos, predictor.prompt()),
        data: sources(&infos),
        pictures: pictures
            .map(|(info, &(dice, iou))| PictureScore { name: info.name.clone(), dice, iou })
            .collect(),
    })
}

/// One picture's logits and truth.
pub(crate) struct Judged<'a> {
    pub(crate) info: &'a Info,
    /// `[S,S]`.
    pub(crate) logits: &'a [f32],
    pub(crate) placement: Placement,
    /// 0 or 1, at the picture's own size.
    pub(crate) mask: &'a [u8],
}

impl Judged<'_> {
    pub(crate) fn truth(&self) -> Vec<bool> {
        self.mask.iter().map(|value| *value == 1).collect()
    }
}

/// Runs the pictures of one side, in order, and hands each one's logits to `judge`.
pub(crate) fn run(
    predictor: &mut dyn Predictor,
    data: &DataSet,
    split: Split,
    progress: &mut dyn FnMut(usize, usize),
    judge: &mut dyn FnMut(Judged<'_>) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let indices = data.indices(split);
    if indices.is_empty() {
        let field = format!("split {}", split.name());
        return Err(TrainingError::field(data.path(), field, "at least one picture", "none"));
    }
    let mut prepare = Prepare::new(predictor.input());
    let (mut image, mut logits) = (Vec::new(), Vec::new());
    for (done, &index) in indices.iter().enumerate() {
        let picture = data.read(index)?;
        let placement = prepare.run(&picture.rgb, picture.size, &mut image)?;
        predictor.logits(&image, 1, &mut logits)?;
        if let Some(info) = data.info(index) {
            judge(Judged { info, logits: &logits, placement, mask: &picture.mask })?;
        }
        progress(done + 1, indices.len());
    }
    Ok(())
}

fn metrics(summary: &Summary, infos: &[&Info], prompt: &str) -> Vec<Metric> {
    let names: Vec<String> = sources(infos).into_iter().map(|source| source.name).collect();
    let split = infos.first().map_or("", |info| info.split.name());
    let metric = |measure: &str, per: &str, value| Metric {
        data_set: names.join(" + "),
        split: split.to_owned(),
        prompt: prompt.to_owned(),
        resolution: "own".to_owned(),
        measure: measure.to_owned(),
        per: per.to_owned(),
        value,
        count: summary.count,
    };
    vec![
        metric("dice", "image", summary.dice_per_image),
        metric("dice", "pooled", summary.dice_pooled),
        metric("iou", "image", summary.iou_per_image),
        metric("iou", "pooled", summary.iou_pooled),
        metric("ece_image", "pooled", summary.ece_image),
        metric("ece_box", "pooled", summary.ece_box),
    ]
}

/// Where pictures come from, as an engine's manifest says it: a line for each data set and side.
pub(crate) fn sources(infos: &[&Info]) -> Vec<DataSource> {
    let mut counts: BTreeMap<(&str, Split, &str), usize> = BTreeMap::new();
    for info in infos {
        *counts.entry((&info.source, info.split, &info.licence)).or_default() += 1;
    }
    let line = |((source, split, licence), count): ((&str, Split, &str), usize)| {
        let (name, from) = source.split_once(" (").unwrap_or((source, source));
        DataSource {
            name: name.to_owned(),
            split: split.name().to_owned(),
            count,
            licence: licence.to_owned(),
            source: from.trim_end_matches(')').to_owned(),
        }
    };
    counts.into_iter().map(line).collect()
}
