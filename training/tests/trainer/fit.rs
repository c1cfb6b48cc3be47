//! A run: it learns, it is the same after a kill, and what it exports computes what it trained.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use polyp_engine::engine::{Options, Precision as EnginePrecision};
use polyp_training::TrainingError;
use polyp_training::calibrate::calibrate;
use polyp_training::data::{DataSet, Split};
use polyp_training::export::export;
use polyp_training::fit::{EpochMetrics, FitConfig, Outcome, Progress, fit};
use polyp_training::plot::read_metrics;
use polyp_training::predict::{Exported, Predictor, Trained};
use polyp_training::score::{ScoreReport, score};
use polyp_training::selection::Selection;

use crate::fixture::{config, data_set};

fn learn(
    config: &FitConfig,
    data: &Arc<DataSet>,
    run: &Path,
    resume: bool,
) -> Result<Outcome, TrainingError> {
    fit(config, data, run, resume, &mut |_| {})
}

/// The metrics of a run without the times.
fn curve(run: &Path) -> Vec<EpochMetrics> {
    let metrics = read_metrics(&run.join("metrics.jsonl")).unwrap();
    metrics.into_iter().map(|metrics| EpochMetrics { seconds: 0.0, ..metrics }).collect()
}

#[test]
fn a_killed_run_goes_on_as_if_it_had_not_been() {
    let temp = tempfile::tempdir().unwrap();
    let (config, data) = (config(), data_set(&temp.path().join("discs.h5"), [12, 4, 0]));
    let (whole, killed) = (temp.path().join("whole"), temp.path().join("killed"));
    let outcome = learn(&config, &data, &whole, false).unwrap();
    assert_eq!(outcome.epochs, 3);
    // A panic in the second epoch leaves on disk what a kill at that moment would.
    let mut watch = |progress: Progress| assert!((progress.epoch, progress.step) != (2, 2), "the kill");
    let kill = catch_unwind(AssertUnwindSafe(|| fit(&config, &data, &killed, false, &mut watch)));
    assert!(kill.is_err(), "it was to be killed");
    assert_eq!(curve(&killed).len(), 1, "the first epoch is kept");
    learn(&config, &data, &killed, true).unwrap();
    assert_eq!(curve(&killed), curve(&whole));
    let best = |run: &Path| std::fs::read(run.join("checkpoint/best/model.safetensors")).unwrap();
    assert!(best(&killed) == best(&whole), "the best weights differ");
    // Losses fall, or it has not learned.
    let losses: Vec<f64> = curve(&whole).iter().map(|metrics| metrics.train_loss).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
}

#[test]
fn a_run_is_not_begun_twice_nor_gone_on_with_by_other_rules() {
    let temp = tempfile::tempdir().unwrap();
    let config = FitConfig { epochs: 1, ..config() };
    let (data, run) = (data_set(&temp.path().join("discs.h5"), [4, 1, 0]), temp.path().join("run"));
    learn(&config, &data, &run, false).unwrap();
    let refused = |config: &FitConfig, resume| learn(config, &data, &run, resume).unwrap_err().to_string();
    assert!(refused(&config, false).contains("--resume"));
    let other = FitConfig { seed: 8, ..config.clone() };
    assert!(refused(&other, true).contains("the configuration that the run was started with"));
    let empty = data_set(&temp.path().join("small.h5"), [2, 1, 0]);
    let error = learn(&config, &empty, &temp.path().join("other"), false).unwrap_err().to_string();
    assert!(error.contains("split train: expected at least 4 pictures, found 2 pictures"), "{error}");
}

#[test]
fn what_is_exported_computes_what_was_trained() {
    let temp = tempfile::tempdir().unwrap();
    let config = FitConfig { epochs: 4, ..config() };
    let data = data_set(&temp.path().join("discs.h5"), [16, 4, 4]);
    let (run, out) = (temp.path().join("run"), temp.path().join("engine"));
    learn(&config, &data, &run, false).unwrap();
    let error = export(&run, "discs", "MiniLM", &out).unwrap_err().to_string();
    assert!(error.contains("expected a calibration") && error.contains("found none"), "{error}");

    let mut trained = Trained::open(&run, None).unwrap();
    let calibration = calibrate(&mut trained, &data, &mut |_, _| {}).unwrap().calibration;
    assert!(calibration.nll_after <= calibration.nll_before, "{calibration:?}");
    calibration.write(&run).unwrap();
    let (reading, selection) = (calibration.reading().unwrap(), Selection::side(&data, Split::Test).unwrap());
    let scored = |predictor: &mut dyn Predictor| {
        let scored = score(predictor, &reading, &selection, &mut |_, _| {}).unwrap();
        scored.report(predictor, &reading, &selection)
    };
    let report = scored(&mut trained);
    report.write(&ScoreReport::path(&run, &data, Split::Test)).unwrap();

    let folder = export(&run, "discs", "MiniLM", &out).unwrap();
    assert_eq!(folder.manifest().metrics, report.metrics);
    assert_eq!(folder.manifest().temperature, calibration.temperature);
    let options = Options { precision: EnginePrecision::F32, threads: 0 };
    let mut exported = Exported::open(&out, "openvino", &options).unwrap();
    let image: Vec<f32> = (0..3 * 64 * 64).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect();
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    trained.logits(&image, 1, &mut expected).unwrap();
    exported.logits(&image, 1, &mut found).unwrap();
    let largest = expected.iter().map(|logit| logit.abs()).fold(0.0, f32::max);
    let furthest = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Four epochs make small logits out of large features: what is lost in the sums weighs more here than in parity.rs.
    assert!(furthest <= 1e-3 * largest && largest > 0.1, "{furthest:e} of {largest}");
    let dice = |report: &ScoreReport| report.value("dice", "image").unwrap();
    assert!((dice(&scored(&mut exported)) - dice(&report)).abs() < 1e-3);

    // Other weights than were calibrated are not exported with that temperature.
    let path = run.join("calibration.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&calibration.weights_sha256, &"0".repeat(64))).unwrap();
    let error = export(&run, "discs", "MiniLM", &temp.path().join("other")).unwrap_err().to_string();
    assert!(error.contains("calibration.json: weights_sha256"), "{error}");
}
