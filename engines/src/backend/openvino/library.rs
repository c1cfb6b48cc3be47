//! OpenVINO's library, opened once per process.

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::enabled::BACKEND;
use crate::deps::{self, Dependency};
use crate::error::EngineError;

/// The version of the library that was opened.
static LOADED: Mutex<Option<String>> = Mutex::new(None);

/// Opens the library, if this process has not yet, and gives its name and version.
pub(super) fn load() -> Result<String, EngineError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(version) = loaded.as_ref() {
        return Ok(version.clone());
    }
    let path = deps::find(Dependency::OpenVino)?;
    let refuse = |message: String| EngineError::Library { backend: BACKEND, path: path.clone(), message };
    // The binding panics when a library lacks its functions: then it is another library.
    let opened = catch_unwind({
        let path: PathBuf = path.clone();
        move || openvino_sys::library::load_from(path).map(|()| openvino::version().build_number)
    });
    let version = match opened {
        Ok(Ok(version)) => format!("OpenVINO {version}"),
        Ok(Err(message)) => return Err(refuse(format!("expected OpenVINO 2025.1 or later: {message}"))),
        Err(_panic) => return Err(refuse("expected OpenVINO's C library, found another".to_owned())),
    };
    *loaded = Some(version.clone());
    Ok(version)
}
