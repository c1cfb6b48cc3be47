//! The tool `polyp-train`, as somebody at a prompt meets it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use polyp_training::fit::{EpochMetrics, FitConfig};
use polyp_training::plot::read_metrics;

use crate::fixture::{data_set, text_encoder};

pub(crate) fn tool(arguments: &[&str], folder: &Path) -> (bool, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_polyp-train")).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

pub(crate) fn refused(arguments: &[&str], folder: &Path) -> String {
    let (success, _, errors) = tool(arguments, folder);
    assert!(!success, "{arguments:?}");
    let line = errors.lines().find(|line| line.starts_with("polyp-train: "));
    line.unwrap_or_else(|| panic!("{errors}")).to_owned()
}

#[test]
fn the_committed_configurations_are_some() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("configs/training");
    for name in ["base", "lite0", "lite", "lite-finish-2", "lite-finish-3", "small"] {
        FitConfig::read(&folder.join(name).with_extension("toml")).unwrap().check().unwrap();
    }
}

#[test]
fn wrong_files_and_keys_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    data_set(&folder.join("discs.h5"), [4, 1, 0]);
    let fit = ["fit", "--config", "fit.toml", "--data", "discs.h5", "--out", "run"];
    assert!(refused(&fit, folder).contains("fit.toml"));
    let model = "[model]\nname = \"lite\"\nencoder = \"efficientnet-lite0\"\nside_px = 64\ntext_width = 384\n\
                 decoder_widths = [128, 64, 48]\nattention_dropout = 0.0\ndouble_step_bias = true\n";
    let config = |head: &str| std::fs::write(folder.join("fit.toml"), format!("{head}\n{model}")).unwrap();
    let encoder =
        format!("epochs = 1\nbatch = 4\nlearning_rate = 0.001\ntext_encoder = {:?}", text_encoder());
    config(&format!("{encoder}\nepoch = 3"));
    let error = refused(&fit, folder);
    assert!(error.contains("fit.toml") && error.contains("epoch"), "{error}");
    config(&format!("{encoder}\nloss = \"hinge\""));
    assert!(refused(&fit, folder).contains("loss: expected one of seu, "));
    config("epochs = 1\nbatch = 4\nlearning_rate = 0.001\ntext_encoder = \"lost\"");
    assert!(refused(&fit, folder).contains("lost"));
    assert!(!folder.join("run").exists(), "a run that can not begin leaves nothing");
    assert!(refused(&["score", "--run", "run", "--data", "discs.h5"], folder).contains("run"));
}

#[test]
fn a_run_is_told_from_its_first_line_to_its_picture() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    data_set(&folder.join("discs.h5"), [4, 1, 1]);
    let config = crate::fixture::config();
    let config = FitConfig { epochs: 2, ..config };
    std::fs::write(folder.join("fit.toml"), toml::to_string(&config).unwrap()).unwrap();
    let fit = ["fit", "--config", "fit.toml", "--data", "discs.h5", "--out", "run"];
    let (success, said, errors) = tool(&fit, folder);
    assert!(success, "{errors}");
    assert!(said.contains("run: best epoch") && said.contains("validation Dice"), "{said}");
    // Where there is no terminal for a bar, there is a line for each epoch.
    for epoch in ["epoch 1/2", "epoch 2/2"] {
        assert!(errors.contains(epoch), "{errors}");
    }
    assert!(folder.join("run/learning.svg").is_file(), "the learning curve is drawn");
    let metrics = std::fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 2);
}

/// The metrics' lines without the times.
fn curve(run: &Path) -> Vec<EpochMetrics> {
    let all = read_metrics(&run.join("metrics.jsonl")).unwrap_or_default();
    all.into_iter().map(|epoch| EpochMetrics { seconds: 0.0, pictures_per_s: 0.0, ..epoch }).collect()
}

/// Every file below a folder, with what is in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            all.insert(path, bytes);
        }
    }
    all
}

#[test]
fn a_kill_and_a_full_disk_cost_no_more_than_the_steps_since_the_last_checkpoint() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    data_set(&folder.join("discs.h5"), [16, 2, 0]);
    let config = FitConfig { epochs: 3, checkpoint_steps: 1, ..crate::fixture::config() };
    std::fs::write(folder.join("fit.toml"), toml::to_string(&config).unwrap()).unwrap();
    let fit = |run: &'static str| ["fit", "--config", "fit.toml", "--data", "discs.h5", "--out", run];
    let resume = [&fit("killed")[..], &["--resume"]].concat();
    assert!(tool(&fit("whole"), folder).0);

    let program = env!("CARGO_BIN_EXE_polyp-train");
    let mut child =
        Command::new(program).args(fit("killed")).current_dir(folder).stderr(Stdio::null()).spawn().unwrap();
    let killed = folder.join("killed");
    while curve(&killed).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();

    // No file may grow beyond 1 MiB, as on a disk that is full: what can not be written is named, and all that
    // there was is whole.
    let last = killed.join("checkpoint/last");
    let before = files(&last);
    let limited = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"";
    let output = Command::new("bash")
        .args(["-c", limited, program])
        .args(&resume)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    let told = errors.lines().find(|line| line.starts_with("polyp-train: ")).unwrap_or_default();
    assert!(told.contains("safetensors") && told.contains("File too large"), "{errors}");
    assert!(files(&last) == before, "the last good checkpoint was touched");

    let (success, _, errors) = tool(&resume, folder);
    assert!(success, "{errors}");
    assert_eq!(curve(&killed), curve(&folder.join("whole")));
}

/// The README's lines that call the trainer in its first block of the section, as they stand there.
fn readme_lines() -> Vec<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let section = text.split("## Train and export").nth(1).unwrap();
    let block = section.split("```sh").nth(1).unwrap().split("```").next().unwrap();
    let words = |line: &str| -> Option<Vec<String>> {
        let rest = line.strip_prefix("target/release/polyp-train ")?;
        Some(rest.split_whitespace().map(str::to_owned).collect())
    };
    block.lines().filter_map(words).collect()
}

#[test]
fn the_readme_leads_from_pictures_to_an_engine() {
    let temp = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().canonicalize().unwrap();
    for name in ["tests", "configs", ".deps"] {
        std::os::unix::fs::symlink(root.join(name), temp.path().join(name)).unwrap();
    }
    let lines = readme_lines();
    let verbs: Vec<&str> = lines.iter().map(|line| line[0].as_str()).collect();
    assert_eq!(verbs, ["import", "fit", "calibrate", "score", "export"]);
    for line in &lines {
        let arguments: Vec<&str> = line.iter().map(String::as_str).collect();
        let (success, said, errors) = tool(&arguments, temp.path());
        assert!(success, "{line:?}: {said}{errors}");
    }
    let folder = polyp_engine::folder::EngineFolder::open(&temp.path().join("runs/small-engine")).unwrap();
    assert!(folder.manifest().metrics.iter().any(|metric| metric.measure == "dice" && metric.per == "image"));
}
