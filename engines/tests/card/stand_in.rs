//! A `libcuda.so.1` that stands in for a card where there is none: `driver.cpp` behind the kernels' own source. And a network in its
//! streams. The plugin's tests have this file too.

use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use libloading::Library;
use polyp_engine::cuda::driver::{Address, CardError, Network, Ports};
use polyp_engine::cuda::kernels::{HOST_OPTIONS, host_source};
use polyp_engine::error::EngineError;
use tempfile::TempDir;

use crate::network::CpuNetwork;

/// A folder with that library; `None` where a real one would be found before it, or nothing would look for one.
pub(crate) fn stand_in() -> Option<(TempDir, PathBuf)> {
    match polyp_engine::cuda::open(0) {
        Err(EngineError::Card { cause: CardError::NoDriver, .. }) => {}
        Err(EngineError::Feature { .. }) => {
            println!("skipped: the driver's stand-in, because this was built without the feature `cuda`");
            return None;
        }
        _ => {
            println!("skipped: the driver's stand-in, because this machine has a driver");
            return None;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("driver.cpp"), folder.path().join("libcuda.so.1"));
    std::fs::write(&source, host_source() + include_str!("driver.cpp")).unwrap();
    let mut command = Command::new("g++");
    command.args(["-std=c++17", "-O2", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"]).args(HOST_OPTIONS);
    let output = command.arg("-o").arg(&library).arg(&source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((folder, library))
}

/// Calls a function in a stream.
pub(crate) type Call = unsafe extern "C" fn(*mut c_void, extern "C" fn(*mut c_void), *mut c_void) -> c_int;

/// Opens that library for good: from here on it is found by its name. The answer that there is none was not kept.
pub(crate) fn load(library: &Path) -> Call {
    // SAFETY: it has no initialisers.
    let library = unsafe { Library::new(library) }.unwrap();
    // SAFETY: the type is that of `driver.cpp`.
    let call = *unsafe { library.get::<Call>("polyp_test_call") }.unwrap();
    std::mem::forget(library);
    call
}

/// A network in the stand-in's streams.
pub(crate) struct Streamed {
    network: Box<CpuNetwork>,
    #[allow(
        clippy::vec_box,
        reason = "their places are given away, and a list that grows moves what is in it"
    )]
    batches: Vec<Box<(*mut CpuNetwork, usize)>>,
    batch: usize,
    call: Call,
}

impl Streamed {
    pub(crate) fn new(network: CpuNetwork, call: Call) -> Self {
        Self { network: Box::new(network), batches: Vec::new(), batch: 0, call }
    }
}

/// How often a network ran.
pub(crate) static RUNS: AtomicUsize = AtomicUsize::new(0);

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
