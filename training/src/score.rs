//! How good a network is on some pictures of a data set: every measure with its interval, at each picture's own
//! size.
//!
//! Not here: what the figures mean (`polyp::metric`), who gives the logits ([`crate::predict`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polyp::decode::Decoder;
use polyp::input::Placement;
use polyp::metric::{Interval, MEASURES, Measure, Rules, Sums, by_group, intervals, rounded};
use polyp_engine::error::EngineError;
use polyp_engine::manifest::{DataSource, Metric};
use polyp_engine::score::{Prepare, Scorer};
use serde::{Deserialize, Serialize};

use crate::data::{DataSet, Info, Picture, Split};
use crate::predict::Predictor;
use crate::selection::Selection;
use crate::{TrainingError, json};

/// Names the draws of every bootstrap: the same figures for the same pictures.
pub(crate) const SEED: u64 = 1;

/// What a score came to: a file of its own, below the run's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreReport {
    /// The sha256 of the weights that were scored.
    pub weights_sha256: String,
    /// Logits were divided by it.
    pub temperature: f32,
    /// The fitted 0.95 contour that `coverage_95` was measured with, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contour_95: Option<f32>,
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

/// How logits are made into probabilities, and by which rules those are judged.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Makes probabilities of logits.
    pub decoder: Decoder,
    /// Threshold and fitted contour.
    pub rules: Rules,
}

impl Reading {
    /// Logits are divided by `temperature`; masks begin at the probability 0.5.
    ///
    /// # Errors
    /// [`TrainingError::Engine`] unless the temperature is finite and above 0.
    pub fn new(temperature: f32, contour_95: Option<f32>) -> Result<Self, TrainingError> {
        let decoder = Decoder::new(temperature).map_err(EngineError::from)?;
        Ok(Self { decoder, rules: Rules { contour_95, ..Rules::default() } })
    }
}

/// Pictures that were scored.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The sums of every picture, in the selection's order.
    pub pictures: Vec<Sums>,
    /// The sums of every group, in the order of their names.
    pub groups: Vec<Sums>,
    /// All together.
    pub total: Sums,
}

/// Scores some pictures, telling `progress` how many of how many are done.
///
/// # Errors
/// [`TrainingError`] when a picture can not be read, or the network refuses it.
pub fn score(
    predictor: &mut dyn Predictor,
    reading: &Reading,
    selection: &Selection<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Scored, TrainingError> {
    let mut scorer = Scorer::new(reading.decoder.clone(), reading.rules);
    run(predictor, selection, progress, &mut |judged| {
        Ok(scorer.add(judged.logits, judged.placement, &judged.truth(), judged.info.size)?)
    })?;
    let pictures = scorer.finish().pictures().to_vec();
    let names = selection.infos().into_iter().map(|info| info.group.as_str());
    let groups = by_group(names, &pictures);
    let total = Sums::total(&groups);
    Ok(Scored { pictures, groups, total })
}

impl Scored {
    /// The report of it: figures with their intervals, and every picture.
    pub fn report(
        &self,
        predictor: &dyn Predictor,
        reading: &Reading,
        selection: &Selection<'_>,
    ) -> ScoreReport {
        let infos = selection.infos();
        let one = |(info, sums): (&&Info, &Sums)| {
            let (dice, iou) = sums.per_image().unwrap_or_default();
            PictureScore { name: info.name.clone(), dice: rounded(dice), iou: rounded(iou) }
        };
        ScoreReport {
            weights_sha256: predictor.weights_sha256().to_owned(),
            temperature: reading.decoder.temperature(),
            contour_95: reading.rules.contour_95,
            metrics: self.metrics(
                &infos,
                selection.words(),
                selection.prompt_words().unwrap_or(predictor.prompt()),
            ),
            data: sources(&infos),
            pictures: infos.iter().zip(&self.pictures).map(one).collect(),
        }
    }

    /// The 95 % interval of each of [`MEASURES`].
    pub fn intervals(&self) -> Vec<Option<Interval>> {
        intervals(&self.groups, SEED)
    }

    fn metrics(&self, infos: &[&Info], split: &str, prompt: &str) -> Vec<Metric> {
        let mut names: Vec<String> = sources(infos).into_iter().map(|source| source.name).collect();
        names.dedup();
        let metric = |(measure, interval): (&Measure, Option<Interval>)| {
            Some(Metric {
                data_set: names.join(" + "),
                split: split.to_owned(),
                prompt: prompt.to_owned(),
                resolution: "own".to_owned(),
                measure: measure.name.to_owned(),
                per: measure.per.to_owned(),
                value: rounded(measure.of(&self.total)?),
                count: self.pictures.len(),
                low: interval.map(|interval| rounded(interval.low)),
                high: interval.map(|interval| rounded(interval.high)),
            })
        };
        MEASURES.iter().zip(self.intervals()).filter_map(metric).collect()
    }
}

/// One picture's logits and truth.
pub(crate) struct Judged<'a> {
    pub(crate) info: &'a Info,
    /// `[S,S]`.
    pub(crate) logits: &'a [f32],
    pub(crate) placement: Placement,
    pub(crate) picture: &'a Arc<Picture>,
}

impl Judged<'_> {
    pub(crate) fn truth(&self) -> Vec<bool> {
        self.picture.mask.iter().map(|value| *value == 1).collect()
    }
}

/// Runs some pictures, in order, and hands each one's logits to `judge`.
pub(crate) fn run(
    predictor: &mut dyn Predictor,
    selection: &Selection<'_>,
    progress: &mut dyn FnMut(usize, usize),
    judge: &mut dyn FnMut(Judged<'_>) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let (data, indices) = (selection.data(), selection.indices());
    let mut prepare = Prepare::new(predictor.input());
    let (mut image, mut logits) = (Vec::new(), Vec::new());
    for (done, &index) in indices.iter().enumerate() {
        let picture = data.read(index)?;
        let placement = prepare.run(&picture.rgb, picture.size, &mut image)?;
        if let Some(prompt) = selection.prompt(index) {
            predictor.remember(prompt)?;
        }
        predictor.logits(&image, 1, &mut logits)?;
        if let Some(info) = data.info(index) {
            judge(Judged { info, logits: &logits, placement, picture: &picture })?;
        }
        progress(done + 1, indices.len());
    }
    Ok(())
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
