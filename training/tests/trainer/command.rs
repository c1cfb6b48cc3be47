//! The tool `polyp-train`, as somebody at a prompt meets it.

use std::path::Path;
use std::process::Command;

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
fn the_committed_configuration_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join("configs/training/lite.toml");
    polyp_training::fit::FitConfig::read(&path).unwrap().check().unwrap();
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
    let config = polyp_training::fit::FitConfig { epochs: 2, ..config };
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
