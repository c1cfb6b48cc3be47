//! Plans: what TensorRT for RTX makes of an engine folder, ahead of time, for cards.
//!
//! A plan is of one library version, one precision and one range of batch sizes, and serves every card of the generations that
//! the library covers (Ampere and later). It is made without a card: parsing, fusing and choosing kernels need none. Kernels are
//! compiled on the card when a plan is first loaded there.
//!
//! Plans lie in a folder named by what they were made from, so that nothing stale is ever loaded: [`key`].
//!
//! Not here: the way of a frame over the card ([`crate::cuda`]).

#[cfg(all(feature = "tensorrt-rtx", feature = "tensorrt"))]
compile_error!(
    "the features `tensorrt-rtx` and `tensorrt` are two flavours of one library: a program is built with one of them"
);

mod flavour;
#[cfg_attr(any(feature = "tensorrt-rtx", feature = "tensorrt"), path = "enabled.rs")]
#[cfg_attr(not(any(feature = "tensorrt-rtx", feature = "tensorrt")), path = "disabled.rs")]
mod imp;
#[cfg(feature = "tensorrt-rtx")]
mod kernels;
#[cfg(any(feature = "tensorrt-rtx", feature = "tensorrt"))]
mod library;
#[cfg(any(feature = "tensorrt-rtx", feature = "tensorrt"))]
mod network;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::EngineError;
use crate::weights::file;

pub use crate::engine::Progress;
pub use imp::{available, build};
#[cfg(feature = "tensorrt-rtx")]
pub use kernels::KernelCache;
#[cfg(any(feature = "tensorrt-rtx", feature = "tensorrt"))]
pub use network::TensorRt;

pub use flavour::{FLAVOUR, FULL, Flavour, RTX};

/// The numbers that a plan computes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanPrecision {
    /// 16-bit floating point; norms are folded before, and sums are made in 32 bits.
    #[default]
    F16,
    /// 32-bit floating point.
    F32,
}

impl PlanPrecision {
    /// Every precision.
    pub const ALL: [Self; 2] = [Self::F16, Self::F32];

    /// Its name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }
}

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// The numbers to compute in.
    pub precision: PlanPrecision,
    /// The most pictures that run at once, at least 1.
    pub largest_batch: usize,
    /// The compute capability (major, minor) of the only cards that it is for; `None` for all that the library covers from Ampere (8.0) on.
    pub capability: Option<(i32, i32)>,
}

/// Compute capabilities that a plan can be made for alone.
pub const CAPABILITIES: [(i32, i32); 6] = [(7, 5), (8, 0), (8, 6), (8, 9), (12, 0), (12, 1)];

/// Whether cards of that compute capability are left out of a plan that is for all.
pub fn needs_own_plan(capability: (i32, i32)) -> bool {
    capability < (8, 0)
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self { precision: PlanPrecision::F16, largest_batch: 1, capability: None }
    }
}

/// What a plan is: the file beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDescription {
    /// The engine's name.
    pub engine: String,
    /// The sha256 of the network's file, in hexadecimal.
    pub model_sha256: String,
    /// The sha256 of the plan: the library itself does not notice a changed one.
    pub plan_sha256: String,
    /// The plan's length in bytes.
    pub bytes: u64,
    /// The library's version.
    pub library: String,
    /// The numbers that it computes in.
    pub precision: PlanPrecision,
    /// The most pictures that run at once.
    pub largest_batch: usize,
    /// The compute capability that it is for alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<(i32, i32)>,
    /// Layers after fusing, as the library lists them in `layers.txt`.
    pub layers: usize,
    /// How long it took to make, in seconds.
    pub seconds: f64,
}

/// A plan on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The folder: `model.plan`, `plan.json`, `layers.txt`.
    pub folder: PathBuf,
    /// What it is.
    pub description: PlanDescription,
    /// Whether it was there already.
    pub found: bool,
}

const PLAN_FILE: &str = "model.plan";
const DESCRIPTION_FILE: &str = "plan.json";

/// The name of the folder of a plan: the sha256, in hexadecimal, of everything that it depends on.
pub fn key(model_sha256: &str, library: &str, options: &PlanOptions) -> String {
    let PlanOptions { precision, largest_batch, capability } = options;
    let cards = capability.map_or_else(|| "8.0 on".to_owned(), |(major, minor)| format!("{major}.{minor}"));
    let all =
        format!("{} {library} {model_sha256} {} {largest_batch} {cards}", FLAVOUR.name, precision.name());
    file::sha256_hex(all.as_bytes())
}

/// Where plans are kept unless somebody says otherwise: `polyp/plans` below `$XDG_CACHE_HOME` or `~/.cache`.
///
/// # Errors
/// [`EngineError::Refused`] when neither that variable nor `HOME` is set.
pub fn cache() -> Result<PathBuf, EngineError> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    let base = base.ok_or_else(|| EngineError::Refused {
        option: "plan cache",
        expected: "a home folder".to_owned(),
        found: "neither XDG_CACHE_HOME nor HOME in the environment".to_owned(),
    })?;
    Ok(base.join("polyp/plans"))
}

/// The plan in `folder`, if a whole one is there.
///
/// # Errors
/// [`EngineError`] when a plan is there that was changed, cut or can not be read: it is not loaded, and not silently made anew.
pub fn read(folder: &Path) -> Result<Option<Plan>, EngineError> {
    let path = folder.join(DESCRIPTION_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(EngineError::file("read", &path))?;
    let description: PlanDescription = serde_json::from_str(&text)
        .map_err(|error| EngineError::format(&path, "a plan's description", error.to_string()))?;
    let plan = folder.join(PLAN_FILE);
    let bytes = std::fs::read(&plan).map_err(EngineError::file("read", &plan))?;
    check_hash(&plan, &bytes, &description)?;
    Ok(Some(Plan { folder: folder.to_owned(), description, found: true }))
}

/// Refuses a plan that is not the one that `description` was written for.
fn check_hash(path: &Path, bytes: &[u8], description: &PlanDescription) -> Result<(), EngineError> {
    let (expected, found) = (description.plan_sha256.clone(), file::sha256_hex(bytes));
    if found == expected { Ok(()) } else { Err(EngineError::Hash { path: path.to_owned(), expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_a_plan_changes_its_key() {
        let options = PlanOptions::default();
        let keys = [
            key("a", "1.7.1", &options),
            key("b", "1.7.1", &options),
            key("a", "1.6.1", &options),
            key("a", "1.7.1", &PlanOptions { precision: PlanPrecision::F32, ..options }),
            key("a", "1.7.1", &PlanOptions { largest_batch: 2, ..options }),
            key("a", "1.7.1", &PlanOptions { capability: Some((7, 5)), ..options }),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(index + 1).all(|other| other != one), "{keys:?}");
        }
    }

    #[test]
    fn a_changed_plan_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(read(temp.path()).unwrap(), None);
        let bytes = [7; 64];
        let description = PlanDescription {
            engine: "lite".to_owned(),
            model_sha256: "00".to_owned(),
            plan_sha256: file::sha256_hex(&bytes),
            bytes: 64,
            library: "TensorRT for RTX 1.7.1.116".to_owned(),
            precision: PlanPrecision::F16,
            largest_batch: 1,
            capability: None,
            layers: 3,
            seconds: 0.5,
        };
        let write = |name: &str, bytes: &[u8]| std::fs::write(temp.path().join(name), bytes).unwrap();
        write(DESCRIPTION_FILE, &serde_json::to_vec(&description).unwrap());
        write(PLAN_FILE, &bytes);
        assert_eq!(read(temp.path()).unwrap().unwrap().description, description);
        write(PLAN_FILE, &[7; 63]);
        let error = read(temp.path()).unwrap_err().to_string();
        assert!(error.contains("model.plan") && error.contains("changed or cut"), "{error}");
    }
}
