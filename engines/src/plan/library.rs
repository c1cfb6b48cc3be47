//! TensorRT's two libraries, opened once per process and for ever, and what they say while they work.
//!
//! Nothing in TensorRT or its binding compares versions, and calling a library with another one's headers is a crash and
//! not an error. So its version is asked for before anything else.

use std::collections::VecDeque;
use std::ffi::c_int;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use trtx::{LogHandler, Logger, Severity};

use super::FLAVOUR;
use crate::deps;
use crate::error::EngineError;

/// Lines of the library's own words that are kept for an error.
const KEPT: usize = 40;

/// The version of the libraries that were opened.
static LOADED: Mutex<Option<String>> = Mutex::new(None);

/// Opens the libraries, if this process has not yet, and gives their version.
pub(super) fn load() -> Result<String, EngineError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(version) = loaded.as_ref() {
        return Ok(version.clone());
    }
    let path = deps::find(FLAVOUR.dependency)?;
    let refuse =
        |message: String| EngineError::Library { backend: FLAVOUR.name, path: path.clone(), message };
    let version = version(&path).map_err(refuse)?;
    let refuse =
        |message: String| EngineError::Library { backend: FLAVOUR.name, path: path.clone(), message };
    trtx::dynamically_load_tensorrt(Some(&path)).map_err(|error| refuse(format!("{error:?}")))?;
    let parser = path.with_file_name(FLAVOUR.parser);
    trtx::dynamically_load_tensorrt_onnxparser(Some(&parser)).map_err(|error| EngineError::Library {
        backend: FLAVOUR.name,
        path: parser.clone(),
        message: format!("expected the ONNX parser of the same release: {error:?}"),
    })?;
    *loaded = Some(version.clone());
    Ok(version)
}

/// The version that a library gives itself, if it is one that can be called.
fn version(path: &Path) -> Result<String, String> {
    let expected = format!("expected {} {}", FLAVOUR.product, FLAVOUR.versions);
    // SAFETY: opening it runs its initialisers, which is what using it would do.
    let library =
        unsafe { libloading::Library::new(path) }.map_err(|error| format!("{expected}: {error:?}"))?;
    let number = {
        type Version = unsafe extern "C" fn() -> c_int;
        // SAFETY: the function has this type in every TensorRT.
        let found = unsafe { library.get::<Version>("getInferLibVersion") };
        // SAFETY: it takes nothing and gives a number.
        found.map(|version| unsafe { version() })
    };
    // Unloading TensorRT crashes.
    std::mem::forget(library);
    let number = number.map_err(|_absent| format!("{expected}, found another library"))?;
    let text = format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100);
    if (FLAVOUR.known.0..=FLAVOUR.known.1).contains(&number) {
        Ok(format!("{} {text}", FLAVOUR.product))
    } else {
        Err(format!("{expected}, found {text}"))
    }
}

/// What the library said lately, and the list of layers that it prints when a plan is done.
#[derive(Debug, Default)]
pub(super) struct Said {
    lines: VecDeque<String>,
    pub(super) layers: String,
}

static SAID: Mutex<Said> = Mutex::new(Said { lines: VecDeque::new(), layers: String::new() });

/// Takes what was said since the last time.
pub(super) fn take_said() -> Said {
    std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Said {
    /// `message` with the library's own words, if it had any.
    pub(super) fn explain(&self, message: &str) -> String {
        // These come with every build and mean nothing, or say a second time what went wrong.
        let noise = ["Thread context has not been set", "getHardwareCompatibilityLevel", "catchCudaError"];
        let told = self.lines.iter().filter(|line| !noise.iter().any(|noise| line.contains(noise)));
        let told: Vec<&str> = told.map(String::as_str).collect();
        if told.is_empty() { message.to_owned() } else { format!("{message}: {}", told.join("; ")) }
    }
}

struct Listener;

impl LogHandler for Listener {
    // It must not panic: it is called from C.
    fn log(&self, severity: Severity, message: &str) {
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        if message.starts_with("Layers:") {
            message.clone_into(&mut said.layers);
        } else if severity <= Severity::Error {
            if said.lines.len() == KEPT {
                said.lines.pop_front();
            }
            said.lines.push_back(message.trim().replace('\n', " "));
        }
    }
}

/// The one logger of the process: the library keeps the first that it is given.
pub(super) fn logger() -> Result<&'static Logger, EngineError> {
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    if let Some(logger) = LOGGER.get() {
        return Ok(logger);
    }
    let made = Logger::new(Listener).map_err(|error| EngineError::Backend {
        backend: FLAVOUR.name,
        step: "starting",
        message: error.to_string(),
    })?;
    Ok(LOGGER.get_or_init(|| made))
}
