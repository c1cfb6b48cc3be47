//! The sizes that make one network out of the family: what an engine's manifest carries.

use serde::{Deserialize, Serialize};

use super::{ConvNext, EfficientNetLite, LiteSize, ModelError};

/// Tokens of a prompt, padding included.
pub const PROMPT_TOKENS: usize = 24;

/// The image encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoder {
    /// ConvNeXt-Tiny.
    ConvnextTiny,
    /// EfficientNet-Lite0.
    EfficientnetLite0,
    /// EfficientNet-Lite1.
    EfficientnetLite1,
    /// EfficientNet-Lite2.
    EfficientnetLite2,
}

impl Encoder {
    /// Channels at strides 4, 8, 16 and 32.
    pub fn widths(self) -> [usize; 4] {
        match self {
            Self::ConvnextTiny => ConvNext::widths(),
            Self::EfficientnetLite0 => EfficientNetLite::widths(LiteSize::Lite0),
            Self::EfficientnetLite1 => EfficientNetLite::widths(LiteSize::Lite1),
            Self::EfficientnetLite2 => EfficientNetLite::widths(LiteSize::Lite2),
        }
    }
}

/// How the prompt enters a decoder level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fusion {
    /// Image tokens attend to the prompt memory: the paper's.
    #[default]
    CrossAttention,
    /// The mean of the memory's tokens, projected, is added to every image token.
    Addition,
    /// Not at all: the network has no prompt side.
    None,
}

/// What mixes a prompt's tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mixer {
    /// The selective scan of [`super::SsMix`]: the paper's.
    #[default]
    Ssmix,
    /// One linear layer along the tokens.
    Linear,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_yes(value: &bool) -> bool {
    *value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One network of the family.
///
/// `modab`, `fusion` and `mixer` are there to be switched off and compared, as the paper's table of ablations does.
/// They are not written where they are the paper's. Without text (`fusion = "none"`) a level keeps its MoDAB's
/// self-attention and loses the rest; without MoDAB (`modab = false`) it only up-samples, and no text can enter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// What it is called: `base`, `lite` or a name of your own.
    pub name: String,
    /// The image encoder.
    pub encoder: Encoder,
    /// Rows and columns of the input, in pixels; a multiple of 32 from 64 to 1024.
    pub side_px: usize,
    /// Width of the text features: 768 (CXR-BERT) or 384 (MiniLM).
    pub text_width: usize,
    /// Channels after each up-block, at strides 16, 8 and 4; multiples of 8.
    pub decoder_widths: [usize; 3],
    /// Share of attention weights dropped while training.
    pub attention_dropout: f64,
    /// Whether the scan's step bias enters twice, as in the authors' release.
    pub double_step_bias: bool,
    /// Whether decoder levels have a MoDAB.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub modab: bool,
    /// How the prompt enters a MoDAB.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fusion: Fusion,
    /// What mixes a prompt's tokens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mixer: Mixer,
}

impl ModelSpec {
    /// The paper's network: 43,040,884 trainable parameters.
    pub fn base() -> Self {
        Self {
            name: "base".to_owned(),
            encoder: Encoder::ConvnextTiny,
            side_px: 224,
            text_width: 768,
            decoder_widths: [384, 192, 96],
            attention_dropout: 0.1,
            double_step_bias: true,
            modab: true,
            fusion: Fusion::CrossAttention,
            mixer: Mixer::Ssmix,
        }
    }

    /// The embedded default. Its attention weights are not dropped: that would forbid the fused form, which
    /// is most of a training step's time on a CPU.
    pub fn lite() -> Self {
        Self {
            name: "lite".to_owned(),
            encoder: Encoder::EfficientnetLite0,
            side_px: 256,
            text_width: 384,
            decoder_widths: [128, 64, 48],
            attention_dropout: 0.0,
            double_step_bias: true,
            modab: true,
            fusion: Fusion::CrossAttention,
            mixer: Mixer::Ssmix,
        }
    }

    /// The built-in spec of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "base" => Some(Self::base()),
            "lite" => Some(Self::lite()),
            _ => None,
        }
    }

    /// Channels of the decoder's stream before each level: strides 32, 16 and 8.
    pub fn level_widths(&self) -> [usize; 3] {
        let [d16, d8, _] = self.decoder_widths;
        let [.., deepest] = self.encoder.widths();
        [deepest, d16, d8]
    }

    /// Refuses sizes that no network fits.
    ///
    /// # Errors
    /// [`ModelError::Spec`] naming the field.
    pub fn check(&self) -> Result<(), ModelError> {
        let wrong = |field, expected: &str, found: String| {
            Err(ModelError::Spec { field, expected: expected.to_owned(), found })
        };
        if !self.side_px.is_multiple_of(32) || !(64..=1024).contains(&self.side_px) {
            return wrong("side_px", "a multiple of 32 from 64 to 1024", self.side_px.to_string());
        }
        if !(8..=4096).contains(&self.text_width) {
            return wrong("text_width", "8 to 4096", self.text_width.to_string());
        }
        if self.decoder_widths.iter().any(|w| !w.is_multiple_of(8) || !(8..=2048).contains(w)) {
            return wrong(
                "decoder_widths",
                "multiples of 8 from 8 to 2048",
                format!("{:?}", self.decoder_widths),
            );
        }
        if !(0.0..1.0).contains(&self.attention_dropout) {
            return wrong("attention_dropout", "0 to below 1", self.attention_dropout.to_string());
        }
        if !self.modab && self.fusion != Fusion::None {
            let found = format!("{:?}", self.fusion);
            return wrong("fusion", "none, since modab is false and nothing else lets a prompt in", found);
        }
        if self.fusion == Fusion::None && self.mixer != Mixer::default() {
            return wrong("mixer", "the default, since fusion is none", format!("{:?}", self.mixer));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_papers_is_not_written_and_need_not_be() {
        let text = toml::to_string(&ModelSpec::lite()).unwrap();
        for key in ["modab", "fusion", "mixer"] {
            assert!(!text.contains(key), "{text}");
        }
        assert_eq!(toml::from_str::<ModelSpec>(&text).unwrap(), ModelSpec::lite());
        let changed = ModelSpec { fusion: Fusion::Addition, mixer: Mixer::Linear, ..ModelSpec::lite() };
        let text = toml::to_string(&changed).unwrap();
        assert!(text.contains("fusion = \"addition\"\nmixer = \"linear\""), "{text}");
        assert_eq!(toml::from_str::<ModelSpec>(&text).unwrap(), changed);
        let unknown = text.replace("mixer", "mixers");
        assert!(toml::from_str::<ModelSpec>(&unknown).unwrap_err().to_string().contains("mixers"));
    }

    #[test]
    fn switches_that_contradict_each_other_are_refused() {
        let refused = |spec: ModelSpec| spec.check().unwrap_err().to_string();
        assert_eq!(
            refused(ModelSpec { modab: false, ..ModelSpec::lite() }),
            "model spec, field fusion: expected none, since modab is false and nothing else lets a prompt in, \
             found CrossAttention"
        );
        let error = refused(ModelSpec { fusion: Fusion::None, mixer: Mixer::Linear, ..ModelSpec::lite() });
        assert_eq!(
            error,
            "model spec, field mixer: expected the default, since fusion is none, found Linear"
        );
    }
}
