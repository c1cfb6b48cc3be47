//! Every way in which a card can refuse is a sentence that says what was being done, and the engine goes on if the card does.

use polyp_engine::cuda::driver::CardError;
use polyp_engine::engine::Engine;
use polyp_engine::error::EngineError;

use crate::mock::Mock;
use crate::{Still, card, folder, on_cpu, open};

fn failure(call: &'static str) -> CardError {
    CardError::Call { call, words: "an illegal memory access was encountered".to_owned() }
}

#[test]
fn whatever_fails_while_opening_is_said() {
    let folder = folder();
    for (call, after, step) in [
        ("stream", 1, "making room"),
        ("event", 3, "making room for the prompt memory"),
        ("event", 4, "making room"),
        ("allocate", 2, "making room"),
        ("allocate", 9, "making room for the prompt memory"),
        ("allocate", 13, "making room"),
        ("upload", 0, "making room"),
        ("synchronise", 3, "binding the prompt"),
        ("synchronise", 4, "waiting for the card"),
        ("launch", 0, "making the network's input"),
        ("launch", 2, "making masks"),
        ("begin_capture", 0, "recording a graph"),
        ("begin_capture", 1, "recording a graph"),
        ("end_capture", 0, "recording a graph"),
        ("end_capture", 2, "recording a graph"),
    ] {
        let mock = Mock::new(on_cpu(&folder), folder.memory().unwrap());
        mock.fail(call, after, failure(call));
        let error = open(&mock, &folder, 1).err().unwrap_or_else(|| panic!("{call} {after} did not fail"));
        assert_eq!(
            error.to_string(),
            format!("card, {step}: {call} failed: an illegal memory access was encountered"),
            "{call} {after}"
        );
    }
}

#[test]
fn a_network_that_fails_while_it_is_recorded_is_said_and_the_recording_ended() {
    let folder = folder();
    for after in [0, 1] {
        let mock = Mock::new(on_cpu(&folder), folder.memory().unwrap());
        mock.fail("enqueue", after, failure("enqueue"));
        let error = open(&mock, &folder, 1).err().unwrap().to_string();
        assert!(error.starts_with("backend mock, running: enqueue failed"), "{error}");
        // A second recording would be refused if the first had been left open.
        assert_eq!(mock.count("begin_capture"), mock.count("end_capture"));
    }
}

#[test]
fn memory_that_is_used_up_is_said_with_how_much_there_is() {
    let folder = folder();
    let mock = Mock::new(on_cpu(&folder), folder.memory().unwrap());
    let error = CardError::OutOfMemory { wanted: 3 << 20, free: 1 << 20, total: 8192 << 20 };
    mock.fail("allocate", 3, error);
    assert_eq!(
        open(&mock, &folder, 8).err().unwrap().to_string(),
        "card, making room: out of memory: 3 MiB were wanted and 1 of 8192 MiB are free; end what else uses the card, or run \
         fewer pictures at once"
    );
}

#[test]
fn a_network_of_another_engine_is_refused_by_its_tensors() {
    let folder = folder();
    let mut memory = folder.memory().unwrap();
    memory.tensors.pop();
    let mock = Mock::new(on_cpu(&folder), memory);
    let error = open(&mock, &folder, 1).err().unwrap().to_string();
    assert!(error.contains("model.onnx, tensor memory.d4.value: expected an input float32"), "{error}");
}

#[test]
fn what_fails_while_running_is_an_error_of_that_batch() {
    let folder = folder();
    let (spec, memory) = (folder.manifest().input, folder.memory().unwrap());
    let still = Still::fixture(0);
    for (call, step) in [
        ("upload", "copying a frame"),
        ("launch_graph", "running a batch"),
        ("download", "fetching masks"),
        ("record", "beginning a batch"),
        ("wait", "beginning a batch"),
    ] {
        let (mock, engine) = card(&folder, 1);
        let mut engine = engine.unwrap();
        mock.fail(call, 0, failure(call));
        let frames = engine.frames().unwrap();
        let ring = frames.ring();
        let error = frames.submit(vec![still.copied(&ring, spec)], &memory).unwrap_err().to_string();
        assert!(error.starts_with(&format!("card, {step}: {call} failed")), "{error}");
        // The card comes back.
        mock.fail("nothing", 0, failure(call));
        frames.submit(vec![still.copied(&ring, spec)], &memory).unwrap();
        let mut masks = Vec::new();
        frames.finish(&mut masks).unwrap();
        assert!(masks[0].is_ok(), "after {call}");
    }
    let (mock, engine) = card(&folder, 1);
    let mut engine = engine.unwrap();
    let frames = engine.frames().unwrap();
    let ring = frames.ring();
    frames.submit(vec![still.copied(&ring, spec)], &memory).unwrap();
    mock.fail("synchronise", 0, failure("synchronise"));
    let mut masks = Vec::new();
    let error = frames.finish(&mut masks).unwrap_err();
    assert!(matches!(error, EngineError::Card { step: "waiting for a batch", .. }), "{error}");
    assert!(masks.is_empty());
    let error = frames.finish(&mut masks).unwrap_err().to_string();
    assert_eq!(error, "input batch: expected one in flight, found none");
}

#[test]
fn a_memory_or_a_batch_that_does_not_fit_is_refused() {
    let folder = folder();
    let (spec, memory) = (folder.manifest().input, folder.memory().unwrap());
    let (_mock, engine) = card(&folder, 1);
    let mut engine = engine.unwrap();
    let still = Still::fixture(0);
    let frames = engine.frames().unwrap();
    let ring = frames.ring();
    let error = frames.submit(Vec::new(), &memory).unwrap_err().to_string();
    assert!(error.contains("found 0 frames"), "{error}");
    let two = (0..2).map(|_| still.copied(&ring, spec)).collect();
    assert!(frames.submit(two, &memory).unwrap_err().to_string().contains("found 2 frames"));
    let mut other = memory.clone();
    other.engine_sha256 = "00".to_owned();
    let error = frames.submit(vec![still.copied(&ring, spec)], &other).unwrap_err().to_string();
    assert!(error.starts_with("prompt memory, engine_sha256"), "{error}");
    // A frame whose rows are cut is refused before anything reads it.
    frames.submit(vec![still.copied(&ring, spec)], &memory).unwrap();
}
