//! Where the libraries and text encoders lie that are opened at run time.
//!
//! One place for each, looked for in this order: the variable that names it outright; the folder that
//! `POLYP_DEPS` names; a folder `.deps` beside the program or above it (a checkout's `target/...` finds the
//! checkout's own); the same of the plugin's file, whose program is GStreamer's or somebody else's. Never the working directory, and never the system's library path: which library ran must
//! not depend on where somebody stood.
//!
//! Not here: fetching them (`make setup`), opening them ([`crate::backend`]).

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::error::EngineError;

/// Something that cargo does not bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// OpenVINO's C library.
    OpenVino,
    /// ONNX Runtime's library.
    OnnxRuntime,
    /// ONNX Runtime's library with its TensorRT part beside it.
    OnnxRuntimeGpu,
    /// TensorRT for RTX's library; its ONNX parser lies beside it.
    TensorRtRtx,
    /// TensorRT 11's library; its ONNX parser lies beside it.
    TensorRt,
    /// NVRTC, NVIDIA's compiler for kernels; only tests and who changes a kernel need it.
    Nvrtc,
    /// The folder of a text encoder: `config.json`, `model.safetensors`, a vocabulary.
    TextEncoder,
}

impl Dependency {
    /// Its name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenVino => "openvino",
            Self::OnnxRuntime => "onnxruntime",
            Self::OnnxRuntimeGpu => "onnxruntime-gpu",
            Self::TensorRtRtx => "tensorrt-rtx",
            Self::TensorRt => "tensorrt",
            Self::Nvrtc => "nvrtc",
            Self::TextEncoder => "text encoder",
        }
    }

    /// What brings it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::OpenVino | Self::OnnxRuntime | Self::TextEncoder => "run `make setup`",
            Self::TensorRtRtx | Self::Nvrtc => "run `make setup-gpu`",
            Self::TensorRt => "install NVIDIA's TensorRT 11.4",
            Self::OnnxRuntimeGpu => "unpack the wheel onnxruntime-gpu 1.31.1",
        }
    }

    /// The variable that names its place outright.
    pub fn variable(self) -> &'static str {
        match self {
            Self::OpenVino => "POLYP_OPENVINO_LIB",
            Self::OnnxRuntime => "POLYP_ONNXRUNTIME_LIB",
            Self::OnnxRuntimeGpu => "POLYP_ONNXRUNTIME_GPU_LIB",
            Self::TensorRtRtx => "POLYP_TENSORRT_RTX_LIB",
            Self::TensorRt => "POLYP_TENSORRT_LIB",
            Self::Nvrtc => "POLYP_NVRTC_LIB",
            Self::TextEncoder => "POLYP_TEXT_ENCODER",
        }
    }

    /// Its place below the folder of dependencies.
    pub fn place(self) -> &'static str {
        match self {
            Self::OpenVino => "openvino/lib/libopenvino_c.so",
            Self::OnnxRuntime => "onnxruntime/libonnxruntime.so",
            Self::OnnxRuntimeGpu => "onnxruntime-gpu/libonnxruntime.so",
            Self::TensorRtRtx => "tensorrt-rtx/libtensorrt_rtx.so.1",
            Self::TensorRt => "tensorrt/libnvinfer.so.11",
            Self::Nvrtc => "nvrtc/libnvrtc.so.12",
            Self::TextEncoder => "minilm",
        }
    }
}

/// The file whose folders are looked at after the program's.
static LIBRARY: OnceLock<PathBuf> = OnceLock::new();

/// Lets places beside and above `library` be looked at too, the file that this code was loaded from. The first call
/// counts.
pub fn look_beside(library: &Path) {
    // The same file is named when a plugin is loaded again.
    let _known = LIBRARY.set(std::fs::canonicalize(library).unwrap_or_else(|_error| library.to_owned()));
}

/// The path of `dependency`, which exists.
///
/// # Errors
/// [`EngineError::Missing`] naming every place that was looked at.
pub fn find(dependency: Dependency) -> Result<PathBuf, EngineError> {
    let named = std::env::var_os(dependency.variable()).map(PathBuf::from);
    let folder = std::env::var_os("POLYP_DEPS").map(PathBuf::from);
    let program = std::env::current_exe().ok();
    let files = [program.as_deref(), LIBRARY.get().map(PathBuf::as_path)];
    first_of(dependency, candidates(dependency, named, folder, files))
}

/// The tool `polyp-engine`: what `POLYP_ENGINE_TOOL` names; else beside the program or the plugin's file, or above them, or where cargo
/// puts it for a plugin that lies in `target/gst/PROFILE`.
///
/// # Errors
/// [`EngineError::Missing`] naming every place that was looked at.
pub fn engine_tool() -> Result<PathBuf, EngineError> {
    const VARIABLE: &str = "POLYP_ENGINE_TOOL";
    let program = std::env::current_exe().ok();
    let files = [program.as_deref(), LIBRARY.get().map(PathBuf::as_path)];
    let places = match std::env::var_os(VARIABLE) {
        Some(named) => vec![PathBuf::from(named)],
        None => files.into_iter().flatten().flat_map(tools_beside).collect(),
    };
    let found = places.iter().find(|place| place.is_file()).cloned();
    found.ok_or_else(|| EngineError::Missing {
        dependency: "the tool polyp-engine",
        remedy: "build it with `make build`",
        variable: VARIABLE,
        looked: listed(&places),
    })
}

fn tools_beside(file: &Path) -> impl Iterator<Item = PathBuf> {
    let profile = file.parent().and_then(Path::file_name).unwrap_or_default();
    let folders = file.ancestors().skip(1).take(4);
    folders.flat_map(move |folder| [folder.join("polyp-engine"), folder.join(profile).join("polyp-engine")])
}

fn listed(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The places to look at, in order. A place that was named outright is the only one: falling back to another
/// library than the one asked for would be silent.
fn candidates(
    dependency: Dependency,
    named: Option<PathBuf>,
    folder: Option<PathBuf>,
    files: [Option<&Path>; 2],
) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![named];
    }
    if let Some(folder) = folder {
        return vec![folder.join(dependency.place())];
    }
    let above = files.into_iter().flatten().flat_map(|file| file.ancestors().skip(1));
    let mut places: Vec<PathBuf> = Vec::new();
    for place in above.map(|folder| folder.join(".deps").join(dependency.place())) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

fn first_of(dependency: Dependency, places: Vec<PathBuf>) -> Result<PathBuf, EngineError> {
    let found = places.iter().find(|place| place.exists()).cloned();
    found.ok_or_else(|| EngineError::Missing {
        dependency: dependency.name(),
        remedy: dependency.remedy(),
        variable: dependency.variable(),
        looked: listed(&places),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_named_outright_is_the_only_one() {
        let named = Some(PathBuf::from("/a/lib.so"));
        let found =
            candidates(Dependency::OpenVino, named, Some("/deps".into()), [Some(Path::new("/b/c")), None]);
        assert_eq!(found, [PathBuf::from("/a/lib.so")]);
    }

    #[test]
    fn a_checkout_is_found_from_its_target_folder() {
        let program = Path::new("/home/polyp/target/debug/deps/test");
        let found = candidates(Dependency::OnnxRuntime, None, None, [Some(program), None]);
        assert!(
            found.contains(&PathBuf::from("/home/polyp/.deps/onnxruntime/libonnxruntime.so")),
            "{found:?}"
        );
    }

    #[test]
    fn a_plugin_in_a_checkout_finds_it_whoever_loaded_it() {
        let files =
            ["/usr/bin/gst-launch-1.0", "/home/polyp/target/gst/release/libgstpolyp.so"].map(Path::new);
        let found = candidates(Dependency::OpenVino, None, None, files.map(Some));
        let place = |folder: &str| PathBuf::from(folder).join(".deps/openvino/lib/libopenvino_c.so");
        assert_eq!(found.first(), Some(&place("/usr/bin")));
        assert!(found.contains(&place("/home/polyp")), "{found:?}");
        assert_eq!(found.iter().filter(|found| **found == place("/")).count(), 1);
    }

    #[test]
    fn the_tool_is_found_from_a_plugin_in_a_checkout() {
        let plugin = Path::new("/home/polyp/target/gst/release/libgstpolyp.so");
        let places: Vec<PathBuf> = tools_beside(plugin).collect();
        assert_eq!(places[0], PathBuf::from("/home/polyp/target/gst/release/polyp-engine"));
        assert!(places.contains(&PathBuf::from("/home/polyp/target/release/polyp-engine")), "{places:?}");
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let error = first_of(Dependency::OpenVino, vec!["/nowhere/libopenvino_c.so".into()]).unwrap_err();
        let text = error.to_string();
        for part in ["/nowhere/libopenvino_c.so", "make setup", "POLYP_OPENVINO_LIB"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
