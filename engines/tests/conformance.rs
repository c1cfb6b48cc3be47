//! Every backend in `BACKENDS`, held to the same promises: the reference's answer, any batch, the prompt that was
//! given, and a refusal for what does not fit.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test's helpers are tests")]

use std::path::Path;

use polyp::model::{ModelSpec, PROMPT_TOKENS};
use polyp_engine::cuda::driver::CardError;
use polyp_engine::engine::{BACKENDS, Backend, Engine, Options, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::folder::{EngineFolder, write_random};
use polyp_engine::memory::PromptMemory;
use polyp_engine::prompt::remember_text;
use polyp_engine::verify::{Difference, compare, fixed_image};
use polyp_engine::weights::Array;
use tempfile::TempDir;

const F32: Options = Options { precision: Precision::F32, threads: 2, largest_batch: 0 };

/// The backends of this build. One whose library is missing fails its tests: `make setup` fetches it.
fn backends() -> impl Iterator<Item = &'static Backend> {
    BACKENDS.iter().filter(|backend| match (backend.available)() {
        Ok(()) => true,
        Err(EngineError::Feature { backend, .. }) => {
            println!("skipped: backend {backend}, because its feature is off");
            false
        }
        // A machine without a card is no fault of the backend's.
        Err(error @ EngineError::Card { cause: CardError::NoDriver | CardError::NoCard { .. }, .. }) => {
            println!("skipped: backend {}, because {error}", backend.name);
            false
        }
        Err(error) => panic!("{error}"),
    })
}

fn folder(temp: &TempDir, spec: ModelSpec) -> EngineFolder {
    write_random(&temp.path().join(&spec.name), spec, 1).unwrap()
}

/// `lite` at the smallest side: the same operations in a sixteenth of the time.
fn small(side_px: usize) -> ModelSpec {
    ModelSpec { name: format!("small-{side_px}"), side_px, ..ModelSpec::lite() }
}

fn infer(engine: &mut dyn Engine, image: &[f32], batch: usize, memory: &PromptMemory) -> Vec<f32> {
    let mut logits = Vec::new();
    engine.infer(image, batch, memory, &mut logits).unwrap();
    logits
}

/// A memory of the same engine and another prompt.
fn another_memory(folder: &EngineFolder) -> PromptMemory {
    let width = folder.network().spec().text_width;
    let values = (0..PROMPT_TOKENS * width).map(|i| (i as f32 * 0.37).sin()).collect();
    let text = Array::new(vec![PROMPT_TOKENS, width], values).unwrap();
    let tensors = remember_text(folder.network(), &folder.prompt_weights().unwrap(), text).unwrap();
    PromptMemory { prompt: "another".to_owned(), tensors, ..folder.memory().unwrap() }
}

#[test]
fn golden_frames_are_the_references() {
    let temp = TempDir::new().unwrap();
    let folder = folder(&temp, ModelSpec::lite());
    let memory = folder.memory().unwrap();
    let reference = Backend::named("reference").unwrap();
    let mut reference = (reference.open)(&folder, &Options::default()).unwrap();
    for backend in backends().filter(|backend| backend.name != "reference") {
        for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
            let mut engine = match (backend.open)(&folder, &Options { precision, ..F32 }) {
                Ok(engine) => engine,
                Err(error @ EngineError::Refused { .. }) if precision != Precision::F32 => {
                    println!("{}: {error}", backend.name);
                    continue;
                }
                Err(error) => panic!("{}: {error}", backend.name),
            };
            let description = engine.description().clone();
            assert_eq!((description.backend, description.precision), (backend.name, precision));
            assert_eq!(description.side_px, 256);
            assert!(
                description.threads == 2
                    || precision == Precision::F16
                    || backend.name.starts_with("tensorrt")
            );
            let found = compare(reference.as_mut(), engine.as_mut(), &memory, 1).unwrap();
            println!("{} {}: {found:?}", backend.name, precision.name());
            assert!(found.is_within(precision), "{} {precision:?}: {found:?}", backend.name);
            // A network that says the same everywhere would pass with anything.
            let logits = infer(engine.as_mut(), &fixed_image(256, 0), 1, &memory);
            let (low, high) = logits.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            assert!(high - low > 0.1, "{low} {high}");
        }
    }
}

#[test]
fn a_batch_is_its_pictures_one_by_one() {
    let temp = TempDir::new().unwrap();
    let folder = folder(&temp, small(64));
    let memory = folder.memory().unwrap();
    for backend in backends() {
        let mut engine = (backend.open)(&folder, &F32).unwrap();
        let alone: Vec<Vec<f32>> =
            (0..3).map(|number| infer(engine.as_mut(), &fixed_image(64, number), 1, &memory)).collect();
        assert_ne!(alone[0], alone[1]);
        for batch in [2, 3, 1, 2] {
            let images: Vec<f32> = (0..batch).flat_map(|number| fixed_image(64, number)).collect();
            let together = infer(engine.as_mut(), &images, batch, &memory);
            assert_eq!(together.len(), batch * 64 * 64);
            let found = Difference::between(&alone[..batch].concat(), &together);
            assert!(found.is_within(Precision::F32), "{} batch {batch}: {found:?}", backend.name);
        }
    }
}

#[test]
fn the_prompt_that_is_given_is_the_prompt_that_counts() {
    let temp = TempDir::new().unwrap();
    let folder = folder(&temp, small(64));
    let (one, other) = (folder.memory().unwrap(), another_memory(&folder));
    let image = fixed_image(64, 0);
    for backend in backends() {
        let mut engine = (backend.open)(&folder, &F32).unwrap();
        let first = infer(engine.as_mut(), &image, 1, &one);
        let second = infer(engine.as_mut(), &image, 1, &other);
        assert!(Difference::between(&first, &second).furthest > 1e-3, "{}", backend.name);
        // OpenVINO does not promise the same bits twice: how it divides the sums depends on its threads.
        let same = |memory: &PromptMemory, expected: &[f32], engine: &mut dyn Engine| {
            let found = Difference::between(expected, &infer(engine, &image, 1, memory));
            assert!(found.is_within(Precision::F32), "{}: {found:?}", backend.name);
        };
        same(&one, &first, engine.as_mut());
        // Two memories of one name are told apart by what they are.
        let renamed = PromptMemory { prompt: one.prompt.clone(), ..other.clone() };
        same(&renamed, &second, engine.as_mut());
    }
}

#[test]
fn a_memory_that_does_not_fit_is_refused_and_the_next_one_runs() {
    let temp = TempDir::new().unwrap();
    let folder = folder(&temp, small(64));
    let good = folder.memory().unwrap();
    let image = fixed_image(64, 0);
    let changed = |change: fn(&mut PromptMemory)| {
        let mut memory = good.clone();
        change(&mut memory);
        memory
    };
    let cases = [
        (changed(|m| m.engine_sha256 = "0".repeat(64)), "engine_sha256: expected"),
        (changed(|m| drop(m.tensors.pop())), "tensors: expected 6, found 5"),
        (changed(|m| m.tensors.swap(0, 1)), "memory.d16.key: expected it in its place"),
        (changed(|m| m.tensors[0].1.shape = vec![1, 1]), "memory.d16.key: expected"),
        (changed(|m| m.tensors[5].1.values[3] = f32::NAN), "memory.d4.value: expected"),
    ];
    for backend in backends() {
        let mut engine = (backend.open)(&folder, &F32).unwrap();
        let expected = infer(engine.as_mut(), &image, 1, &good);
        for (memory, words) in &cases {
            let error = engine.infer(&image, 1, memory, &mut Vec::new()).unwrap_err();
            assert!(matches!(error, EngineError::Memory { .. }), "{}: {error}", backend.name);
            assert!(error.to_string().contains(words), "{}: {error}\n{words}", backend.name);
            let after = Difference::between(&expected, &infer(engine.as_mut(), &image, 1, &good));
            assert!(after.is_within(Precision::F32), "{}: {after:?}", backend.name);
        }
    }
}

#[test]
fn pictures_that_do_not_fit_are_refused() {
    let temp = TempDir::new().unwrap();
    let folder = folder(&temp, small(64));
    let memory = folder.memory().unwrap();
    let image = fixed_image(64, 0);
    for backend in backends() {
        let mut engine = (backend.open)(&folder, &F32).unwrap();
        for (image, batch) in [(&image[1..], 1), (&image[..], 0), (&image[..], 2), (&[][..], 1)] {
            let error = engine.infer(image, batch, &memory, &mut Vec::new()).unwrap_err();
            assert!(matches!(error, EngineError::Input { .. }), "{}: {error}", backend.name);
        }
        assert_eq!(infer(engine.as_mut(), &image, 1, &memory).len(), 64 * 64);
    }
}

#[test]
fn what_is_not_a_number_never_leaves_an_engine() {
    let temp = TempDir::new().unwrap();
    let folder = folder(&temp, small(64));
    let memory = folder.memory().unwrap();
    let image = vec![f32::NAN; 3 * 64 * 64];
    for backend in backends() {
        let mut engine = (backend.open)(&folder, &F32).unwrap();
        let mut logits = Vec::new();
        match engine.infer(&image, 1, &memory, &mut logits) {
            Err(EngineError::NotFinite { .. }) => {}
            // A minimum with 6 may have swallowed it.
            Ok(()) => assert!(logits.iter().all(|logit| logit.is_finite()), "{}", backend.name),
            Err(error) => panic!("{}: {error}", backend.name),
        }
    }
}

#[test]
fn a_network_file_that_is_not_the_manifests_is_refused() {
    let temp = TempDir::new().unwrap();
    let (one, other) = (folder(&temp, small(64)), folder(&temp, small(96)));
    // What only somebody who rewrites the hash too can do.
    let path = one.path().join("model.onnx");
    std::fs::copy(other.path().join("model.onnx"), &path).unwrap();
    rewrite(one.path(), |text| {
        let [old, new] = [&one, &other].map(|folder| folder.manifest().files["model.onnx"].clone());
        text.replace(&old, &new)
    });
    let changed = EngineFolder::open(one.path()).unwrap();
    for backend in backends().filter(|backend| backend.name != "reference") {
        let error = (backend.open)(&changed, &F32).err().unwrap();
        assert!(
            error
                .to_string()
                .ends_with("tensor image: expected float32 [?,3,64,64], found float32 [?,3,96,96]"),
            "{}: {error}",
            backend.name
        );
    }
}

fn rewrite(folder: &Path, change: impl FnOnce(&str) -> String) {
    let path = folder.join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, change(&text)).unwrap();
}

#[test]
fn a_precision_that_can_not_be_had_is_refused_in_a_sentence() {
    let temp = TempDir::new().unwrap();
    let folder = folder(&temp, small(64));
    let bf16 = Options { precision: Precision::Bf16, ..F32 };
    for backend in backends() {
        let auto = (backend.open)(&folder, &Options::default()).unwrap().description().clone();
        assert_ne!(auto.precision, Precision::Auto, "{}: what runs is said", backend.name);
        assert!(auto.threads > 0, "{}: {} threads", backend.name, auto.threads);
        match (backend.open)(&folder, &bf16) {
            Ok(engine) => assert_eq!(engine.description().precision, Precision::Bf16),
            Err(error) => {
                assert_ne!(auto.precision, Precision::Bf16, "auto takes no more than can be asked for");
                let text = error.to_string();
                assert!(
                    text.starts_with("precision: expected f32") && text.ends_with("found bf16"),
                    "{text}"
                );
            }
        }
    }
}
