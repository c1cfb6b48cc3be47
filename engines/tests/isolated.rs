//! An engine in a process of its own: the same answers, and nothing that is done to the process is more than an error of one frame.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]
#![cfg(all(unix, feature = "openvino", feature = "cli"))]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use polyp::model::ModelSpec;
use polyp_engine::engine::{Backend, Engine, Options, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::folder::{EngineFolder, write_random};
use polyp_engine::isolation::{Isolated, tool};
use polyp_engine::memory::PromptMemory;
use polyp_engine::verify::fixed_image;
use rustix::process::{Pid, Signal, kill_process};

const F32: Options = Options { precision: Precision::F32, threads: 1, largest_batch: 0 };
/// What another process may take to be there, on a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn folder() -> EngineFolder {
    EngineFolder::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("store/lite")).unwrap()
}

fn open(folder: &EngineFolder) -> Isolated {
    // The tool of this build, whatever else lies about.
    assert_eq!(tool().unwrap(), PathBuf::from(env!("CARGO_BIN_EXE_polyp-engine")));
    Isolated::open(folder, "openvino", &F32).unwrap()
}

fn run(engine: &mut dyn Engine, number: usize, memory: &PromptMemory) -> Result<Vec<f32>, EngineError> {
    let mut logits = Vec::new();
    engine.infer(&fixed_image(256, number), 1, memory, &mut logits)?;
    Ok(logits)
}

fn send(process: i32, signal: Signal) {
    kill_process(Pid::from_raw(process).unwrap(), signal).unwrap();
}

/// Processes that this one has started.
fn processes() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children"));
    threads.map(|thread| of(thread.unwrap()).unwrap_or_default().split_whitespace().count()).sum()
}

fn exists(process: i32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// Asks until there is an answer; every refusal before has to be the one about the next process.
fn until_back(engine: &mut Isolated, memory: &PromptMemory) -> (Vec<f32>, Duration) {
    let begun = Instant::now();
    loop {
        match run(engine, 0, memory) {
            Ok(logits) => return (logits, begun.elapsed()),
            Err(error) => assert!(error.to_string().contains("the next one is not ready yet"), "{error}"),
        }
        assert!(begun.elapsed() < LONG, "no process came back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_answers_are_the_same_to_the_last_bit() {
    let folder = folder();
    let memory = folder.memory().unwrap();
    let mut other = memory.clone();
    for (_, array) in &mut other.tensors {
        array.values.iter_mut().for_each(|value| *value *= -0.5);
    }
    let mut here = (Backend::named("openvino").unwrap().open)(&folder, &F32).unwrap();
    let mut there = open(&folder);
    assert_eq!(here.description(), there.description());
    for (number, memory) in [(0, &memory), (1, &memory), (0, &other), (2, &memory)] {
        let expected = run(here.as_mut(), number, memory).unwrap();
        assert_eq!(run(&mut there, number, memory).unwrap(), expected, "picture {number}");
    }
    // Two pictures are run one after the other.
    let both = [fixed_image(256, 0), fixed_image(256, 1)].concat();
    let mut logits = Vec::new();
    there.infer(&both, 2, &memory, &mut logits).unwrap();
    assert_eq!(logits[..256 * 256], run(here.as_mut(), 0, &memory).unwrap());
    assert!(there.infer(&both, 1, &memory, &mut logits).is_err());
    let mut foreign = memory.clone();
    foreign.engine_sha256 = "00".to_owned();
    assert!(matches!(run(&mut there, 0, &foreign), Err(EngineError::Memory { .. })));
    assert!(run(&mut there, 0, &memory).is_ok());
}

#[test]
fn a_process_that_is_killed_stopped_or_crashes_costs_one_answer() {
    let folder = folder();
    let memory = folder.memory().unwrap();
    let mut engine = open(&folder);
    let expected = run(&mut engine, 0, &memory).unwrap();
    for (signal, words) in [
        (Signal::KILL, "the engine's process ended by signal 9 (it was killed"),
        (Signal::STOP, "the engine's process was stopped"),
        (Signal::SEGV, "the engine's process ended by signal 11 (it reached for memory that is not there)"),
        (Signal::ABORT, "the engine's process ended by signal 6"),
    ] {
        let process = engine.process_id().unwrap();
        send(process, signal);
        if signal == Signal::SEGV {
            // Rust's own handler takes the first for a full stack, finds that it is none, and steps aside.
            std::thread::sleep(Duration::from_millis(100));
            send(process, signal);
        }
        let error = run(&mut engine, 0, &memory).unwrap_err();
        assert!(
            matches!(error, EngineError::Isolated { .. }) && error.to_string().starts_with(words),
            "{error}"
        );
        assert!(!exists(process), "it is gone, whatever was done to it");
        let (logits, after) = until_back(&mut engine, &memory);
        println!("{words}: back after {after:?}");
        assert_eq!(logits, expected);
        assert_ne!(engine.process_id(), Some(process));
    }
}

#[test]
fn there_is_a_reserve_again_after_an_early_death() {
    let folder = folder();
    let memory = folder.memory().unwrap();
    let mut engine = open(&folder);
    for _ in 0..2 {
        send(engine.process_id().unwrap(), Signal::KILL);
        assert!(run(&mut engine, 0, &memory).is_err());
        until_back(&mut engine, &memory);
        // The pause after it ends while frames run.
        let begun = Instant::now();
        while processes() < 2 {
            run(&mut engine, 0, &memory).unwrap();
            assert!(begun.elapsed() < LONG, "no process in reserve");
        }
    }
}

/// Every process is one of the folder that was opened: never of another that lies in its place by now.
#[test]
fn a_folder_that_took_another_ones_place_is_not_opened() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("engine");
    let model = ModelSpec { side_px: 64, ..ModelSpec::lite() };
    let folder = write_random(&dir, model.clone(), 1).unwrap();
    let memory = folder.memory().unwrap();
    let mut engine = open(&folder);
    std::fs::remove_dir_all(&dir).unwrap();
    write_random(&dir, model, 2).unwrap();
    let begun = Instant::now();
    let image = fixed_image(64, 0);
    let refused = loop {
        if let Some(process) = engine.process_id() {
            send(process, Signal::KILL);
        }
        match engine.infer(&image, 1, &memory, &mut Vec::new()) {
            Err(error) if error.to_string().contains("which was opened before") => break error.to_string(),
            _ => assert!(begun.elapsed() < LONG, "no process was refused"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(refused.contains(folder.manifest_sha256()), "{refused}");
}

#[test]
fn nothing_is_left_behind() {
    let folder = folder();
    let memory = folder.memory().unwrap();
    let mut engine = open(&folder);
    run(&mut engine, 0, &memory).unwrap();
    let process = engine.process_id().unwrap();
    assert!(exists(process));
    drop(engine);
    assert!(!exists(process));
}

#[test]
fn what_the_engine_says_of_itself_comes_through() {
    let folder = folder();
    let bf8 = Isolated::open(&folder, "ort", &Options { precision: Precision::Bf16, ..F32 }).err().unwrap();
    assert_eq!(bf8.to_string(), "precision: expected f32, int8 or auto with backend ort, found bf16");
    assert!(matches!(bf8, EngineError::Engine { .. }));
}

#[test]
fn a_tool_that_is_none_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let script = temp.path().join("tool");
    let use_script = |text: &str| {
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        // SAFETY: this test is a process of its own, and no other thread reads the environment now.
        unsafe { std::env::set_var("POLYP_ENGINE_TOOL", &script) };
        Isolated::open(&folder(), "openvino", &F32).err().unwrap().to_string()
    };
    assert_eq!(use_script("#!/bin/sh\nexit 3\n"), "the engine's process ended with status 3");
    assert!(use_script("#!/nowhere/sh\n").contains("tool: can not be started"));
    std::fs::remove_file(&script).unwrap();
    let error = Isolated::open(&folder(), "openvino", &F32).err().unwrap().to_string();
    assert!(
        error.contains("the tool polyp-engine: expected it at") && error.contains("make build"),
        "{error}"
    );
}
