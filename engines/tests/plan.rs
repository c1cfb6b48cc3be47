//! Plans for NVIDIA cards, made by the real library on a machine without a card.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]
#![cfg(feature = "tensorrt-rtx")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use polyp::model::ModelSpec;
use polyp_engine::cuda::driver::Card;
use polyp_engine::cuda::nvidia;
use polyp_engine::folder::{EngineFolder, write_random};
use polyp_engine::manifest::MODEL_FILE;
use polyp_engine::plan::{Plan, PlanOptions, PlanPrecision, Progress, TensorRt, build};
use sha2::{Digest as _, Sha256};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("store/lite")
}

#[test]
fn the_committed_engine_becomes_a_plan_and_is_found_again() {
    let temp = tempfile::tempdir().unwrap();
    let folder = EngineFolder::open(&committed()).unwrap();
    let mut lengths = Vec::new();
    for precision in PlanPrecision::ALL {
        let options = PlanOptions { precision, largest_batch: 4, capability: None };
        let heard = Mutex::new(Vec::new());
        let hear = |progress: Progress| heard.lock().unwrap().push(progress.phase);
        let made = build(&folder, &options, temp.path(), &hear).unwrap();
        println!("{:?}", made.description);
        assert!(!made.found && heard.lock().unwrap().iter().any(|phase| phase == "Building engine"));
        assert_eq!((made.description.precision, made.description.largest_batch), (precision, 4));
        // The library fuses some 500 operations into fewer; each is named with what it was made from.
        let layers = std::fs::read_to_string(made.folder.join("layers.txt")).unwrap();
        assert!((50..400).contains(&made.description.layers), "{}", made.description.layers);
        assert!(
            layers.contains("encoder._conv_stem.weight") && layers.contains("LayerNormalization"),
            "{layers}"
        );
        let halves = layers.matches("Datatype: Half").count();
        assert_eq!(halves > 100, precision == PlanPrecision::F16, "{halves} tensors in half precision");
        let kept: Vec<String> = std::fs::read_dir(&made.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(kept.len(), 3, "{kept:?}");
        lengths.push(made.description.bytes);

        let again = build(&folder, &options, temp.path(), &|_| panic!("there is nothing to do")).unwrap();
        assert!(again.found);
        assert_eq!(again.description, made.description);
        let plan = made.folder.join("model.plan");
        let mut bytes = std::fs::read(&plan).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&plan, bytes).unwrap();
        let error = build(&folder, &options, temp.path(), &|_| ()).unwrap_err().to_string();
        assert!(error.contains("model.plan: expected sha256"), "{error}");
    }
    let [half, whole] = lengths[..] else { panic!("{lengths:?}") };
    assert!(half * 3 < whole * 2 + 20_000_000 && half < whole, "{half} and {whole} bytes");
}

#[test]
fn a_plan_for_one_generation_of_cards_is_another_plan() {
    let temp = tempfile::tempdir().unwrap();
    let folder = EngineFolder::open(&committed()).unwrap();
    let for_all = PlanOptions::default();
    let turing = PlanOptions { capability: Some((7, 5)), ..for_all };
    let [all, one] = [for_all, turing].map(|options| build(&folder, &options, temp.path(), &|_| ()).unwrap());
    assert_ne!(all.folder, one.folder);
    assert_eq!((all.description.capability, one.description.capability), (None, Some((7, 5))));
    let hopper = PlanOptions { capability: Some((9, 0)), ..for_all };
    let error = build(&folder, &hopper, temp.path(), &|_| ()).unwrap_err().to_string();
    assert_eq!(error, "capability: expected 7.5 or 8.0 or 8.6 or 8.9 or 12.0 or 12.1, found 9.0");
    // What has to be shown panics: the plan is made all the same.
    let temp = tempfile::tempdir().unwrap();
    assert!(build(&folder, &for_all, temp.path(), &|_| panic!("the terminal is gone")).is_ok());
}

/// Whoever gets past the question for a card all the same gets the library's own words, and no crash.
#[test]
fn loading_without_a_driver_is_a_sentence() {
    let temp = tempfile::tempdir().unwrap();
    let folder = EngineFolder::open(&committed()).unwrap();
    let plan = build(&folder, &PlanOptions::default(), temp.path(), &|_| ()).unwrap();
    let card = Card { name: "none".to_owned(), capability: (8, 9), driver: (13, 0), memory: 8 << 30 };
    let load = |plan: &Plan, card: &Card| TensorRt::load(plan, card).err().map(|error| error.to_string());
    if nvidia::available(0).is_ok() {
        println!("skipped: loading a plan without a driver, because this machine has a card");
    } else {
        let error = load(&plan, &card).unwrap();
        assert!(
            error.contains("model.plan: Runtime error: Failed to deserialize engine")
                && error.contains("CUDA driver"),
            "{error}"
        );
    }
    let old = Card { driver: (12, 8), ..card.clone() };
    assert_eq!(
        load(&plan, &old).unwrap(),
        "card, loading the plan: expected a driver for CUDA 13.0 or later, found one for 12.8; install a newer driver"
    );
    let bytes = std::fs::read(plan.folder.join("model.plan")).unwrap();
    for (cut, words) in
        [(bytes.len() / 2, "plan.header.size"), (3, "minBufferSize"), (0, "empty memory buffer")]
    {
        std::fs::write(plan.folder.join("model.plan"), &bytes[..cut]).unwrap();
        let error = load(&plan, &card).unwrap();
        assert!(
            error.contains("model.plan: expected sha256") && error.contains("changed or cut"),
            "{cut}: {error}"
        );
        // Vouched for by its description, and still no plan.
        let mut vouched = plan.clone();
        vouched.description.plan_sha256 =
            Sha256::digest(&bytes[..cut]).iter().map(|byte| format!("{byte:02x}")).collect();
        let error = load(&vouched, &card).unwrap();
        assert!(error.contains(words) && error.contains("remove its folder"), "{cut}: {error}");
    }
}

#[test]
fn the_large_network_becomes_a_plan() {
    let temp = tempfile::tempdir().unwrap();
    let folder = write_random(&temp.path().join("base"), ModelSpec::base(), 1).unwrap();
    let made = build(&folder, &PlanOptions::default(), temp.path(), &|_| ()).unwrap();
    println!("{:?}", made.description);
    assert!(made.description.bytes > 60_000_000 && made.description.layers > 50, "{:?}", made.description);
}

/// An engine folder whose network was replaced, with a manifest that vouches for it.
fn with_network(temp: &Path, bytes: &[u8]) -> EngineFolder {
    let spec = ModelSpec { name: "small".to_owned(), side_px: 64, ..ModelSpec::lite() };
    let path = temp.join("engine");
    write_random(&path, spec, 1).unwrap();
    let manifest = path.join("manifest.json");
    let before = std::fs::read(path.join(MODEL_FILE)).unwrap();
    let hash =
        |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect() };
    let text = std::fs::read_to_string(&manifest).unwrap().replace(&hash(&before), &hash(bytes));
    std::fs::write(&manifest, text).unwrap();
    std::fs::write(path.join(MODEL_FILE), bytes).unwrap();
    EngineFolder::open(&path).unwrap()
}

#[test]
fn files_that_are_no_network_are_refused_with_a_sentence() {
    let whole = std::fs::read(committed().join(MODEL_FILE)).unwrap();
    for (bytes, precision, said) in [
        (b"this is no network at all".to_vec(), PlanPrecision::F32, "expected a complete ONNX file"),
        (b"this is no network at all".to_vec(), PlanPrecision::F16, "expected a complete ONNX file"),
        (whole[..whole.len() / 2].to_vec(), PlanPrecision::F32, "expected a complete ONNX file"),
        // The committed engine's network under the manifest of one for smaller pictures.
        (
            whole,
            PlanPrecision::F16,
            "tensor image: expected float32 [?,3,64,64], found float32 [?,3,256,256]",
        ),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let folder = with_network(temp.path(), &bytes);
        let options = PlanOptions { precision, largest_batch: 1, capability: None };
        let error = build(&folder, &options, &temp.path().join("plans"), &|_| ()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let folder = EngineFolder::open(&committed()).unwrap();
    let options = PlanOptions { largest_batch: 0, ..PlanOptions::default() };
    let error = build(&folder, &options, Path::new("nowhere"), &|_| ()).unwrap_err().to_string();
    assert_eq!(error, "batch: expected at least 1, found 0");
}

#[test]
fn a_library_that_can_not_be_called_is_refused_before_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let refused = |library: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_polyp-engine"))
            .args(["build", "--backend", "tensorrt-rtx", "--out"])
            .args([temp.path(), &committed()])
            .env("POLYP_TENSORRT_RTX_LIB", library)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && output.status.code().is_some(),
            "{library}: {:?} {said}",
            output.status
        );
        said
    };
    let text = temp.path().join("text.so");
    std::fs::write(&text, "no library").unwrap();
    assert!(refused(text.to_str().unwrap()).contains("expected TensorRT for RTX 1.5 to 1.7"));
    assert!(refused("libm.so.6").contains("tensorrt-rtx: expected it at libm.so.6"));
    let math =
        ["/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib64/libm.so.6"];
    let math = math.into_iter().find(|path| Path::new(path).exists()).unwrap();
    assert!(refused(math).contains("found another library"));
    let nowhere = refused("/nowhere/libtensorrt_rtx.so.1");
    assert!(nowhere.contains("expected it at /nowhere/libtensorrt_rtx.so.1"), "{nowhere}");
    assert!(nowhere.contains("run `make setup-gpu`"), "{nowhere}");
    // An older one would be called with newer headers, which crashes: its version alone must be enough.
    let source = temp.path().join("old.c");
    std::fs::write(&source, "int getInferLibVersion(void) { return 10400; }\n").unwrap();
    let old = temp.path().join("libold.so");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&old, &source]).status().unwrap();
    assert!(made.success());
    assert!(refused(old.to_str().unwrap()).contains("found 1.4.0"));
}
