//! NVIDIA's driver behind our seam, with a library in its place that has its functions and runs the kernels on the CPU: the calls, their
//! order and their arguments are the real ones. And every way in which it can refuse, as the tool tells it.

use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use libloading::Library;
use polyp_engine::cuda::driver::{Address, CardError, Network, Ports};
use polyp_engine::cuda::engine::CardEngine;
use polyp_engine::cuda::kernels::{HOST_OPTIONS, host_source};
use polyp_engine::cuda::nvidia;
use polyp_engine::engine::{Engine, Precision};
use polyp_engine::error::EngineError;
use tempfile::TempDir;

use crate::network::CpuNetwork;
use crate::{Still, card, folder, on_cpu, root};

/// A folder with a `libcuda.so.1`; `None` where a real one would be found before it.
fn stand_in() -> Option<(TempDir, PathBuf)> {
    if matches!(nvidia::available(0), Err(CardError::NoDriver)) {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("driver.cpp"), folder.path().join("libcuda.so.1"));
        std::fs::write(&source, host_source() + include_str!("driver.cpp")).unwrap();
        let mut command = Command::new("g++");
        command
            .args(["-std=c++17", "-O2", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"])
            .args(HOST_OPTIONS);
        let output = command.arg("-o").arg(&library).arg(&source).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return Some((folder, library));
    }
    println!("skipped: the driver's stand-in, because this machine has a driver");
    None
}

type Call = unsafe extern "C" fn(*mut c_void, extern "C" fn(*mut c_void), *mut c_void) -> c_int;

/// A network in the stand-in's streams.
struct Streamed {
    network: Box<CpuNetwork>,
    batches: Vec<Box<(*mut CpuNetwork, usize)>>,
    batch: usize,
    call: Call,
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn run(what: *mut c_void) {
    RUNS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: what `enqueue` gave; the network lives as long as the engine, which is where graphs are launched.
    let (network, batch) = unsafe { *what.cast::<(*mut CpuNetwork, usize)>() };
    // SAFETY: as above; nobody else holds it while a stream runs.
    unsafe { &mut *network }.run(batch);
}

impl Network for Streamed {
    fn library(&self) -> &str {
        "stand-in"
    }

    fn ports(&mut self) -> Result<Ports, EngineError> {
        Ok(self.network.ports())
    }

    fn set_batch(&mut self, batch: usize) -> Result<(), EngineError> {
        self.batch = batch;
        Ok(())
    }

    unsafe fn bind(&mut self, tensor: &str, place: Address) -> Result<(), EngineError> {
        self.network.bind(tensor, place);
        Ok(())
    }

    unsafe fn enqueue(&mut self, stream: *mut c_void) -> Result<(), EngineError> {
        let network: *mut CpuNetwork = &raw mut *self.network;
        self.batches.push(Box::new((network, self.batch)));
        let what = std::ptr::from_mut(self.batches.last_mut().unwrap().as_mut()).cast();
        // SAFETY: the stand-in's own function, with a stream of its own; what is called lives with the network.
        assert_eq!(unsafe { (self.call)(stream, run, what) }, 0);
        Ok(())
    }
}

#[test]
fn the_drivers_calls_make_the_same_masks() {
    let Some((_folder, library)) = stand_in() else { return };
    // SAFETY: it has no initialisers. From here on it is found by name; the answer that there is none was not kept.
    let library = unsafe { Library::new(library) }.unwrap();
    // SAFETY: the type is that of `driver.cpp`.
    let call = *unsafe { library.get::<Call>("polyp_test_call") }.unwrap();
    std::mem::forget(library);
    let folder = folder();
    let driver = nvidia::open(0).unwrap();
    let (network, memory) =
        (CpuNetwork::new(on_cpu(&folder), folder.memory().unwrap()), folder.memory().unwrap());
    let network = Streamed { network: Box::new(network), batches: Vec::new(), batch: 0, call };
    let how = ("stand-in", Precision::F32, 2);
    let mut engine = CardEngine::new(Box::new(driver), Box::new(network), &folder, how).unwrap();
    assert_eq!(engine.card().to_string(), "Stand-in, 8 GiB, compute capability 8.1, driver for CUDA 13.0");
    let (_mock, other) = card(&folder, 2);
    let mut other = other.unwrap();
    let stills = [Still::fixture(0), Still::fixture(4).padded()];
    let spec = folder.manifest().input;
    let mut masks = [&mut engine, &mut other].map(|engine| {
        let frames = engine.frames().unwrap();
        let ring = frames.ring();
        let mut all = Vec::new();
        for steps in [false, true] {
            frames.run_in_steps(steps);
            for count in [1, 2, 1] {
                let batch = stills.iter().take(count).map(|still| still.copied(&ring, spec)).collect();
                frames.submit(batch, &memory).unwrap();
                let mut masks = Vec::new();
                let stages = frames.finish(&mut masks).unwrap();
                assert_eq!(stages.steps.is_some(), steps);
                all.extend(masks.into_iter().map(Result::unwrap));
            }
        }
        all
    });
    assert_eq!(masks[0].len(), 8);
    assert!(masks[0] == masks[1]);
    assert!(masks[0].swap_remove(0).probability.iter().any(|byte| *byte > 127));
    // The graphs run the network too: once while they were recorded would not be enough.
    assert!(RUNS.load(Ordering::Relaxed) >= 6);
    let images = vec![0.25; 3 * 3 * (spec.side_px * spec.side_px) as usize];
    let [mut found, mut expected] = [Vec::new(), Vec::new()];
    engine.infer(&images, 3, &memory, &mut found).unwrap();
    other.infer(&images, 3, &memory, &mut expected).unwrap();
    assert_eq!(found, expected);
}

/// The tool's last words with a card that has that wrong with it.
fn refused(library: Option<&Path>, wrong: &str) -> String {
    let engine = root().join("engines/store/lite");
    let mut command = Command::new(env!("CARGO_BIN_EXE_polyp-engine"));
    command
        .args(["bench", "--backend", "tensorrt-rtx", "--engine"])
        .arg(engine)
        .env("POLYP_TEST_CARD", wrong);
    let cache = tempfile::tempdir().unwrap();
    command.env("XDG_CACHE_HOME", cache.path());
    if let Some(library) = library {
        command.env("LD_LIBRARY_PATH", library.parent().unwrap());
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{wrong}: {said}");
    assert!(output.stdout.is_empty(), "{wrong}");
    said
}

#[cfg(feature = "tensorrt-rtx")]
#[test]
fn a_machine_without_a_usable_card_is_told_what_is_missing() {
    let Some((_folder, library)) = stand_in() else { return };
    let said = refused(None, "");
    assert!(
        said.contains("card, opening: expected NVIDIA's driver, found no libcuda.so.1; install the driver"),
        "{said}"
    );
    for (wrong, sentence) in [
        ("none", "found none (no CUDA-capable device is detected)"),
        ("missing", "found none (number 0 was asked for, and 0 are there)"),
        (
            "old-driver",
            "expected a driver for CUDA 12.4 or later, found one for 11.8; install a newer driver",
        ),
        ("old-card", "expected a card of compute capability 7.5 or later, found Stand-in of 6.1"),
        ("busy", "found none (something else)"),
        // These get as far as the driver's own refusals, after the plan was made.
        ("picky", "cuModuleLoadDataEx failed: a PTX JIT compilation failed: ptxas fatal: unsupported"),
    ] {
        let said = refused(Some(&library), wrong);
        assert!(said.contains("card, opening: ") && said.contains(sentence), "{wrong}: {said}");
    }
    // With a card that works as far as ours go, the library itself finds that there is none, and says so.
    let said = refused(Some(&library), "");
    assert!(said.contains("model.plan: Runtime error: Failed to deserialize engine"), "{said}");
}

#[cfg(not(feature = "tensorrt-rtx"))]
#[test]
fn a_program_without_the_backend_says_so() {
    assert!(refused(None, "").contains("built without the feature `tensorrt-rtx`"));
}
