//! The temperature: what logits are divided by so that a probability of 0.7 is right seven times in ten.
//!
//! Fitted on the validation side, after training, by making the pixels' negative log-likelihood smallest. It
//! moves no mask's edge (the threshold 0.5 stays where it is), only how sure the network says it is.
//!
//! Why one number: on halves of the validation side, with a network that had learned with a cross-entropy, a bias beside
//! it (Platt 1999) changed both calibration errors by less than 0.001, and a third number for the curve between made them
//! no better. With a network that had learned with Dice and entropy alone a bias made the error of all pixels smaller
//! and that around lesions larger, and moved the masks' edge to their harm.
//!
//! Not here: dividing by it (`polyp::decode`).

use std::path::{Path, PathBuf};

use polyp::decode::Decoder;
use polyp::input::Placement;
use polyp::metric::{LesionLevels, Rules, Sums};
use polyp_engine::error::EngineError;
use polyp_engine::manifest::DataSource;
use polyp_engine::score::Scorer;
use serde::{Deserialize, Serialize};

use crate::data::{DataSet, Info, Split, mask_at};
use crate::predict::Predictor;
use crate::report::{reliability, sheets};
use crate::score::{Reading, run, sources};
use crate::selection::Selection;
use crate::{TrainingError, json};

/// Temperatures are looked for between these.
pub const BOUNDS: [f64; 2] = [0.05, 20.0];

/// Golden-section steps, after which the interval is 1e-8 of the first.
const STEPS: usize = 38;

/// A calibration with the pictures' sums at temperature 1 and after it, for diagrams.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// What is kept of it.
    pub calibration: Calibration,
    /// Every validation picture at temperature 1.
    pub before: Vec<Sums>,
    /// And calibrated.
    pub after: Vec<Sums>,
}

impl Calibrated {
    /// Draws it to the run's folder: `reliability.svg`, before and after, and the validation pictures with the lowest and
    /// the highest Dice, `worst.jpg` and `best.jpg`.
    ///
    /// # Errors
    /// [`TrainingError`] when a picture can not be run or a file can not be written.
    pub fn draw(
        &self,
        run: &Path,
        predictor: &mut dyn Predictor,
        data: &DataSet,
    ) -> Result<(), TrainingError> {
        let [before, after] = [&self.before, &self.after].map(Sums::total);
        let path = run.join("reliability.svg");
        let drawn = reliability(&[("before", &before), ("calibrated", &after)])?;
        std::fs::write(&path, drawn).map_err(TrainingError::file("write", &path))?;
        let selection = Selection::side(data, Split::Validation)?;
        let paths: [&Path; 2] = [&run.join("worst.jpg"), &run.join("best.jpg")];
        sheets(paths, predictor, &self.calibration.reading()?, &selection, &self.after)
    }
}

/// What a calibration came to: a file in the run's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The sha256 of the weights that were calibrated.
    pub weights_sha256: String,
    /// With this prompt.
    pub prompt: String,
    /// Logits are divided by it.
    pub temperature: f32,
    /// The fitted 0.95 contour: the calibrated probability from which on 95 % of the lesions' pixels lie, all
    /// pictures' together. None in files that were written before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contour_95: Option<f32>,
    /// Mean negative log-likelihood of a pixel at temperature 1, in nats.
    pub nll_before: f64,
    /// And at the temperature.
    pub nll_after: f64,
    /// Calibration error of all pixels and of those around polyps, at temperature 1.
    pub ece_before: [f64; 2],
    /// And at the temperature.
    pub ece_after: [f64; 2],
    /// The pictures it was fitted on.
    pub count: usize,
    /// What the run learned from and chose by.
    pub data: Vec<DataSource>,
}

impl Calibration {
    /// Where a run keeps it.
    pub fn path(run: &Path) -> PathBuf {
        run.join("calibration.json")
    }

    /// Reads the calibration of a run; none when there is no such file.
    ///
    /// # Errors
    /// [`TrainingError`] when the file is not one.
    pub fn of(run: &Path) -> Result<Option<Self>, TrainingError> {
        let path = Self::path(run);
        if path.exists() { json::read(&path, "a calibration").map(Some) } else { Ok(None) }
    }

    /// How logits that it was fitted for are read.
    ///
    /// # Errors
    /// [`TrainingError::Engine`] when its numbers are of no use.
    pub fn reading(&self) -> Result<Reading, TrainingError> {
        Reading::new(self.temperature, self.contour_95)
    }

    /// Writes it to the run's folder.
    ///
    /// # Errors
    /// [`TrainingError`] when the file can not be written.
    pub fn write(&self, run: &Path) -> Result<(), TrainingError> {
        json::write(&Self::path(run), self)
    }
}

/// Fits the temperature of a network on a data set's validation side.
///
/// # Errors
/// [`TrainingError`] when that side has no pictures, a picture can not be run, or no temperature is best.
pub fn calibrate(
    predictor: &mut dyn Predictor,
    data: &DataSet,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Calibrated, TrainingError> {
    let selection = Selection::side(data, Split::Validation)?;
    let (mut logits, mut truth) = (Vec::new(), Vec::new());
    let mut placements = Vec::new();
    let mut before = Scorer::new(Decoder::new(1.0).map_err(EngineError::from)?, Rules::default());
    run(predictor, &selection, progress, &mut |judged| {
        logits.extend_from_slice(judged.logits);
        truth.extend(small_truth(&judged.picture.mask, judged.info, judged.placement));
        before.add(judged.logits, judged.placement, &judged.truth(), judged.info.size)?;
        placements.push(judged.placement);
        Ok(())
    })?;
    let fitted = fit_temperature(&logits, &truth).ok_or_else(|| {
        let expected = format!("a best one between {} and {}", BOUNDS[0], BOUNDS[1]);
        TrainingError::field(
            data.path(),
            "temperature",
            expected,
            "one at the edge: too few or too easy pictures",
        )
    })?;
    let decoder = Decoder::new(fitted.temperature).map_err(EngineError::from)?;
    let mut after = Scorer::new(decoder, Rules::default());
    let mut levels = LesionLevels::default();
    let area = predictor.input().side_px as usize * predictor.input().side_px as usize;
    for ((&index, placement), logits) in
        selection.indices().iter().zip(placements).zip(logits.chunks_exact(area))
    {
        let picture = data.read(index)?;
        let mask: Vec<bool> = picture.mask.iter().map(|value| *value == 1).collect();
        levels.add(&after.probability(logits, placement, picture.size)?, &mask);
        after.add(logits, placement, &mask, picture.size)?;
    }
    let learned = data.infos().iter().filter(|info| info.split != Split::Test);
    let [before, after] = [before, after].map(|scorer| scorer.finish().pictures().to_vec());
    let errors = |pictures: &[Sums]| {
        let total = Sums::total(pictures);
        [total.image(), total.boxed()].map(|pixels| pixels.error().unwrap_or(0.0))
    };
    let calibration = Calibration {
        weights_sha256: predictor.weights_sha256().to_owned(),
        prompt: predictor.prompt().to_owned(),
        temperature: fitted.temperature,
        contour_95: levels.level(0.95),
        nll_before: fitted.before,
        nll_after: fitted.after,
        ece_before: errors(&before),
        ece_after: errors(&after),
        count: selection.indices().len(),
        data: sources(&learned.collect::<Vec<_>>()),
    };
    Ok(Calibrated { calibration, before, after })
}

/// A mask at the centres of the logits' cells; none where a cell lies outside of the picture.
fn small_truth(mask: &[u8], info: &Info, placement: Placement) -> Vec<Option<bool>> {
    let (side, target) = (placement.side_px, placement.target);
    let mut truth = Vec::with_capacity(side as usize * side as usize);
    for row in 0..side {
        for column in 0..side {
            let inside = (target.x..target.x + target.width).contains(&column)
                && (target.y..target.y + target.height).contains(&row);
            let (x, y) = placement.to_frame(column as f32 + 0.5, row as f32 + 0.5);
            truth.push(inside.then(|| mask_at(mask, info.size, x - 0.5, y - 0.5) > 0.5));
        }
    }
    truth
}

/// A temperature and what it changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fitted {
    /// The best temperature.
    pub temperature: f32,
    /// Mean negative log-likelihood at temperature 1, in nats.
    pub before: f64,
    /// And at the best one.
    pub after: f64,
}

/// The temperature at which `logits` explain `truth` best (cells without truth do not count); none when that
/// is at the edge of [`BOUNDS`], as it is for logits that are always or never right.
pub fn fit_temperature(logits: &[f32], truth: &[Option<bool>]) -> Option<Fitted> {
    // The logit of what is true: positive where the network is right.
    let margins: Vec<f32> = logits
        .iter()
        .zip(truth)
        .filter_map(|(logit, truth)| truth.map(|truth| if truth { *logit } else { -logit }))
        .collect();
    if margins.is_empty() {
        return None;
    }
    let loss = |log_temperature: f64| nll(&margins, (-log_temperature).exp());
    // Convex in 1/T, so with one minimum in log T.
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let edges = BOUNDS.map(f64::ln);
    let [mut low, mut high] = edges;
    let mut inner = [high - golden * (high - low), low + golden * (high - low)];
    let mut losses = inner.map(&loss);
    for _ in 0..STEPS {
        if losses[0] <= losses[1] {
            high = inner[1];
            (inner[1], losses[1]) = (inner[0], losses[0]);
            inner[0] = high - golden * (high - low);
            losses[0] = loss(inner[0]);
        } else {
            low = inner[0];
            (inner[0], losses[0]) = (inner[1], losses[1]);
            inner[1] = low + golden * (high - low);
            losses[1] = loss(inner[1]);
        }
    }
    let best = f64::midpoint(low, high);
    if best - edges[0] < 1e-3 || edges[1] - best < 1e-3 {
        return None;
    }
    Some(Fitted { temperature: best.exp() as f32, before: loss(0.0), after: loss(best) })
}

/// Mean of `ln(1 + exp(-margin * scale))`, summed in a fixed order.
fn nll(margins: &[f32], scale: f64) -> f64 {
    let scale = scale as f32;
    let sum_of = |part: &[f32]| -> f64 {
        let each = part.iter().map(|margin| {
            let x = margin * scale;
            f64::from((-x).max(0.0) + (-x.abs()).exp().ln_1p())
        });
        each.sum()
    };
    margins.chunks(1 << 16).map(sum_of).sum::<f64>() / margins.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Random;

    /// Truths drawn with the probabilities of `logits / temperature`.
    fn drawn(count: usize, temperature: f32) -> (Vec<f32>, Vec<Option<bool>>) {
        let mut random = Random::new(&[11]);
        let logits: Vec<f32> = (0..count).map(|_| random.between(-6.0, 6.0)).collect();
        let truth = logits
            .iter()
            .map(|logit| Some(random.chance(1.0 / (1.0 + (-logit / temperature).exp()))))
            .collect();
        (logits, truth)
    }

    #[test]
    fn a_known_temperature_is_found() {
        for temperature in [0.5, 1.0, 2.5] {
            let (logits, truth) = drawn(200_000, temperature);
            let fitted = fit_temperature(&logits, &truth).unwrap();
            assert!((fitted.temperature / temperature - 1.0).abs() < 0.02, "{temperature}: {fitted:?}");
            assert!(fitted.after <= fitted.before);
            assert_eq!(fit_temperature(&logits, &truth), Some(fitted));
        }
    }

    #[test]
    fn cells_without_truth_do_not_count() {
        let (mut logits, mut truth) = drawn(10_000, 1.5);
        let fitted = fit_temperature(&logits, &truth);
        logits.extend([50.0; 100]);
        truth.extend([None; 100]);
        assert_eq!(fit_temperature(&logits, &truth), fitted);
    }

    #[test]
    fn logits_that_are_always_or_never_right_have_no_temperature() {
        assert_eq!(fit_temperature(&[3.0, -2.0], &[Some(true), Some(false)]), None);
        assert_eq!(fit_temperature(&[3.0, -2.0], &[Some(false), Some(true)]), None);
        assert_eq!(fit_temperature(&[], &[]), None);
    }
}
