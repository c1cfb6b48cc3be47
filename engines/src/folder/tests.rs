//! Folders that are whole, and every way in which one is not.

use std::fs;

use polyp::model::{Fusion, Mixer, ModelSpec};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::manifest::FILES;

fn small() -> ModelSpec {
    ModelSpec { name: "small".to_owned(), side_px: 64, ..ModelSpec::lite() }
}

fn folder() -> (TempDir, PathBuf) {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("engine");
    write_random(&dir, small(), 1).unwrap();
    (temp, dir)
}

/// What opening says when the manifest was changed by `change`.
fn refused(dir: &Path, change: impl FnOnce(&mut Value)) -> String {
    let path = dir.join(MANIFEST_FILE);
    let kept = fs::read_to_string(&path).unwrap();
    let mut manifest = serde_json::from_str(&kept).unwrap();
    change(&mut manifest);
    fs::write(&path, manifest.to_string()).unwrap();
    let error = EngineFolder::open(dir).unwrap_err().to_string();
    fs::write(&path, kept).unwrap();
    assert!(!error.contains('\n'), "{error}");
    error.replace(&dir.display().to_string(), "engine")
}

#[test]
fn a_written_folder_opens_and_is_what_was_written() {
    let (temp, dir) = folder();
    let folder = EngineFolder::open(&dir).unwrap();
    assert_eq!(folder.manifest().name, "small-random-1");
    assert!(folder.manifest().weights.starts_with("random"), "{}", folder.manifest().weights);
    assert_eq!(folder.manifest().model, small());
    let memory = folder.memory().unwrap();
    assert_eq!(memory.engine_sha256, folder.prompt_sha256());
    let network = Network::new(&small()).unwrap();
    let weights = folder.weights().unwrap();
    for param in network.prompt_params() {
        weights.get(param).unwrap();
    }
    let left: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["engine"], "nothing half-written is left behind");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (first, second) = (folder(), folder());
    for name in FILES.into_iter().chain([MANIFEST_FILE]) {
        assert!(fs::read(first.1.join(name)).unwrap() == fs::read(second.1.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn a_folder_is_not_written_over() {
    let (_temp, dir) = folder();
    let error = write_random(&dir, small(), 2).unwrap_err().to_string();
    assert!(error.starts_with("folder to write: expected a name that nothing has yet"), "{error}");
    assert_eq!(EngineFolder::open(&dir).unwrap().manifest().name, "small-random-1");
}

#[test]
fn a_wrong_manifest_is_refused_with_its_field() {
    let (_temp, dir) = folder();
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 13] = [
        (
            |m| m["colour"] = json!(1),
            "engine/manifest.json: expected a manifest, found unknown field `colour`",
        ),
        (|m| m["input"]["colour"] = json!(1), "unknown field `colour`"),
        (|m| drop(m.as_object_mut().unwrap().remove("temperature")), "missing field `temperature`"),
        (|m| m["format_version"] = json!(2), "manifest.json, field format_version: expected 1, found 2"),
        (|m| m["temperature"] = json!(0.0), "field temperature: expected a finite number above 0, found 0"),
        (
            |m| m["temperature"] = json!(1e300),
            "field temperature: expected a finite number above 0, found inf",
        ),
        (|m| m["contour_95"] = json!(1.5), "field contour_95: expected a probability from 0 to 1, found 1.5"),
        (|m| m["temperature"] = Value::Null, "invalid type: null, expected f32"),
        (|m| m["input"]["side_px"] = json!(96), "field input.side_px: expected the model's 64, found 96"),
        (|m| m["model"]["side_px"] = json!(65), "field side_px: expected a multiple of 32"),
        (|m| m["prompt"]["text"] = json!(" "), "field prompt.text: expected a prompt, found nothing"),
        (
            |m| m["files"]["../x"] = json!("0"),
            "field files: expected model.onnx, prompt.safetensors, memory.safetensors, found ../x",
        ),
        (
            |m| m["files"]["model.onnx"] = json!("0"),
            "field files.model.onnx: expected a sha256 (64 hexadecimal digits), found 0",
        ),
    ];
    for (change, expected) in cases {
        let error = refused(&dir, change);
        assert!(error.contains(expected), "{error}\n{expected}");
    }
    let input = json!({ "side_px": 64, "fit": "squash", "normalisation":
        { "kind": "fixed", "mean": [0.0, 0.0, 0.0], "std": [1.0, 0.0, 1.0] } });
    let error = refused(&dir, |m| m["input"] = input);
    assert!(error.contains("field input.normalisation.std: expected finite numbers above 0"), "{error}");
    assert!(EngineFolder::open(&dir).is_ok(), "and the one that was written is not");
}

#[test]
fn every_file_is_needed_and_must_be_the_one_that_was_written() {
    let (_temp, dir) = folder();
    for name in FILES {
        let path = dir.join(name);
        let kept = fs::read(&path).unwrap();
        let mut changed = kept.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(&path, &changed).unwrap();
        let error = EngineFolder::open(&dir).unwrap_err();
        assert!(matches!(&error, EngineError::Hash { path, .. } if path.ends_with(name)), "{error}");
        fs::write(&path, &kept[..kept.len() / 2]).unwrap();
        assert!(matches!(EngineFolder::open(&dir), Err(EngineError::Hash { .. })));
        fs::remove_file(&path).unwrap();
        let error = EngineFolder::open(&dir).unwrap_err().to_string();
        assert!(error.contains("can not open") && error.contains(name), "{error}");
        fs::write(&path, &kept).unwrap();
    }
    let error = EngineFolder::open(&dir.join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("can not read") && error.contains("manifest.json"), "{error}");
}

#[test]
fn a_file_that_is_changed_after_opening_is_not_used() {
    let (_temp, dir) = folder();
    let folder = EngineFolder::open(&dir).unwrap();
    let reads: [(&str, &dyn Fn() -> Option<EngineError>); 4] = [
        (MODEL_FILE, &|| folder.model().err()),
        (MODEL_FILE, &|| folder.frame_weights().err()),
        (PROMPT_FILE, &|| folder.prompt_weights().err()),
        (MEMORY_FILE, &|| folder.memory().err()),
    ];
    for (name, read) in reads {
        assert!(read().is_none(), "{name}");
        let path = dir.join(name);
        let kept = fs::read(&path).unwrap();
        let mut changed = kept.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(&path, &changed).unwrap();
        let error = read().unwrap();
        assert!(matches!(&error, EngineError::Hash { path, .. } if path.ends_with(name)), "{error}");
        fs::write(&path, &kept).unwrap();
    }
}

#[test]
fn a_memory_of_other_weights_is_not_written() {
    let temp = TempDir::new().unwrap();
    let network = Network::new(&small()).unwrap();
    let params = network.params();
    let weights = |seed| Weights::random(&params, seed);
    let memory = write::random_memory(&network, &weights(2), 1).unwrap();
    let folder = write_random(&temp.path().join("a"), small(), 1).unwrap();
    let new = NewFolder {
        name: "b".to_owned(),
        model: small(),
        input: folder.manifest().input,
        temperature: 1.0,
        contour_95: None,
        text_encoder: "none".to_owned(),
        weights: "random".to_owned(),
        data: Vec::new(),
        metrics: Vec::new(),
    };
    let error = write_folder(&temp.path().join("b"), new, &weights(1), &memory).unwrap_err();
    assert!(matches!(error, EngineError::Memory { .. }), "{error}");
    assert!(!temp.path().join("b").exists());
}

#[test]
fn a_network_without_a_memory_is_not_written() {
    let temp = TempDir::new().unwrap();
    for fusion in [Fusion::None, Fusion::Addition] {
        let dir = temp.path().join("engine");
        let error = write_random(&dir, ModelSpec { fusion, ..small() }, 1).unwrap_err().to_string();
        assert!(error.contains("field model.fusion: expected cross-attention (other networks"), "{error}");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "something is left behind");
    }
}

#[test]
fn another_mixer_is_a_matter_of_the_prompt_side_alone() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("engine");
    let folder = write_random(&dir, ModelSpec { mixer: Mixer::Linear, ..small() }, 1).unwrap();
    assert_eq!(folder.manifest().model.mixer, Mixer::Linear);
    folder.memory().unwrap();
}
