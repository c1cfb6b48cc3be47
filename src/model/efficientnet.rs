//! The image encoder of `lite`: EfficientNet-Lite0 (Tan and Le, ICML 2019; the Lite variant has no
//! squeeze-and-excite and uses ReLU6).
//!
//! Parameter paths are `encoder.` and the key of the public PyTorch weights. The classifier (`_conv_head`,
//! `_bn1`, `_fc`) is left out.

use super::{BatchNorm, Conv2d, FrameOps, Init, ModelError, Param};

/// Repeats, kernel, stride, expansion, channels out: EfficientNet-Lite0, stage by stage.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];
/// Stages (from 0) whose last block is given to the decoder: strides 4, 8, 16 and 32.
const TAPS: [usize; 4] = [1, 2, 4, 6];
const STEM: usize = 32;

/// EfficientNet-Lite0 without its classifier.
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
    /// The encoder's parameters under `path`.
    pub fn new(path: &str) -> Self {
        let mut blocks = Vec::new();
        let mut width = STEM;
        for (stage, &(repeats, kernel, stride, expansion, out)) in STAGES.iter().enumerate() {
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
    pub fn widths() -> [usize; 4] {
        TAPS.map(|stage| STAGES[stage].4)
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
    /// image `[B,3,S,S]` -> `[B,24,S/4,S/4]`, `[B,40,S/8,S/8]`, `[B,112,S/16,S/16]`, `[B,320,S/32,S/32]`.
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
