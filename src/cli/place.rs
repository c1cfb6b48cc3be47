//! Where things lie that the tool brings along: the plugin, the engine and the stills of a checkout.
//!
//! They are looked for beside the executable and in the folders above it, never in the working directory: what runs
//! must not depend on where somebody stood.

use std::path::{Path, PathBuf};

use super::failure::Failure;

/// The folders of the executable and above it, nearest first.
fn above() -> Vec<PathBuf> {
    let executable = std::env::current_exe().and_then(std::fs::canonicalize).unwrap_or_default();
    executable.ancestors().skip(1).map(Path::to_path_buf).collect()
}

/// `given`, or else the first folder above the executable that has `relative` in it.
fn find(given: Option<&Path>, relative: &str, mark: &str) -> Result<PathBuf, PathBuf> {
    let found = |folder: &Path| folder.join(mark).is_file();
    match given {
        Some(folder) if found(folder) => Ok(folder.to_path_buf()),
        Some(folder) => Err(folder.to_path_buf()),
        None => above()
            .into_iter()
            .map(|folder| folder.join(relative))
            .find(|folder| found(folder))
            .ok_or_else(|| PathBuf::from(relative)),
    }
}

/// The folder of an engine: the one given, or the one that is kept in the repository.
pub(super) fn engine(given: Option<&Path>) -> Result<PathBuf, Failure> {
    find(given, "engines/store/lite", "manifest.json").map_err(|folder| {
        Failure::missing(
            format!("there is no engine in {} (no manifest.json)", folder.display()),
            "name an engine's folder; the repository keeps one in engines/store/lite, `polyp-train export` makes them \
             from trained weights, and `polyp-engine new` makes one of random weights for measuring speed",
        )
    })
}

/// The folder of the demonstration's stills: the one given, or the repository's.
pub(super) fn stills(given: Option<&Path>) -> Result<PathBuf, Failure> {
    find(given, "tests/fixtures/kvasir-seg", "pictures.csv").map_err(|folder| {
        Failure::missing(
            format!("there are no stills in {} (no pictures.csv)", folder.display()),
            "run the tool from the checkout that it was built in, or name a folder of stills",
        )
    })
}

/// Folders that may hold the plugin, beside the executable: `gst/` as on a cart, and `target/gst/<profile>/`, which
/// `make build` fills.
pub(super) fn plugin_folders() -> Vec<PathBuf> {
    let Some(folder) = above().into_iter().next() else { return Vec::new() };
    let profile = folder.file_name().map(PathBuf::from).unwrap_or_default();
    let beside = folder.parent().map(|target| target.join("gst").join(profile));
    [Some(folder.join("gst")), beside].into_iter().flatten().collect()
}
