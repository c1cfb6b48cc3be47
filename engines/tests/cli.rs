//! The tool `polyp-engine`, as somebody at a prompt meets it.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test's helpers are tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{GrayImage, Luma, Rgb, RgbImage};
use polyp::model::ModelSpec;
use polyp_engine::folder::write_random;
use polyp_engine::memory::PromptMemory;
use serde_json::Value;
use tempfile::TempDir;

fn tool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_polyp-engine")).args(arguments).output().unwrap()
}

fn said(arguments: &[&str]) -> String {
    let output = tool(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line that a refusal is.
fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors.strip_prefix("polyp-engine: ").unwrap().trim_end().to_owned()
}

fn refuses(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polyp-engine"));
    command.args(arguments);
    refused(command)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder of the smallest `lite`.
fn small() -> (TempDir, PathBuf) {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("engine");
    let spec = ModelSpec { name: "small".to_owned(), side_px: 64, ..ModelSpec::lite() };
    write_random(&dir, spec, 1).unwrap();
    (temp, dir)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_new_folder_says_that_its_weights_are_random_and_verifies() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("lite");
    assert!(said(&["new", "--spec", "lite", "--seed", "3", "--out", text(&dir)]).contains("lite-random-3"));
    let inspected = said(&["inspect", text(&dir)]);
    for part in
        ["lite-random-3", "random, seed 3: for speed only, sees no polyps", "256 x 256 px", "model.onnx"]
    {
        assert!(inspected.contains(part), "{inspected}");
    }
    let manifest = json(&said(&["inspect", text(&dir), "--json"]));
    assert_eq!(manifest["model"]["name"], "lite");
    let verified = said(&["verify", text(&dir)]);
    for (backend, built) in [("openvino", cfg!(feature = "openvino")), ("ort", cfg!(feature = "ort"))] {
        let expected = if built {
            format!("ok    {backend} in f32: ")
        } else {
            format!("--    {backend}: not compared: ")
        };
        assert!(verified.lines().any(|line| line.starts_with(&expected)), "{verified}");
    }
    let again = refuses(&["new", "--spec", "lite", "--out", text(&dir)]);
    assert!(again.starts_with("folder to write: expected a name that nothing has yet"), "{again}");
}

#[test]
fn a_changed_file_does_not_verify() {
    let (_temp, dir) = small();
    let path = dir.join("prompt.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    for verb in ["verify", "inspect"] {
        let error = refuses(&[verb, text(&dir)]);
        assert!(error.contains("prompt.safetensors: expected sha256 "), "{error}");
    }
}

#[test]
fn bench_has_the_promised_keys() {
    let (_temp, dir) = small();
    let report =
        json(&said(&["bench", "--engine", text(&dir), "--backend", "reference", "--frames", "3", "--json"]));
    assert!(report["median_ms"].as_f64().unwrap() <= report["p99_ms"].as_f64().unwrap());
    assert_eq!((&report["backend"], &report["precision"]), (&"reference".into(), &"f32".into()));
    assert_eq!((&report["frames"], &report["side_px"]), (&3.into(), &64.into()));
    assert!(report["threads"].as_u64().unwrap() > 0);
    let words = said(&["bench", "--engine", text(&dir), "--backend", "reference", "--frames", "1"]);
    assert!(words.contains("median"), "{words}");
}

/// Pictures of two sizes, with masks, in `images` and `masks`.
fn pictures(root: &Path) -> (PathBuf, PathBuf) {
    let (images, masks) = (root.join("images"), root.join("masks"));
    fs::create_dir_all(&images).unwrap();
    fs::create_dir_all(&masks).unwrap();
    for (name, mask, width) in [("a.jpg", "a.png", 90), ("b.png", "b.jpg", 120)] {
        RgbImage::from_fn(width, 80, |x, y| Rgb([x as u8, y as u8, 90])).save(images.join(name)).unwrap();
        let disc = |x: u32, y: u32| if (x as f32 - 40.0).hypot(y as f32 - 40.0) < 20.0 { 255 } else { 0 };
        GrayImage::from_fn(width, 80, |x, y| Luma([disc(x, y)])).save(masks.join(mask)).unwrap();
    }
    (images, masks)
}

#[test]
fn score_has_the_promised_keys() {
    let (temp, dir) = small();
    let (images, masks) = pictures(temp.path());
    let arguments = [
        "score",
        "--engine",
        text(&dir),
        "--images",
        text(&images),
        "--masks",
        text(&masks),
        "--backend",
        "reference",
    ];
    let report = json(&said(&[&arguments[..], &["--json", "--per-image"]].concat()));
    let keys = [
        "dice_per_image",
        "dice_pooled",
        "iou_per_image",
        "iou_pooled",
        "ece_image",
        "ece_box",
        "boundary_f",
        "sensitivity",
        "false_area",
        "coverage_p05",
    ];
    for key in keys {
        assert!((0.0..=1.0).contains(&report[key].as_f64().unwrap()), "{report}");
    }
    // Every picture has a polyp, and no contour was fitted.
    assert!(report["false_alarms"].is_null() && report["coverage_95"].is_null(), "{report}");
    assert_eq!((&report["count"], &report["side_px"]), (&2.into(), &64.into()));
    assert_eq!(report["backend"], "reference");
    assert!(report["prompt"].as_str().unwrap().starts_with("random text features"));
    assert_eq!(report["per_image"][1]["name"], "b");
    let list = temp.path().join("list.txt");
    fs::write(&list, "b.png\n").unwrap();
    let one = said(&[&arguments[..], &["--list", text(&list)]].concat());
    assert!(one.starts_with("1 pictures"), "{one}");
}

/// The engine that the repository has, and the pictures that its tests have.
fn lite() -> (PathBuf, PathBuf) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    (root.join("store/lite"), root.join("../tests/fixtures/kvasir-seg"))
}

#[test]
fn a_smaller_input_has_the_same_weights_and_figures_of_its_own() {
    let ((lite, data), temp) = (lite(), TempDir::new().unwrap());
    let (images, masks, out) = (data.join("images"), data.join("masks"), temp.path().join("lite-128"));
    let mut arguments = vec!["resize", text(&lite), "--side", "128", "--images", text(&images)];
    arguments.extend(["--masks", text(&masks), "--data-set", "Kvasir-SEG", "--split", "test"]);
    arguments.extend(["--backend", "reference", "--out", text(&out)]);
    let told = said(&arguments);
    let (before, after) =
        (json(&said(&["inspect", text(&lite), "--json"])), json(&said(&["inspect", text(&out), "--json"])));
    assert_eq!(
        (&after["name"], &after["input"]["side_px"], &after["model"]["side_px"]),
        (&"lite-128".into(), &128.into(), &128.into())
    );
    for same in ["temperature", "prompt", "weights"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["files"]["prompt.safetensors"], before["files"]["prompt.safetensors"]);
    // Nothing that was measured at the other size is said of this one.
    assert!(after["contour_95"].is_null() && !before["contour_95"].is_null());
    let metrics = after["metrics"].as_array().unwrap();
    assert!(
        metrics.iter().all(|metric| metric["data_set"] == "Kvasir-SEG" && metric["count"] == 12),
        "{metrics:?}"
    );
    let dice = metrics.iter().find(|metric| metric["measure"] == "dice" && metric["per"] == "image").unwrap();
    // It still sees polyps, on these few pictures, and is another network than before.
    let dice = dice["value"].as_f64().unwrap();
    assert!(dice > 0.7, "{dice}");
    assert!(told.contains(&format!("128 px: dice {dice:.4} (")), "{told}");
    assert_ne!(after["files"]["model.onnx"], before["files"]["model.onnx"]);
    let tests = |manifest: &Value| -> Vec<Value> {
        let data = manifest["data"].as_array().unwrap();
        data.iter().filter(|data| data["split"] == "test").map(|data| data["name"].clone()).collect()
    };
    assert_eq!(tests(&after), ["Kvasir-SEG"]);
    assert!(refuses(&arguments).starts_with("folder to write: expected a name that nothing has yet"));
    let nowhere = temp.path().join("nowhere-yet");
    *arguments.last_mut().unwrap() = text(&nowhere);
    let wrong = |at: usize, value: &'static str| {
        let mut arguments = arguments.clone();
        arguments[at] = value;
        refuses(&arguments)
    };
    let same = wrong(3, "256");
    assert!(same.starts_with("side_px: expected another size than lite's, found 256"), "{same}");
    let odd = wrong(3, "100");
    assert!(odd.contains("multiple of 32"), "{odd}");
    let unknown = wrong(9, "MINE");
    assert!(
        unknown.starts_with("--data-set: expected one that ") && unknown.ends_with("found MINE"),
        "{unknown}"
    );
    assert!(!nowhere.exists());
}

#[test]
fn what_can_not_be_scored_is_one_sentence() {
    let (temp, dir) = small();
    let (images, masks) = pictures(temp.path());
    let score = || {
        refuses(&[
            "score",
            "--engine",
            text(&dir),
            "--images",
            text(&images),
            "--masks",
            text(&masks),
            "--backend",
            "reference",
            "--json",
        ])
    };
    GrayImage::new(121, 80).save(masks.join("b.jpg")).unwrap();
    assert!(score().ends_with("b.png, 120x80, found 121x80"), "{}", score());
    fs::write(images.join("b.png"), "no picture").unwrap();
    assert!(score().contains("b.png: expected a PNG or JPEG picture"), "{}", score());
    fs::remove_file(images.join("b.png")).unwrap();
    assert!(score().contains("b.jpg: expected a picture of that name"), "{}", score());
    fs::remove_file(masks.join("b.jpg")).unwrap();
    fs::remove_file(masks.join("a.png")).unwrap();
    assert!(score().contains("a.jpg: expected a mask of that name"), "{}", score());
    fs::remove_file(images.join("a.jpg")).unwrap();
    assert!(score().ends_with("images: expected pictures (PNG or JPEG), found none"), "{}", score());
}

#[test]
fn a_prompts_memory_is_made_and_kept() {
    let (temp, dir) = small();
    let file = temp.path().join("memory.safetensors");
    said(&["prompt", text(&dir), "small sessile polyp", "--out", text(&file)]);
    let memory = PromptMemory::read(&file).unwrap();
    assert_eq!(memory.prompt, "small sessile polyp");
    let cache = temp.path().join("cache");
    let mut command = Command::new(env!("CARGO_BIN_EXE_polyp-engine"));
    command.args(["prompt", text(&dir), "small sessile polyp"]).env("XDG_CACHE_HOME", &cache);
    assert!(command.status().unwrap().success());
    let kept = fs::read_dir(cache.join("polyp/memory")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(PromptMemory::read(&kept).unwrap(), memory);
}

#[cfg(feature = "openvino")]
#[test]
fn a_library_that_is_missing_or_another_is_named() {
    let (_temp, dir) = small();
    let bench = |library: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_polyp-engine"));
        command.args(["bench", "--engine", text(&dir), "--frames", "1"]);
        command.env("POLYP_OPENVINO_LIB", library);
        command
    };
    let error = refused(bench("/nowhere/libopenvino_c.so"));
    assert_eq!(
        error,
        "openvino: expected it at /nowhere/libopenvino_c.so, found nothing there; \
         run `make setup`, or set POLYP_OPENVINO_LIB"
    );
    let manifest = dir.join("manifest.json");
    let error = refused(bench(text(&manifest)));
    assert!(error.contains("manifest.json: expected OpenVINO 2025.1 or later: "), "{error}");
}

#[test]
fn wrong_usage_is_told_from_failure() {
    for arguments in [
        &["bench"][..],
        &["nothing"],
        &["new", "--spec", "huge", "--out", "x"],
        &["bench", "--engine", "x", "--backend", "cuda9"],
        &["bench", "--engine", "x", "--frames", "0"],
    ] {
        assert_eq!(tool(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let error = refuses(&["inspect", "nowhere"]);
    assert!(error.starts_with("can not read nowhere/manifest.json: "), "{error}");
}

#[test]
fn a_flavour_that_was_left_out_is_told() {
    let (_temp, dir) = small();
    let other = if cfg!(feature = "tensorrt") { "tensorrt-rtx" } else { "tensorrt" };
    let error = refuses(&["build", "--backend", other, text(&dir)]);
    let words = format!("backend {other}: this program was built without the feature `{other}`");
    assert!(error.contains(&words), "{error}");
}
