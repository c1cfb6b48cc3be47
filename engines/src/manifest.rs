//! What an engine folder says of itself: `manifest.json`, read and checked.
//!
//! Not here: the other files, and whether they are the ones that the manifest was written for
//! ([`crate::folder`]).

use std::collections::BTreeMap;
use std::path::Path;

use polyp::input::{InputSpec, Normalisation};
use polyp::metric::Rules;
use polyp::model::{Fusion, ModelSpec};
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The file name of the manifest's signature, as minisign names it; mostly there is none.
pub const SIGNATURE_FILE: &str = "manifest.json.minisig";
/// The frame graph's file name.
pub const MODEL_FILE: &str = "model.onnx";
/// The file name of the frame graph in 8-bit integers; mostly there is none.
pub const INT8_FILE: &str = "model.int8.onnx";
/// How much of the float network's Dice on validation the one in 8-bit integers may lose.
pub const INT8_TOLERANCE: f64 = 0.005;
/// The file name of the prompt side's weights.
pub const PROMPT_FILE: &str = "prompt.safetensors";
/// The file name of the cached memory of the manifest's prompt.
pub const MEMORY_FILE: &str = "memory.safetensors";
/// The files that every folder has besides the manifest.
pub const FILES: [&str; 3] = [MODEL_FILE, PROMPT_FILE, MEMORY_FILE];
/// The format that this program reads and writes.
pub const FORMAT_VERSION: u32 = 1;

/// An engine folder's description of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// What the engine is called.
    pub name: String,
    /// The network's sizes.
    pub model: ModelSpec,
    /// What the network wants to see.
    pub input: InputSpec,
    /// Logits are divided by it before they become probabilities; without unit, above 0.
    pub temperature: f32,
    /// The fitted 0.95 contour: the probability from which on 95 % of the lesions' pixels lay on validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contour_95: Option<f32>,
    /// The prompt whose memory is in the folder.
    pub prompt: PromptInfo,
    /// How the weights came about: `trained`, `random`, or words of your own.
    pub weights: String,
    /// What it was trained and judged on.
    pub data: Vec<DataSource>,
    /// How good it was found to be.
    pub metrics: Vec<Metric>,
    /// What was found of the network in 8-bit integers, where the folder has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8: Option<Int8>,
    /// File name -> sha256 in hexadecimal, of every file but the manifest.
    pub files: BTreeMap<String, String>,
}

/// The prompt whose memory is in the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptInfo {
    /// The prompt.
    pub text: String,
    /// The name of the text encoder that the prompt side was trained with.
    pub text_encoder: String,
    /// Its weights' sha256 in hexadecimal; empty when any encoder of the right width will do (random weights).
    pub text_encoder_sha256: String,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// On which data set.
    pub data_set: String,
    /// On which of its splits.
    pub split: String,
    /// With which prompt.
    pub prompt: String,
    /// At which resolution masks were compared: `own` for the pictures' own, else `WIDTHxHEIGHT`.
    pub resolution: String,
    /// What was measured: `dice`, `iou`, `ece_image`, `ece_box`, ...
    pub measure: String,
    /// What one sample of it is: `image` for a mean over pictures, `pooled` for all pixels together, ...
    pub per: String,
    /// The figure, without unit.
    pub value: f64,
    /// Pictures.
    pub count: usize,
    /// The lower end of its 95 % interval (bootstrap over groups of pictures), where one was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// And the upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// How a network in 8-bit integers came about, and how good it was found to be beside the float one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Int8 {
    /// Pictures that ranges were taken of.
    pub calibrated_on: usize,
    /// Layers in integers.
    pub layers: usize,
    /// Convolutions and products with weights that stayed in floats.
    pub float_layers: usize,
    /// Which pictures it was judged on.
    pub judged_on: String,
    /// How many those were.
    pub count: usize,
    /// The float network's Dice on them, mean over pictures, at their own resolution, with the manifest's prompt.
    pub dice_f32: f64,
    /// This one's.
    pub dice_int8: f64,
}

impl Int8 {
    /// Whether it lost no more than [`INT8_TOLERANCE`]. Numbers that are none are not good enough.
    pub fn is_good_enough(&self) -> bool {
        self.dice_f32 - self.dice_int8 <= INT8_TOLERANCE
    }
}

/// One split of one data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The data set.
    pub name: String,
    /// Which part of it, and what for.
    pub split: String,
    /// Pictures.
    pub count: usize,
    /// Under which terms it may be used.
    pub licence: String,
    /// Where it is from.
    pub source: String,
}

impl Manifest {
    /// Reads and checks the manifest `bytes`, which the file `path` holds.
    ///
    /// # Errors
    /// [`EngineError`] naming the file and the field that is unknown, missing or wrong.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|cause| EngineError::format(path, "a manifest", cause.to_string()))?;
        manifest.check(path)?;
        Ok(manifest)
    }

    /// By which rules its masks are judged.
    pub fn rules(&self) -> Rules {
        Rules { contour_95: self.contour_95, ..Rules::default() }
    }

    /// Its text, as it is written to the folder.
    ///
    /// # Errors
    /// [`EngineError::Format`] when a number has no JSON form.
    pub fn to_json(&self, path: &Path) -> Result<String, EngineError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|cause| EngineError::format(path, "a manifest", cause.to_string()))?;
        Ok(text + "\n")
    }

    /// Refuses what no folder can be. `path` is the manifest's, for the message.
    ///
    /// # Errors
    /// [`EngineError::Field`] for the first field that is wrong.
    pub fn check(&self, path: &Path) -> Result<(), EngineError> {
        let wrong = |field: &str, expected: String, found: String| {
            Err(EngineError::Field { path: path.to_owned(), field: field.to_owned(), expected, found })
        };
        if self.format_version != FORMAT_VERSION {
            return wrong("format_version", FORMAT_VERSION.to_string(), self.format_version.to_string());
        }
        if self.name.trim().is_empty() {
            return wrong("name", "a name".to_owned(), "nothing".to_owned());
        }
        if let Err(cause) = self.model.check() {
            return wrong("model", "sizes that a network fits".to_owned(), cause.to_string());
        }
        if self.model.fusion != Fusion::CrossAttention {
            let expected =
                "cross-attention (other networks can be trained and scored, but no player runs them)";
            return wrong("model.fusion", expected.to_owned(), format!("{:?}", self.model.fusion));
        }
        let side = self.model.side_px;
        if self.input.side_px as usize != side {
            return wrong("input.side_px", format!("the model's {side}"), self.input.side_px.to_string());
        }
        if let Normalisation::Fixed { mean, std } = self.input.normalisation {
            if mean.iter().any(|m| !m.is_finite()) {
                return wrong("input.normalisation.mean", "finite numbers".to_owned(), format!("{mean:?}"));
            }
            if std.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
                let expected = "finite numbers above 0".to_owned();
                return wrong("input.normalisation.std", expected, format!("{std:?}"));
            }
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            let expected = "a finite number above 0".to_owned();
            return wrong("temperature", expected, self.temperature.to_string());
        }
        if let Some(found) = self.contour_95.filter(|level| !(0.0..=1.0).contains(level)) {
            return wrong("contour_95", "a probability from 0 to 1".to_owned(), found.to_string());
        }
        if self.prompt.text.trim().is_empty() {
            return wrong("prompt.text", "a prompt".to_owned(), "nothing".to_owned());
        }
        for (index, metric) in self.metrics.iter().enumerate() {
            for (part, number) in [("value", Some(metric.value)), ("low", metric.low), ("high", metric.high)]
            {
                if let Some(number) = number.filter(|number| !number.is_finite()) {
                    let field = format!("metrics[{index}].{part}");
                    return wrong(&field, "a finite number".to_owned(), number.to_string());
                }
            }
        }
        self.check_files(path)
    }

    fn check_files(&self, path: &Path) -> Result<(), EngineError> {
        let wrong = |field: String, expected: &str, found: &str| {
            Err(EngineError::Field {
                path: path.to_owned(),
                field,
                expected: expected.to_owned(),
                found: found.to_owned(),
            })
        };
        for name in FILES {
            if !self.files.contains_key(name) {
                return wrong(format!("files.{name}"), "a sha256", "nothing");
            }
        }
        if let Some(int8) = &self.int8 {
            if !int8.is_good_enough() {
                let expected = format!("at least int8.dice_f32 ({}) less {INT8_TOLERANCE}", int8.dice_f32);
                return wrong("int8.dice_int8".to_owned(), &expected, &int8.dice_int8.to_string());
            }
            if !self.files.contains_key(INT8_FILE) {
                return wrong(format!("files.{INT8_FILE}"), "a sha256, as there is int8", "nothing");
            }
        }
        for (name, hash) in &self.files {
            let may_be = FILES.contains(&name.as_str()) || (name == INT8_FILE && self.int8.is_some());
            if !may_be {
                return wrong("files".to_owned(), &FILES.join(", "), name);
            }
            if hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return wrong(format!("files.{name}"), "a sha256 (64 hexadecimal digits)", hash);
            }
        }
        Ok(())
    }
}
