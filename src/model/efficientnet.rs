//! The image encoders of `lite`: EfficientNet-Lite0, -Lite1 and -Lite2 (Tan and Le, ICML 2019; the Lite variants
//! have no squeeze-and-excite and use ReLU6).
//!
//! Parameter paths are `encoder.` and the key of the public PyTorch weights. The classifier (`_conv_head`,
//! `_bn1`, `_fc`) is left out.

use super::{BatchNorm, Conv2d, FrameOps, Init, ModelError, Param};

/// Kernel, stride, expansion: the same in the whole family, stage by stage.
const STAGES: [(usize, usize, usize); 7] =
    [(3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6)];
/// Stages (from 0) whose last block is given to the decoder: strides 4, 8, 16 and 32.
const TAPS: [usize; 4] = [1, 2, 4, 6];
const STEM: usize = 32;

/// A member of the family. The larger ones are deeper and wider by compound scaling; the stem, the first stage and
/// the last are as deep in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteSize {
    /// Trained on ImageNet at 224 x 224.
    Lite0,
    /// Deeper by 1.1; 240 x 240.
    Lite1,
    /// Deeper by 1.2, wider by 1.1; 260 x 260.
    Lite2,
}

impl LiteSize {
    /// Blocks in each stage.
    const fn repeats(self) -> [usize; 7] {
        match self {
            Self::Lite0 => [1, 2, 2, 3, 3, 4, 1],
            Self::Lite1 | Self::Lite2 => [1, 3, 3, 4, 4, 5, 1],
        }
    }

    /// Channels after each stage.
    const fn widths(self) -> [usize; 7] {
        match self {
            Self::Lite0 | Self::Lite1 => [16, 24, 40, 80, 112, 192, 320],
            Self::Lite2 => [16, 24, 48, 88, 120, 208, 352],
        }
    }
}

/// An EfficientNet-Lite without its classifier.
#[derive(Clone, Debug)]
pub struct EfficientNetLite {
    stem: ConvNorm,
    blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
struct ConvNorm {
    weight: Param,
    norm: BatchNorm,
    geometry: Conv2d,
}

/// An inverted residual: widen, depthwise, narrow.
#[derive(Clone, Debug)]
struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    residual: bool,
    tapped: bool,
}

/// TensorFlow's "SAME" padding on an even side: stride 2 puts the odd zero at the end.
const fn same(kernel: usize, stride: usize) -> [usize; 4] {
    let total = kernel - stride;
    let before = total / 2;
    [before, before, total - before, total - before]
}

impl ConvNorm {
    fn new(conv: String, norm: &str, weight: [usize; 4], stride: usize, groups: usize) -> Self {
        let [out, _, kernel, _] = weight;
        // As TensorFlow's reference: normal, fan-out.
        let fan_out = (kernel * kernel * out / groups) as f32;
        let epsilon_momentum = (1e-3, 0.01);
        Self {
            weight: Param::new(format!("{conv}.weight"), &weight, Init::Normal((2.0 / fan_out).sqrt())),
            norm: BatchNorm {
                weight: Param::new(format!("{norm}.weight"), &[out], Init::Constant(1.0)),
                bias: Param::new(format!("{norm}.bias"), &[out], Init::Constant(0.0)),
                mean: Param::buffer(format!("{norm}.running_mean"), &[out], 0.0),
                variance: Param::buffer(format!("{norm}.running_var"), &[out], 1.0),
                epsilon: epsilon_momentum.0,
                momentum: epsilon_momentum.1,
            },
            geometry: Conv2d { stride, padding: same(kernel, stride), groups },
        }
    }

    fn params(&self) -> [&Param; 5] {
        let n = &self.norm;
        [&self.weight, &n.weight, &n.bias, &n.mean, &n.variance]
    }

    fn forward<O: FrameOps>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, ModelError> {
        let y = ops.conv2d(x, &self.weight, None, self.geometry)?;
        ops.batch_norm(&y, &self.norm)
    }
}

impl Block {
    /// # Shapes
    /// `[B,C,H,W]` -> `[B,O,H/stride,W/stride]`.
    fn forward<O: FrameOps>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, ModelError> {
        let mut y = x.clone();
        if let Some(expand) = &self.expand {
            y = ops.relu6(&expand.forward(ops, &y)?)?;
        }
        y = ops.relu6(&self.depthwise.forward(ops, &y)?)?;
        y = self.project.forward(ops, &y)?;
        if self.residual { ops.add(&y, x) } else { Ok(y) }
    }
}

impl EfficientNetLite {
    /// The parameters of that member under `path`.
    pub fn new(path: &str, size: LiteSize) -> Self {
        let mut blocks = Vec::new();
        let mut width = STEM;
        let scaled = size.repeats().into_iter().zip(size.widths());
        for (stage, (&(kernel, stride, expansion), (repeats, out))) in STAGES.iter().zip(scaled).enumerate() {
            for repeat in 0..repeats {
                let name = format!("{path}._blocks.{}", blocks.len());
                let stride = if repeat == 0 { stride } else { 1 };
                let wide = width * expansion;
                let layer = |conv: &str, norm: &str, weight, stride, groups| {
                    ConvNorm::new(format!("{name}.{conv}"), &format!("{name}.{norm}"), weight, stride, groups)
                };
                blocks.push(Block {
                    expand: (expansion != 1)
                        .then(|| layer("_expand_conv", "_bn0", [wide, width, 1, 1], 1, 1)),
                    depthwise: layer("_depthwise_conv", "_bn1", [wide, 1, kernel, kernel], stride, wide),
                    project: layer("_project_conv", "_bn2", [out, wide, 1, 1], 1, 1),
                    residual: stride == 1 && width == out,
                    tapped: TAPS.contains(&stage) && repeat + 1 == repeats,
                });
                width = out;
            }
        }
        let stem =
            ConvNorm::new(format!("{path}._conv_stem"), &format!("{path}._bn0"), [STEM, 3, 3, 3], 2, 1);
        Self { stem, blocks }
    }

    /// Channels at strides 4, 8, 16 and 32.
    pub fn widths(size: LiteSize) -> [usize; 4] {
        TAPS.map(|stage| size.widths()[stage])
    }

    /// All parameters, in the order of use.
    pub fn params(&self) -> Vec<&Param> {
        let mut all: Vec<&Param> = self.stem.params().to_vec();
        for block in &self.blocks {
            for layer in block.expand.iter().chain([&block.depthwise, &block.project]) {
                all.extend(layer.params());
            }
        }
        all
    }

    /// # Shapes
    /// image `[B,3,S,S]` -> `[B,C4,S/4,S/4]`, `[B,C8,S/8,S/8]`, `[B,C16,S/16,S/16]`, `[B,C32,S/32,S/32]`, with the
    /// channels of [`Self::widths`]: 24, 40, 112, 320 for Lite0.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter.
    pub fn forward<O: FrameOps>(&self, ops: &O, image: &O::Tensor) -> Result<Vec<O::Tensor>, ModelError> {
        let mut x = ops.relu6(&self.stem.forward(ops, image)?)?;
        let mut taps = Vec::with_capacity(4);
        for block in &self.blocks {
            x = block.forward(ops, &x)?;
            if block.tapped {
                taps.push(x.clone());
            }
        }
        Ok(taps)
    }
}
