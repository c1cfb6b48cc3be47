//! ONNX Runtime's library and its environment: one of each per process.

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;

use crate::deps::{self, Dependency};
use crate::error::EngineError;

/// Kept until the process ends, with the library's place: the library allows a process one environment, ever.
static LOADED: Mutex<Option<(Environment, PathBuf)>> = Mutex::new(None);

/// Opens that library, if this process has not yet, and gives its environment, its name and its version.
pub(super) fn load(
    backend: &'static str,
    dependency: Dependency,
) -> Result<(Environment, String), EngineError> {
    let name = format!("ONNX Runtime 1.{} or later", ort::MINOR_VERSION);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let path = deps::find(dependency)?;
    let refuse = |message: String| EngineError::Library { backend, path: path.clone(), message };
    if let Some((environment, first)) = loaded.as_ref() {
        if *first != path {
            let message = "a process opens one ONNX Runtime, and this one has opened";
            return Err(refuse(format!("{message} {}", first.display())));
        }
        return Ok((environment.clone(), version()));
    }
    let opened = catch_unwind({
        let path = path.clone();
        move || ort::init_from(path)
    });
    let builder = match opened {
        Ok(Ok(builder)) => builder,
        Ok(Err(cause)) => return Err(refuse(format!("expected {name}: {}", words(&cause)))),
        Err(_panic) => return Err(refuse(format!("expected {name}, found another library"))),
    };
    let builder = builder.with_name("polyp").with_telemetry(false);
    let environment = builder.build().map_err(|cause| refuse(format!("does not start: {cause}")))?;
    *loaded = Some((environment.clone(), path.clone()));
    Ok((environment, version()))
}

/// The library's name and version, from its description of how it was built.
fn version() -> String {
    let built = ort::info();
    let branch = built.split(|c: char| c == ',' || c.is_whitespace()).find_map(|word| {
        word.strip_prefix("git-branch=").map(|branch| branch.trim_start_matches("rel-").to_owned())
    });
    branch.map_or_else(|| "ONNX Runtime".to_owned(), |branch| format!("ONNX Runtime {branch}"))
}

fn words(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, .. } => format!("it can not be opened ({error})"),
        LoadDynamicError::MissingApi { .. } => "it has no OrtGetApiBase, so it is another library".to_owned(),
        LoadDynamicError::InvalidVersionString => "its version is not text".to_owned(),
        LoadDynamicError::BadVersion { version_str, .. } => format!("it is {version_str}"),
    }
}
