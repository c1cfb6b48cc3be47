//! What is wrong before the first frame is an ERROR with one sentence, and the element does not go to PAUSED.

use std::path::Path;

use gst::prelude::*;

use crate::fixture::{engine_folder, init, text_of};

/// The error that going to PAUSED with `properties` ends in.
fn refused(element: &str, properties: &[(&str, &str)]) -> String {
    init();
    let element = gst::ElementFactory::make(element).build().unwrap();
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    let bus = gst::Bus::new();
    let pipeline = gst::Pipeline::new();
    pipeline.add(&element).unwrap();
    let errors = pipeline.bus().unwrap_or(bus);
    assert!(pipeline.set_state(gst::State::Paused).is_err());
    let message = errors.pop_filtered(&[gst::MessageType::Error]).expect("an error on the bus");
    pipeline.set_state(gst::State::Null).unwrap();
    let text = text_of(&message);
    assert_eq!(text.lines().count(), 1, "one sentence: {text}");
    text
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

fn copy_of_engine() -> (tempfile::TempDir, String) {
    let place = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(engine_folder()).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, place.path().join(from.file_name().unwrap())).unwrap();
    }
    let path = place.path().display().to_string();
    (place, path)
}

#[test]
fn no_engine() {
    for element in ["polypsegment", "polyplive"] {
        has(
            &refused(element, &[]),
            &["property engine", "expected the folder of an engine", "found nothing"],
        );
    }
}

#[test]
fn a_folder_that_is_not_there() {
    has(&refused("polypsegment", &[("engine", "/nowhere/at/all")]), &["/nowhere/at/all/manifest.json"]);
}

#[test]
fn a_file_that_is_missing_cut_or_changed() {
    for file in ["model.onnx", "prompt.safetensors", "memory.safetensors"] {
        let (place, path) = copy_of_engine();
        let file = place.path().join(file);
        let whole = std::fs::read(&file).unwrap();
        let name = file.display().to_string();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        has(&refused("polypsegment", &[("engine", &path)]), &[&name, "expected sha256", "found"]);
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        std::fs::write(&file, changed).unwrap();
        has(&refused("polyplive", &[("engine", &path)]), &[&name, "expected sha256"]);
        std::fs::remove_file(&file).unwrap();
        has(&refused("polypsegment", &[("engine", &path)]), &[&name]);
    }
}

#[test]
fn a_manifest_that_says_what_can_not_be() {
    let (place, path) = copy_of_engine();
    let file = place.path().join("manifest.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"format_version\": 1", "\"format_version\": 9")).unwrap();
    has(&refused("polypsegment", &[("engine", &path)]), &["manifest.json", "format_version", "found 9"]);
    std::fs::write(&file, "{").unwrap();
    has(&refused("polypsegment", &[("engine", &path)]), &["manifest.json"]);
}

#[test]
fn an_engine_without_the_signature_that_is_asked_for() {
    // The public key of minisign's own releases: nobody here has the secret one.
    let key = ("public-key", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3");
    let (place, path) = copy_of_engine();
    has(&refused("polyplive", &[("engine", &path), key]), &["can not read", "manifest.json.minisig"]);
    std::fs::write(place.path().join("manifest.json.minisig"), "mine").unwrap();
    let expected = "manifest.json.minisig: expected a minisign signature of manifest.json by the given public key, found";
    has(&refused("polypsegment", &[("engine", &path), key]), &[expected]);
    let broken = [("engine", path.as_str()), ("public-key", "mine")];
    has(&refused("polypsegment", &broken), &["property public-key", "minisign.pub", "\"mine\""]);
}

#[test]
fn names_that_are_unknown() {
    let engine = engine_folder().display().to_string();
    let with = |name, value| refused("polypsegment", &[("engine", engine.as_str()), (name, value)]);
    has(&with("backend", "cuda9"), &["property backend", "expected openvino", "found cuda9"]);
    has(&with("fallback", "ort,cuda9"), &["property fallback", "expected openvino", "found cuda9"]);
    has(&with("precision", "f8"), &["property precision", "auto or f32", "\"f8\""]);
    has(&with("roi", "there"), &["property roi", "WIDTHxHEIGHT+X+Y", "\"there\""]);
}

#[test]
fn a_fallback_to_the_backend_itself() {
    let engine = engine_folder().display().to_string();
    for element in ["polypsegment", "polyplive"] {
        let properties = [("engine", engine.as_str()), ("backend", "ort"), ("fallback", "openvino, ort")];
        has(&refused(element, &properties), &["property fallback", "found ort in both"]);
    }
}

#[test]
fn a_prompt_without_its_text_encoder() {
    let engine = engine_folder().display().to_string();
    let properties = [
        ("engine", engine.as_str()),
        ("backend", "reference"),
        ("prompt", "a flat lesion"),
        ("text-encoder", "/nowhere/minilm"),
    ];
    has(&refused("polypsegment", &properties), &["/nowhere/minilm"]);
}

#[test]
fn after_a_refusal_a_good_engine_starts() {
    init();
    let element = gst::ElementFactory::make("polypsegment").property("backend", "reference").build().unwrap();
    element.set_property("engine", "/nowhere");
    assert!(element.set_state(gst::State::Paused).is_err());
    assert!(Path::new(engine_folder()).exists());
    element.set_property("engine", engine_folder().display().to_string());
    element.set_state(gst::State::Paused).unwrap();
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn switched_off_no_engine_is_needed_and_switched_on_the_badge_says_so() {
    use crate::fixture::{GRAY_CAPS, Rig, at, gray};
    use polyp::overlay::Badge;
    init();
    let element = gst::ElementFactory::make("polypsegment").property("enabled", false).build().unwrap();
    let mut rig = Rig::new(&element, GRAY_CAPS);
    assert_eq!(rig.meta(gray(1, at(0))).badge, Badge::Off);
    element.set_property("enabled", true);
    assert_eq!(rig.meta(gray(1, at(1))).badge, Badge::Fault);
    has(&rig.messages(gst::MessageType::Warning)[0], &["property engine", "found nothing; set it"]);
}
