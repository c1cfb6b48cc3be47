//! The image encoder of `base`: ConvNeXt-Tiny (Liu et al., "A ConvNet for the 2020s", CVPR 2022).
//!
//! Parameter paths are `encoder.` and the key of the public Hugging Face weights without its `convnext.`.

use super::{Conv2d, FrameOps, Init, ModelError, Param};

const WIDTHS: [usize; 4] = [96, 192, 384, 768];
const DEPTHS: [usize; 4] = [3, 3, 9, 3];
const EPSILON: f64 = 1e-6;

/// ConvNeXt-Tiny: four raw stage outputs at strides 4, 8, 16 and 32.
#[derive(Clone, Debug)]
pub struct ConvNext {
    stem: Affine,
    stem_norm: Affine,
    stages: Vec<Stage>,
    /// The classifier's norm: part of the public weights, never used here.
    unused_norm: Affine,
}

/// A weight and a bias.
#[derive(Clone, Debug)]
struct Affine {
    weight: Param,
    bias: Param,
}

#[derive(Clone, Debug)]
struct Stage {
    /// Norm and 2 x 2 convolution; the first stage has none.
    downsampling: Option<(Affine, Affine)>,
    blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
struct Block {
    depthwise: Affine,
    norm: Affine,
    widen: Affine,
    narrow: Affine,
    layer_scale: Param,
}

impl Affine {
    fn layer(path: &str, weight: &[usize]) -> Self {
        let width = weight.first().copied().unwrap_or(0);
        Self {
            weight: Param::new(format!("{path}.weight"), weight, Init::Normal(0.02)),
            bias: Param::new(format!("{path}.bias"), &[width], Init::Constant(0.0)),
        }
    }

    fn norm(path: &str, width: usize) -> Self {
        Self {
            weight: Param::new(format!("{path}.weight"), &[width], Init::Constant(1.0)),
            bias: Param::new(format!("{path}.bias"), &[width], Init::Constant(0.0)),
        }
    }

    fn params(&self) -> [&Param; 2] {
        [&self.weight, &self.bias]
    }
}

impl Block {
    fn new(path: &str, width: usize) -> Self {
        Self {
            depthwise: Affine::layer(&format!("{path}.dwconv"), &[width, 1, 7, 7]),
            norm: Affine::norm(&format!("{path}.layernorm"), width),
            widen: Affine::layer(&format!("{path}.pwconv1"), &[4 * width, width]),
            narrow: Affine::layer(&format!("{path}.pwconv2"), &[width, 4 * width]),
            layer_scale: Param::new(format!("{path}.layer_scale_parameter"), &[width], Init::Constant(1e-6)),
        }
    }

    /// # Shapes
    /// `[B,C,H,W]` -> the same.
    fn forward<O: FrameOps>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, ModelError> {
        let width = self.layer_scale.len();
        let geometry = Conv2d { stride: 1, padding: [3; 4], groups: width };
        let y = ops.conv2d(x, &self.depthwise.weight, Some(&self.depthwise.bias), geometry)?;
        let y = ops.permute(&y, &[0, 2, 3, 1])?;
        let y = ops.layer_norm(&y, &self.norm.weight, &self.norm.bias, EPSILON)?;
        let y = ops.linear(&y, &self.widen.weight, Some(&self.widen.bias))?;
        let y = ops.gelu(&y)?;
        let y = ops.linear(&y, &self.narrow.weight, Some(&self.narrow.bias))?;
        let y = ops.scale(&y, &self.layer_scale)?;
        let y = ops.permute(&y, &[0, 3, 1, 2])?;
        ops.add(&y, x)
    }
}

impl ConvNext {
    /// The encoder's parameters under `path`.
    pub fn new(path: &str) -> Self {
        let mut stages = Vec::with_capacity(4);
        let mut before = None;
        for (index, (&width, &depth)) in WIDTHS.iter().zip(&DEPTHS).enumerate() {
            let stage = format!("{path}.encoder.stages.{index}");
            stages.push(Stage {
                downsampling: before.map(|previous| {
                    (
                        Affine::norm(&format!("{stage}.downsampling_layer.0"), previous),
                        Affine::layer(&format!("{stage}.downsampling_layer.1"), &[width, previous, 2, 2]),
                    )
                }),
                blocks: (0..depth).map(|j| Block::new(&format!("{stage}.layers.{j}"), width)).collect(),
            });
            before = Some(width);
        }
        Self {
            stem: Affine::layer(&format!("{path}.embeddings.patch_embeddings"), &[WIDTHS[0], 3, 4, 4]),
            stem_norm: Affine::norm(&format!("{path}.embeddings.layernorm"), WIDTHS[0]),
            stages,
            unused_norm: Affine::norm(&format!("{path}.layernorm"), WIDTHS[3]),
        }
    }

    /// Channels at strides 4, 8, 16 and 32.
    pub const fn widths() -> [usize; 4] {
        WIDTHS
    }

    /// All parameters; the last two are never used by [`Self::forward`].
    pub fn params(&self) -> Vec<&Param> {
        let mut all: Vec<&Param> = self.stem.params().into_iter().chain(self.stem_norm.params()).collect();
        for stage in &self.stages {
            if let Some((norm, conv)) = &stage.downsampling {
                all.extend(norm.params().into_iter().chain(conv.params()));
            }
            for block in &stage.blocks {
                for layer in [&block.depthwise, &block.norm, &block.widen, &block.narrow] {
                    all.extend(layer.params());
                }
                all.push(&block.layer_scale);
            }
        }
        all.extend(self.unused_norm.params());
        all
    }

    /// # Shapes
    /// image `[B,3,S,S]` -> `[B,96,S/4,S/4]`, `[B,192,S/8,S/8]`, `[B,384,S/16,S/16]`, `[B,768,S/32,S/32]`.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter.
    pub fn forward<O: FrameOps>(&self, ops: &O, image: &O::Tensor) -> Result<Vec<O::Tensor>, ModelError> {
        let patches = Conv2d { stride: 4, padding: [0; 4], groups: 1 };
        let x = ops.conv2d(image, &self.stem.weight, Some(&self.stem.bias), patches)?;
        let mut x = channel_norm(ops, &x, &self.stem_norm)?;
        let mut taps = Vec::with_capacity(4);
        for stage in &self.stages {
            if let Some((norm, conv)) = &stage.downsampling {
                let halve = Conv2d { stride: 2, padding: [0; 4], groups: 1 };
                x = channel_norm(ops, &x, norm)?;
                x = ops.conv2d(&x, &conv.weight, Some(&conv.bias), halve)?;
            }
            for block in &stage.blocks {
                x = block.forward(ops, &x)?;
            }
            taps.push(x.clone());
        }
        Ok(taps)
    }
}

/// Normalises the channels of `[B,C,H,W]` at every position.
fn channel_norm<O: FrameOps>(ops: &O, x: &O::Tensor, norm: &Affine) -> Result<O::Tensor, ModelError> {
    let y = ops.permute(x, &[0, 2, 3, 1])?;
    let y = ops.layer_norm(&y, &norm.weight, &norm.bias, EPSILON)?;
    ops.permute(&y, &[0, 3, 1, 2])
}
