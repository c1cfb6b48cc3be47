//! The decoder's convolutions: up-blocks and the head.

use super::{BatchNorm, Conv2d, FrameOps, Init, ModelError, Param};

const SLOPE: f64 = 0.01;
/// The head's pixel shuffle: from stride 4 to full size.
const SHUFFLE: usize = 4;

/// Doubles the grid and joins the encoder's picture of that size.
#[derive(Clone, Debug)]
pub struct UpBlock {
    up: Param,
    convs: [(Param, BatchNorm); 2],
}

impl UpBlock {
    /// From `width` channels and a skip of `skip` channels to `out` channels.
    pub fn new(path: &str, width: usize, skip: usize, out: usize) -> Self {
        let conv = |index: usize, channels: usize| {
            let norm = format!("{path}.norm{index}");
            (
                Param::new(
                    format!("{path}.conv{index}.weight"),
                    &[out, channels, 3, 3],
                    Init::KaimingUniform,
                ),
                BatchNorm {
                    weight: Param::new(format!("{norm}.weight"), &[out], Init::Constant(1.0)),
                    bias: Param::new(format!("{norm}.bias"), &[out], Init::Constant(0.0)),
                    mean: Param::buffer(format!("{norm}.running_mean"), &[out], 0.0),
                    variance: Param::buffer(format!("{norm}.running_var"), &[out], 1.0),
                    epsilon: 1e-5,
                    momentum: 0.1,
                },
            )
        };
        Self {
            up: Param::new(format!("{path}.up.weight"), &[width, out, 2, 2], Init::KaimingUniform),
            convs: [conv(0, out + skip), conv(1, out)],
        }
    }

    /// All parameters.
    pub fn params(&self) -> Vec<&Param> {
        let mut all = vec![&self.up];
        for (weight, norm) in &self.convs {
            all.extend([weight, &norm.weight, &norm.bias, &norm.mean, &norm.variance]);
        }
        all
    }

    /// # Shapes
    /// `[B,C,H,W]` and skip `[B,K,2H,2W]` -> `[B,O,2H,2W]`.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter.
    pub fn forward<O: FrameOps>(
        &self,
        ops: &O,
        x: &O::Tensor,
        skip: &O::Tensor,
    ) -> Result<O::Tensor, ModelError> {
        let mut y = ops.concat(&ops.conv_transpose2x2(x, &self.up)?, skip, 1)?;
        for (weight, norm) in &self.convs {
            y = ops.conv2d(&y, weight, None, Conv2d::dense(1))?;
            y = ops.leaky_relu(&ops.batch_norm(&y, norm)?, SLOPE)?;
        }
        Ok(y)
    }
}

/// From stride 4 to one logit per pixel.
#[derive(Clone, Debug)]
pub struct Head {
    spread: (Param, Param),
    last: (Param, Param),
}

impl Head {
    /// From `width` channels (a multiple of 4); `width / 4` are left after the pixel shuffle.
    pub fn new(path: &str, width: usize) -> Self {
        let left = width / 4;
        let spread = left * SHUFFLE * SHUFFLE;
        let bound = |fan_in: usize| Init::Uniform(1.0 / (fan_in as f32).sqrt());
        Self {
            spread: (
                Param::new(
                    format!("{path}.spread.weight"),
                    &[spread, width, 3, 3],
                    Init::Icnr { factor: SHUFFLE },
                ),
                Param::new(format!("{path}.spread.bias"), &[spread], bound(9 * width)),
            ),
            last: (
                Param::new(format!("{path}.last.weight"), &[1, left, 1, 1], Init::KaimingUniform),
                Param::new(format!("{path}.last.bias"), &[1], bound(left)),
            ),
        }
    }

    /// All parameters.
    pub fn params(&self) -> Vec<&Param> {
        vec![&self.spread.0, &self.spread.1, &self.last.0, &self.last.1]
    }

    /// # Shapes
    /// `[B,C,S/4,S/4]` -> logits `[B,1,S,S]`.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter.
    pub fn forward<O: FrameOps>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, ModelError> {
        let y = ops.conv2d(x, &self.spread.0, Some(&self.spread.1), Conv2d::dense(1))?;
        let y = ops.pixel_shuffle(&y, SHUFFLE)?;
        // The paper pools, then mixes the channels. Both are linear, so mixing first (and adding the bias
        // last) gives the same with one plane to pool instead of `width / 4`. The authors' release counts the
        // padding as zeros, which draws logits at the left and upper edge towards the bias: after calibration that
        // is a seam of doubt around every picture. Here the padding does not count.
        let y = ops.conv2d(&y, &self.last.0, None, Conv2d::dense(0))?;
        let y = ops.average_pool(&y, 4, [3, 3, 0, 0])?;
        ops.add_param(&y, &self.last.1)
    }
}
