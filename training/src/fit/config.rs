//! A run's configuration.

use std::path::{Path, PathBuf};

use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::model::ModelSpec;
use serde::{Deserialize, Serialize};

use super::PromptMix;
use crate::augment::AugmentConfig;
use crate::error::TrainingError;
use crate::loss;

/// What dense layers compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    F32,
    /// bfloat16, with float32 weights, norms and depthwise convolutions.
    Bf16,
}

/// Everything a run depends on, but the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// The network.
    pub model: ModelSpec,
    /// How samples are normalised; the aspect is always squashed while training.
    #[serde(default = "default_normalisation")]
    pub normalisation: Normalisation,
    /// Name of the loss.
    #[serde(default = "default_loss")]
    pub loss: String,
    /// Epochs at most.
    pub epochs: usize,
    /// Pictures per step.
    #[serde(default = "default_batch")]
    pub batch: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// The pretrained encoder's rate, as a share of `learning_rate`.
    #[serde(default = "one")]
    pub encoder_rate: f64,
    /// Each block of the encoder learns at this share of the rate of the block after it: what is near the pixels
    /// changes least.
    #[serde(default = "one")]
    pub layer_decay: f64,
    /// Learning rate at the end of the cosine.
    #[serde(default = "default_final_rate")]
    pub final_rate: f64,
    /// Epochs over which the rate rises from 0.
    #[serde(default)]
    pub warmup_epochs: f64,
    /// AdamW's decay of weights with two or more axes; norms and biases are not decayed.
    #[serde(default = "default_weight_decay")]
    pub weight_decay: f64,
    /// Largest norm of all gradients together.
    #[serde(default = "one")]
    pub clip_norm: f64,
    /// Share of the averaged weights that a step keeps.
    #[serde(default = "default_average")]
    pub average: f64,
    /// Epochs without a better one before the run stops.
    #[serde(default = "default_patience")]
    pub patience: usize,
    /// What dense layers compute in.
    #[serde(default = "default_precision")]
    pub precision: Precision,
    /// The prompt that is validated, scored and shipped.
    #[serde(default = "default_prompt")]
    pub prompt: String,
    /// Which texts pictures are learned with.
    #[serde(default)]
    pub prompts: PromptMix,
    /// Folder of the frozen text encoder.
    pub text_encoder: PathBuf,
    /// A run's folder or a file of weights (safetensors) to start from, of the same network but for `side_px`;
    /// instead of `pretrained`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// Pretrained encoder weights (safetensors, keys as the encoder's paths without `encoder.`); from nothing
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<PathBuf>,
    /// Parameters whose path starts with one of these do not learn: the encoder's first, largest layers cost
    /// most of a backward pass and change least.
    #[serde(default)]
    pub frozen: Vec<String>,
    /// Steps after which everything is kept to go on with, beside each epoch's end: what a kill can cost.
    #[serde(default = "default_checkpoint_steps")]
    pub checkpoint_steps: usize,
    /// Where all random numbers come from.
    #[serde(default)]
    pub seed: u64,
    /// libtorch's threads.
    #[serde(default = "default_threads")]
    pub threads: usize,
    /// Threads that decode and augment.
    #[serde(default = "default_loader_threads")]
    pub loader_threads: usize,
    /// How pictures are varied.
    #[serde(default)]
    pub augment: AugmentConfig,
}

fn default_normalisation() -> Normalisation {
    Normalisation::Fixed { mean: [127.0; 3], std: [128.0; 3] }
}
fn default_loss() -> String {
    "seu".to_owned()
}
fn default_batch() -> usize {
    16
}
fn one() -> f64 {
    1.0
}
fn default_final_rate() -> f64 {
    1e-6
}
fn default_weight_decay() -> f64 {
    0.01
}
fn default_average() -> f64 {
    0.998
}
fn default_patience() -> usize {
    20
}
fn default_precision() -> Precision {
    Precision::F32
}
fn default_prompt() -> String {
    "polyp".to_owned()
}
fn default_checkpoint_steps() -> usize {
    500
}
fn default_threads() -> usize {
    2
}
fn default_loader_threads() -> usize {
    1
}

impl FitConfig {
    /// Reads a TOML file; unknown keys are refused.
    ///
    /// # Errors
    /// [`TrainingError`] naming the file and the key.
    pub fn read(path: &Path) -> Result<Self, TrainingError> {
        let text = std::fs::read_to_string(path).map_err(TrainingError::file("read", path))?;
        let config: Self = toml::from_str(&text).map_err(|error| TrainingError::Field {
            path: path.to_owned(),
            field: "(file)".to_owned(),
            expected: "a training configuration in TOML".to_owned(),
            found: error.to_string().replace('\n', " "),
        })?;
        Ok(config)
    }

    /// What the network is shown.
    pub fn input(&self) -> InputSpec {
        InputSpec {
            side_px: u32::try_from(self.model.side_px).unwrap_or(u32::MAX),
            fit: Fit::Squash,
            normalisation: self.normalisation,
        }
    }

    /// Refuses values that can not be trained with.
    ///
    /// # Errors
    /// [`TrainingError::Field`] naming the key.
    pub fn check(&self) -> Result<(), TrainingError> {
        self.model.check()?;
        let wrong = |field: &str, expected: String, found: String| {
            Err(TrainingError::Field {
                path: "configuration".into(),
                field: field.to_owned(),
                expected,
                found,
            })
        };
        self.prompts.check()?;
        if let (Some(start), Some(pretrained)) = (&self.start, &self.pretrained) {
            let found = format!("{} as well", start.display());
            return wrong("start", format!("one of start and pretrained ({})", pretrained.display()), found);
        }
        if loss::loss(&self.loss).is_none() {
            let names: Vec<_> = loss::LOSSES.iter().map(|loss| loss.name()).collect();
            return wrong("loss", format!("one of {}", names.join(", ")), self.loss.clone());
        }
        for (field, value) in [
            ("epochs", self.epochs),
            ("batch", self.batch),
            ("threads", self.threads),
            ("loader_threads", self.loader_threads),
            ("patience", self.patience),
            ("checkpoint_steps", self.checkpoint_steps),
        ] {
            if value == 0 {
                return wrong(field, "at least 1".to_owned(), "0".to_owned());
            }
        }
        for (field, value, low, high) in [
            ("learning_rate", self.learning_rate, f64::MIN_POSITIVE, 1.0),
            ("final_rate", self.final_rate, 0.0, self.learning_rate),
            ("encoder_rate", self.encoder_rate, 0.0, 10.0),
            ("layer_decay", self.layer_decay, 0.01, 1.0),
            ("warmup_epochs", self.warmup_epochs, 0.0, self.epochs as f64),
            ("weight_decay", self.weight_decay, 0.0, 1.0),
            ("clip_norm", self.clip_norm, f64::MIN_POSITIVE, f64::MAX),
            ("average", self.average, 0.0, 0.999_999),
        ] {
            if !(low..=high).contains(&value) {
                return wrong(field, format!("{low:e} to {high:e}"), value.to_string());
            }
        }
        Ok(())
    }

    /// Refuses a data set that is too small for one step or has nothing to choose the best epoch with.
    ///
    /// # Errors
    /// [`TrainingError::Field`] naming the split.
    pub fn check_data(&self, path: &Path, train: usize, validation: usize) -> Result<(), TrainingError> {
        for (field, expected, found) in
            [("split train", self.batch, train), ("split validation", 1, validation)]
        {
            if found < expected {
                return Err(TrainingError::Field {
                    path: path.to_owned(),
                    field: field.to_owned(),
                    expected: format!("at least {expected} pictures"),
                    found: format!("{found} pictures"),
                });
            }
        }
        Ok(())
    }
}
