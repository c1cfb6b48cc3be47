//! One run out of several.

use std::path::{Path, PathBuf};

use polyp::model::Network;
use polyp_engine::weights::Weights;
use polyp_training::average::average;
use polyp_training::fit::{BEST, FitConfig};
use polyp_training::predict::{Predictor, Trained};

use crate::fixture;

/// A run's folder as `fit` leaves it, with random weights.
fn run(folder: &Path, name: &str, config: &FitConfig, seed: u64) -> PathBuf {
    let run = folder.join(name);
    std::fs::create_dir_all(run.join(BEST).parent().unwrap()).unwrap();
    std::fs::write(run.join("config.toml"), toml::to_string(config).unwrap()).unwrap();
    let network = Network::new(&config.model).unwrap();
    Weights::random(&network.params(), seed).write_safetensors(&run.join(BEST)).unwrap();
    run
}

#[test]
fn the_mean_is_a_run_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let config = fixture::config();
    let runs = [1, 2, 3].map(|seed| run(folder.path(), &format!("run-{seed}"), &config, seed));
    let out = folder.path().join("mean");
    let made = average(&runs, &out).unwrap();
    let read = |run: &PathBuf| Weights::read_safetensors(&run.join(BEST)).unwrap();
    let (mean, all) = (read(&out), runs.each_ref().map(read));
    assert_eq!(mean.len(), all[0].len());
    for (name, array) in mean.iter() {
        for (index, &value) in array.values.iter().enumerate() {
            let expected = all.iter().map(|one| one.named(name).unwrap().values[index]).sum::<f32>() / 3.0;
            assert!((value - expected).abs() <= 1e-6 * (1.0 + expected.abs()), "{name}: {value}, {expected}");
        }
    }
    assert_eq!(Trained::open(&out, None).unwrap().weights_sha256(), made.weights_sha256);
    let told = std::fs::read_to_string(out.join("average.json")).unwrap();
    for one in &all {
        assert!(told.contains(&one.sha256()), "{told}");
    }
    let again = average(&runs, &out).unwrap_err().to_string();
    assert!(again.contains("expected a folder without a run"), "{again}");
}

#[test]
fn runs_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = fixture::config();
    let first = run(folder.path(), "first", &config, 1);
    let out = folder.path().join("mean");
    let alone = average(std::slice::from_ref(&first), &out).unwrap_err().to_string();
    assert!(alone.contains("expected at least two to average, found 1"), "{alone}");
    let mut other = config;
    other.prompt = "colorectal polyp".to_owned();
    let second = run(folder.path(), "second", &other, 2);
    let differs = average(&[first, second], &out).unwrap_err().to_string();
    assert!(differs.contains("second/config.toml") && differs.contains("prompt"), "{differs}");
    assert!(!out.exists(), "nothing is left of what was refused");
}
