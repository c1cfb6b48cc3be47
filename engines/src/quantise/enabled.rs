//! Calibrating and trying in ONNX Runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::backend::ort::Probe;
use crate::backend::ports::LOGITS;
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::manifest::MODEL_FILE;
use crate::memory::PromptMemory;
use crate::onnx::{Layer, Range, layers, quantise, watch};

/// Pictures that each layer is tried on.
const TRIED_ON: usize = 4;

/// What calibration found of a folder's network.
#[derive(Debug)]
pub struct Calibration {
    path: PathBuf,
    bytes: Vec<u8>,
    memory: PromptMemory,
    side: usize,
    ranges: BTreeMap<String, Range>,
    /// Pictures that ranges were taken of.
    pictures: usize,
    /// All layers, with the mean squared error of the logits when that one alone is in integers; the worst first.
    harms: Vec<(Layer, f64)>,
}

/// Takes the ranges of every layer's input on `pictures`, inputs `[3, side, side]` of the network, for the prompt `memory`; and tries
/// each layer alone on the first of them. `told` is called with what is done, and of how much.
///
/// # Errors
/// [`EngineError`] when there is no picture, the folder's network can not be read, or ONNX Runtime says no.
pub fn calibrate(
    folder: &EngineFolder,
    memory: &PromptMemory,
    pictures: &[Vec<f32>],
    mut told: impl FnMut(usize, usize),
) -> Result<Calibration, EngineError> {
    let (path, bytes) = (folder.path().join(MODEL_FILE), folder.model()?);
    let side = folder.manifest().model.side_px;
    if pictures.is_empty() {
        return Err(EngineError::Input {
            what: "pictures to calibrate on".to_owned(),
            expected: "at least one".to_owned(),
            found: "none".to_owned(),
        });
    }
    let layers = layers(&path, &bytes)?;
    let all = pictures.len() + layers.len();
    let mut watched = Probe::open(&watch(&path, &bytes)?, side, memory)?;
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (index, picture) in pictures.iter().enumerate() {
        for (name, values) in watched.run(picture)? {
            if let [value] = values[..] {
                *sums.entry(name).or_default() += f64::from(value);
            }
        }
        told(index + 1, all);
    }
    let mean = |name: String| sums.get(&name).map(|sum| (sum / pictures.len() as f64) as f32);
    let range = |layer: &Layer| {
        let (low, high) = (mean(format!("{}.low", layer.input))?, mean(format!("{}.high", layer.input))?);
        Some((layer.input.clone(), Range { low, high }))
    };
    let ranges = layers.iter().filter_map(range).collect();
    let mut calibration = Calibration {
        path,
        bytes,
        memory: memory.clone(),
        side,
        ranges,
        pictures: pictures.len(),
        harms: Vec::new(),
    };
    let tried = pictures.get(..TRIED_ON).unwrap_or(pictures);
    let expected = calibration.logits(&calibration.bytes, tried)?;
    for (index, layer) in layers.into_iter().enumerate() {
        let alone = calibration.quantised([layer.name.clone()].into())?;
        let found = calibration.logits(&alone, tried)?;
        let squares = expected.iter().zip(&found).map(|(a, b)| f64::from(a - b).powi(2));
        let harm = squares.sum::<f64>() / expected.len().max(1) as f64;
        calibration.harms.push((layer, harm));
        told(pictures.len() + index + 1, all);
    }
    calibration.harms.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(calibration)
}

impl Calibration {
    /// Layers that can be in integers.
    pub fn layers(&self) -> usize {
        self.harms.len()
    }

    /// Pictures that ranges were taken of.
    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// The network's ONNX file with all layers in integers but the `float_layers` that harm most.
    ///
    /// # Errors
    /// [`EngineError`] naming a layer whose input has no range.
    pub fn graph(&self, float_layers: usize) -> Result<Vec<u8>, EngineError> {
        self.quantised(self.harms.iter().skip(float_layers).map(|(layer, _)| layer.name.clone()).collect())
    }

    fn quantised(&self, wanted: BTreeSet<String>) -> Result<Vec<u8>, EngineError> {
        quantise(&self.path, &self.bytes, &self.ranges, &wanted)
    }

    fn logits(&self, graph: &[u8], pictures: &[Vec<f32>]) -> Result<Vec<f32>, EngineError> {
        let mut probe = Probe::open(graph, self.side, &self.memory)?;
        let mut all = Vec::new();
        for picture in pictures {
            all.extend(probe.run(picture)?.remove(LOGITS).unwrap_or_default());
        }
        Ok(all)
    }
}
