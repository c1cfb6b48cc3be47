//! Each parameter's share of the learning rate: all of it in the decoder, less in the pretrained encoder, and less
//! with every block towards the pixels (layer-wise decay, Howard and Ruder, ACL 2018).
//!
//! Not here: the rate over a run's time ([`super::Schedule`]).

use super::FitConfig;

const ENCODER: &str = "encoder.";

/// See the module.
#[derive(Debug)]
pub(super) struct Rates {
    /// The encoder's blocks, from the pixels up.
    blocks: Vec<String>,
    encoder: f64,
    decay: f64,
}

impl Rates {
    /// Of the parameters with these paths.
    pub(super) fn new<'a>(paths: impl Iterator<Item = &'a str>, config: &FitConfig) -> Self {
        let mut blocks: Vec<String> = paths.filter_map(block).map(str::to_owned).collect();
        blocks.sort_by_cached_key(|block| depth(block));
        blocks.dedup();
        Self { blocks, encoder: config.encoder_rate, decay: config.layer_decay }
    }

    /// The share of a parameter.
    pub(super) fn of(&self, path: &str) -> f64 {
        let Some(block) = block(path) else { return 1.0 };
        let place = self.blocks.iter().position(|other| other == block).unwrap_or(0);
        let after = i32::try_from(self.blocks.len().saturating_sub(1 + place)).unwrap_or(i32::MAX);
        self.encoder * self.decay.powi(after)
    }
}

/// The block of the encoder that a path belongs to: all up to its last number, or its first word where it has none.
fn block(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(ENCODER)?;
    let mut end = rest.find('.').unwrap_or(rest.len());
    let mut at = 0;
    for word in rest.split('.') {
        if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
            end = at + word.len();
        }
        at += word.len() + 1;
    }
    rest.get(..end)
}

/// Where a block stands: what has no number comes first (the stem and its norm), then by its numbers; a stage's way
/// down stands before its layers.
fn depth(block: &str) -> Vec<u32> {
    let mut key = Vec::new();
    for word in block.split('.') {
        match word.parse() {
            Ok(number) => key.push(number),
            Err(_) if word == "layers" => key.push(1),
            Err(_) if word == "downsampling_layer" => key.push(0),
            Err(_) => {}
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use polyp::model::{Encoder, ImageEncoder, ModelSpec};

    use super::*;

    fn rates(encoder: Encoder, decay: f64) -> (Rates, Vec<String>) {
        let network = ImageEncoder::new(encoder);
        let paths: Vec<String> = network.params().iter().map(|param| param.path.clone()).collect();
        let spec = ModelSpec { encoder, ..ModelSpec::lite() };
        let text = format!(
            "epochs = 1\nlearning_rate = 1e-3\nencoder_rate = 0.5\nlayer_decay = {decay}\ntext_encoder = \"x\"\n[model]\n{}",
            toml::to_string(&spec).unwrap()
        );
        let config: FitConfig = toml::from_str(&text).unwrap();
        (Rates::new(paths.iter().map(String::as_str), &config), paths)
    }

    #[test]
    fn blocks_learn_the_less_the_nearer_they_are_to_the_pixels() {
        for encoder in [Encoder::EfficientnetLite0, Encoder::EfficientnetLite2, Encoder::ConvnextTiny] {
            let (rates, mut paths) = rates(encoder, 0.9);
            // The classifier's norm, which is never used, has no number: it counts as a stem.
            paths.retain(|path| !path.starts_with("encoder.layernorm"));
            let shares: Vec<f64> = paths.iter().map(|path| rates.of(path)).collect();
            assert!(shares.is_sorted(), "{encoder:?}: {shares:?}");
            assert!((shares.last().unwrap() - 0.5).abs() < 1e-12, "{encoder:?}");
            assert!(shares[0] < 0.5 * 0.9_f64.powi(10), "{encoder:?}: {}", shares[0]);
        }
    }

    #[test]
    fn without_decay_the_encoder_learns_alike_and_the_decoder_in_full() {
        let (rates, paths) = rates(Encoder::EfficientnetLite0, 1.0);
        assert!(paths.iter().all(|path| (rates.of(path) - 0.5).abs() < 1e-12));
        assert!((rates.of("decoder.d16.up.conv0.weight") - 1.0).abs() < 1e-12);
        assert!((rates.of("head.last.bias") - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_path_names_its_block() {
        assert_eq!(block("encoder._blocks.12._bn0.weight"), Some("_blocks.12"));
        assert_eq!(block("encoder._conv_stem.weight"), Some("_conv_stem"));
        assert_eq!(block("encoder.encoder.stages.2.layers.3.norm.bias"), Some("encoder.stages.2.layers.3"));
        assert_eq!(block("head.last.bias"), None);
    }
}
