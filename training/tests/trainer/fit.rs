//! A run: it learns, it is the same after a kill, and what it exports computes what it trained.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use polyp::model::ModelSpec;
use polyp_engine::engine::{Options, Precision as EnginePrecision};
use polyp_engine::weights::Weights;
use polyp_training::TrainingError;
use polyp_training::calibrate::calibrate;
use polyp_training::data::{DataSet, Split};
use polyp_training::export::export;
use polyp_training::fit::{EpochMetrics, FitConfig, Outcome, Progress, fit};
use polyp_training::plot::read_metrics;
use polyp_training::predict::{Exported, Predictor, Trained};
use polyp_training::score::{ScoreReport, score};
use polyp_training::selection::Selection;
use tch::Device;

use crate::fixture::{config, data_set};

fn learn(
    config: &FitConfig,
    data: &Arc<DataSet>,
    run: &Path,
    resume: bool,
) -> Result<Outcome, TrainingError> {
    fit(config, data, run, Device::Cpu, resume, &mut |_| {})
}

/// The metrics of a run without the times.
fn curve(run: &Path) -> Vec<EpochMetrics> {
    let metrics = read_metrics(&run.join("metrics.jsonl")).unwrap();
    metrics.into_iter().map(|metrics| EpochMetrics { seconds: 0.0, pictures_per_s: 0.0, ..metrics }).collect()
}

fn best(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("checkpoint/best/model.safetensors")).unwrap()
}

#[test]
fn a_killed_run_goes_on_as_if_it_had_not_been() {
    let temp = tempfile::tempdir().unwrap();
    // Some attention is dropped, so that what is drawn inside of the network has to be the same too.
    let model = ModelSpec { attention_dropout: 0.1, ..config().model };
    let config = FitConfig { model, checkpoint_steps: 2, ..config() };
    let data = data_set(&temp.path().join("discs.h5"), [20, 4, 0]);
    let (whole, killed) = (temp.path().join("whole"), temp.path().join("killed"));
    let outcome = learn(&config, &data, &whole, false).unwrap();
    assert_eq!(outcome.epochs, 3);
    // A panic in the second epoch leaves on disk what a kill at that moment would.
    let mut losses = Vec::new();
    let mut watch = |progress: &Progress<'_>| {
        losses.push(progress.sums.clone());
        assert!((progress.epoch, progress.sums.steps) != (2, 4), "the kill");
    };
    let kill =
        catch_unwind(AssertUnwindSafe(|| fit(&config, &data, &killed, Device::Cpu, false, &mut watch)));
    assert!(kill.is_err(), "it was to be killed");
    assert_eq!(curve(&killed).len(), 1, "the first epoch is kept");
    // It goes on behind the checkpoint in the middle of the epoch, and repeats what came after that.
    let mut first = None;
    fit(&config, &data, &killed, Device::Cpu, true, &mut |progress| {
        first.get_or_insert_with(|| (progress.epoch, progress.sums.clone()));
    })
    .unwrap();
    let (epoch, sums) = first.unwrap();
    assert_eq!((epoch, sums.steps), (2, 3));
    assert_eq!(sums, losses[7], "the third step of the second epoch, a second time");
    assert_eq!(curve(&killed), curve(&whole));
    assert!(best(&killed) == best(&whole), "the best weights differ");
    // Losses fall, or it has not learned.
    let losses: Vec<f64> = curve(&whole).iter().map(|metrics| metrics.train_loss).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
}

#[test]
fn a_run_starts_from_another_at_another_size() {
    let temp = tempfile::tempdir().unwrap();
    let config = FitConfig { epochs: 1, ..config() };
    let data = data_set(&temp.path().join("discs.h5"), [8, 2, 0]);
    let (small, large) = (temp.path().join("small"), temp.path().join("large"));
    learn(&config, &data, &small, false).unwrap();
    let model = ModelSpec { side_px: 96, ..config.model.clone() };
    let next =
        FitConfig { model, start: Some(small.clone()), learning_rate: 1e-9, final_rate: 0.0, ..config };
    learn(&next, &data, &large, false).unwrap();
    let weights =
        |run: &Path| Weights::read_safetensors(&run.join("checkpoint/best/model.safetensors")).unwrap();
    let (before, after) = (weights(&small), weights(&large));
    let name = "decoder.d4.up.conv0.weight";
    let value = |weights: &Weights| weights.named(name).unwrap().values[0];
    assert!((value(&before) - value(&after)).abs() < 1e-5, "{} {}", value(&before), value(&after));
    let both = FitConfig { pretrained: Some("x".into()), ..next };
    let error = learn(&both, &data, &temp.path().join("both"), false).unwrap_err().to_string();
    assert!(error.contains("start: expected one of start and pretrained"), "{error}");
}

#[test]
fn a_gpu_that_is_not_there_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let data = data_set(&temp.path().join("discs.h5"), [4, 1, 0]);
    let run = temp.path().join("run");
    let error = fit(&config(), &data, &run, Device::Cuda(99), false, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("expected that GPU, found"), "{error}");
    assert!(!run.exists());
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
    let calibrated = calibrate(&mut trained, &data, &mut |_, _| {}).unwrap();
    calibrated.draw(&run, &mut trained, &data).unwrap();
    let drawn = std::fs::read_to_string(run.join("reliability.svg")).unwrap();
    assert!(drawn.contains("before: error") && drawn.contains("calibrated: error"), "{drawn}");
    for sheet in ["worst.jpg", "best.jpg"] {
        assert!(image::open(run.join(sheet)).unwrap().width() > 0, "{sheet}");
    }
    let calibration = calibrated.calibration;
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
    assert!(folder.manifest().contour_95.is_some());
    assert_eq!(folder.manifest().contour_95, calibration.contour_95);
    let options = Options { precision: EnginePrecision::F32, ..Options::default() };
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
