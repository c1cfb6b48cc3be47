//! The whole network: encoder, three decoder levels with a prompt memory each, head.

use super::{
    ConvNext, EfficientNetLite, Encoder, FrameOps, Head, LevelMemory, LiteSize, MoDab, ModelError, ModelSpec,
    Param, PromptLevel, PromptOps, Role, UpBlock,
};

/// The decoder levels, named by the stride of the skip that they join, and the prompt tokens each keeps.
pub const LEVELS: [(&str, usize); 3] = [("d16", 24), ("d8", 12), ("d4", 9)];

/// An image encoder: four feature maps from a picture. The seam for a third one.
#[derive(Clone, Debug)]
pub enum ImageEncoder {
    /// ConvNeXt-Tiny.
    ConvNext(ConvNext),
    /// EfficientNet-Lite0, -Lite1 or -Lite2.
    EfficientNetLite(EfficientNetLite),
}

impl ImageEncoder {
    /// The encoder of a spec, its parameters under `encoder`.
    pub fn new(encoder: Encoder) -> Self {
        match encoder {
            Encoder::ConvnextTiny => Self::ConvNext(ConvNext::new("encoder")),
            Encoder::EfficientnetLite0 => Self::lite(LiteSize::Lite0),
            Encoder::EfficientnetLite1 => Self::lite(LiteSize::Lite1),
            Encoder::EfficientnetLite2 => Self::lite(LiteSize::Lite2),
        }
    }

    fn lite(size: LiteSize) -> Self {
        Self::EfficientNetLite(EfficientNetLite::new("encoder", size))
    }

    /// All parameters.
    pub fn params(&self) -> Vec<&Param> {
        match self {
            Self::ConvNext(net) => net.params(),
            Self::EfficientNetLite(net) => net.params(),
        }
    }

    /// # Shapes
    /// image `[B,3,S,S]` -> four maps at strides 4, 8, 16 and 32.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter.
    pub fn forward<O: FrameOps>(&self, ops: &O, image: &O::Tensor) -> Result<Vec<O::Tensor>, ModelError> {
        match self {
            Self::ConvNext(net) => net.forward(ops, image),
            Self::EfficientNetLite(net) => net.forward(ops, image),
        }
    }
}

/// A network of the family.
#[derive(Clone, Debug)]
pub struct Network {
    spec: ModelSpec,
    encoder: ImageEncoder,
    levels: Vec<Level>,
    head: Head,
}

#[derive(Clone, Debug)]
struct Level {
    /// None without text.
    prompt: Option<PromptLevel>,
    /// None in the variant without.
    modab: Option<MoDab>,
    up: UpBlock,
}

impl Network {
    /// The network of `spec`.
    ///
    /// # Errors
    /// [`ModelError::Spec`] when no network fits it.
    pub fn new(spec: &ModelSpec) -> Result<Self, ModelError> {
        spec.check()?;
        let [_, skip8, skip16, _] = spec.encoder.widths();
        let [skip4, ..] = spec.encoder.widths();
        let skips = [skip16, skip8, skip4];
        let mut levels = Vec::with_capacity(LEVELS.len());
        for (index, (name, tokens)) in LEVELS.into_iter().enumerate() {
            let (width, out) = (spec.level_widths()[index], spec.decoder_widths[index]);
            let path = format!("decoder.{name}");
            levels.push(Level {
                prompt: PromptLevel::new(&format!("{path}.prompt"), spec, width, tokens),
                modab: spec.modab.then(|| {
                    MoDab::new(&format!("{path}.modab"), width, spec.attention_dropout, spec.fusion)
                }),
                up: UpBlock::new(&format!("{path}.up"), width, skips[index], out),
            });
        }
        let [.., last] = spec.decoder_widths;
        Ok(Self {
            spec: spec.clone(),
            encoder: ImageEncoder::new(spec.encoder),
            levels,
            head: Head::new("head", last),
        })
    }

    /// Its sizes.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Parameters of the frame graph (a few of the encoder's may be unused).
    pub fn frame_params(&self) -> Vec<&Param> {
        let mut all = self.encoder.params();
        for level in &self.levels {
            all.extend(level.modab.iter().flat_map(MoDab::params));
            all.extend(level.up.params());
        }
        all.extend(self.head.params());
        all
    }

    /// Parameters of the prompt side; none without text.
    pub fn prompt_params(&self) -> Vec<&Param> {
        self.prompts().flat_map(PromptLevel::params).collect()
    }

    /// All parameters: the frame graph's, then the prompt side's.
    pub fn params(&self) -> Vec<&Param> {
        let mut all = self.frame_params();
        all.extend(self.prompt_params());
        all
    }

    /// The number of values that an optimiser changes.
    pub fn trainable(&self) -> usize {
        self.params().into_iter().filter(|param| param.role == Role::Trainable).map(Param::len).sum()
    }

    fn prompts(&self) -> impl Iterator<Item = &PromptLevel> {
        self.levels.iter().filter_map(|level| level.prompt.as_ref())
    }

    /// Names and shapes `[T,C]` of the prompt memory's six tensors, in the order in which engines take them:
    /// `memory.d16.key`, `memory.d16.value`, `memory.d8.key`, ... Three values only with
    /// [`super::Fusion::Addition`], nothing without text.
    pub fn memory_shapes(&self) -> Vec<(String, [usize; 2])> {
        let mut all = Vec::with_capacity(2 * LEVELS.len());
        for (level, (name, _)) in self.levels.iter().zip(LEVELS) {
            for (part, shape) in level.prompt.iter().flat_map(PromptLevel::memory_shapes) {
                all.push((format!("memory.{name}.{part}"), shape));
            }
        }
        all
    }

    /// The prompt memory that tensors in the order of [`Self::memory_shapes`] make; shorter where they are too few.
    pub fn memory_of<T>(&self, tensors: impl IntoIterator<Item = T>) -> Vec<LevelMemory<T>> {
        let mut tensors = tensors.into_iter();
        let mut levels = Vec::with_capacity(LEVELS.len());
        for prompt in self.prompts() {
            let key = if prompt.memory_shapes().len() > 1 { tensors.next() } else { None };
            let Some(value) = tensors.next() else { break };
            levels.push(LevelMemory { key, value });
        }
        levels
    }

    /// The prompt memory of text features.
    ///
    /// # Shapes
    /// `[P,24,W]` -> three levels of keys and values `[P,T,C]`; nothing without text.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter.
    pub fn remember<O: PromptOps>(
        &self,
        ops: &O,
        text: &O::Tensor,
    ) -> Result<Vec<LevelMemory<O::Tensor>>, ModelError> {
        self.prompts().map(|prompt| prompt.forward(ops, text)).collect()
    }

    /// The frame graph. A level that takes a memory and gets none (`memory` empty) skips its attention and only
    /// up-samples.
    ///
    /// # Shapes
    /// image `[B,3,S,S]`, memory keys and values `[B or 1,T,C]` -> logits `[B,1,S,S]`.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter, or when an encoder gives fewer than four maps.
    pub fn forward<O: FrameOps>(
        &self,
        ops: &O,
        image: &O::Tensor,
        memory: &[LevelMemory<O::Tensor>],
    ) -> Result<O::Tensor, ModelError> {
        let mut taps = self.encoder.forward(ops, image)?;
        let missing = || ModelError::Shape {
            op: "encoder".to_owned(),
            expected: "4 feature maps".to_owned(),
            found: "fewer".to_owned(),
        };
        let mut x = taps.pop().ok_or_else(missing)?;
        for (index, level) in self.levels.iter().enumerate() {
            let memory = memory.get(index);
            if let Some(modab) = level.modab.as_ref().filter(|_| memory.is_some() || level.prompt.is_none()) {
                x = modab.forward(ops, &x, memory)?;
            }
            x = level.up.forward(ops, &x, &taps.pop().ok_or_else(missing)?)?;
        }
        self.head.forward(ops, &x)
    }
}
