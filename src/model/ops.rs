//! The operations a network is written in: the seam between the model and whatever runs it.
//!
//! Tensors are float32. In the frame graph axis 0 is always the batch, and no operation moves it; shapes
//! given to [`FrameOps::reshape`], [`FrameOps::permute`] and [`FrameOps::slice`] leave it out or keep it
//! first. That is what lets one exported graph run any batch.

use super::{ModelError, Param};

/// A convolution's geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Step in both directions.
    pub stride: usize,
    /// Zero rows and columns added: top, left, bottom, right.
    pub padding: [usize; 4],
    /// 1, or the number of channels for a depthwise convolution.
    pub groups: usize,
}

impl Conv2d {
    /// A dense convolution, stride 1, `padding` on all sides.
    pub const fn dense(padding: usize) -> Self {
        Self { stride: 1, padding: [padding; 4], groups: 1 }
    }
}

/// Batch normalisation's parameters, each of shape `[C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Scale.
    pub weight: Param,
    /// Shift.
    pub bias: Param,
    /// Running mean.
    pub mean: Param,
    /// Running variance.
    pub variance: Param,
    /// Added to the variance.
    pub epsilon: f64,
    /// How much of a batch's statistics enters the running ones.
    pub momentum: f64,
}

/// Whether layers that learn from the batch do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, dropout.
    Train,
    /// Running statistics, no dropout.
    Infer,
}

/// The inputs of an attention.
#[derive(Debug)]
pub struct AttentionInputs<'a, T> {
    /// `[B,heads,N,d]`.
    pub query: &'a T,
    /// `[B or 1,heads,M,d]`.
    pub key: &'a T,
    /// `[B or 1,heads,M,d]`.
    pub value: &'a T,
    /// Multiplies the products before the softmax.
    pub scale: f64,
    /// Share of weights zeroed while training.
    pub dropout: f64,
}

/// What may be in the per-frame graph: every operation has an ONNX form.
///
/// Every method fails with [`ModelError`] when shapes do not go together or the interpreter refuses.
pub trait FrameOps {
    /// A tensor, cheap to clone.
    type Tensor: Clone;

    /// Axes' lengths of `x`, batch first.
    fn shape(&self, x: &Self::Tensor) -> Vec<usize>;

    /// `[B,C,H,W]` with weight `[O,C/groups,kh,kw]` and bias `[O]` -> `[B,O,H',W']`.
    fn conv2d(
        &self,
        x: &Self::Tensor,
        weight: &Param,
        bias: Option<&Param>,
        geometry: Conv2d,
    ) -> Result<Self::Tensor, ModelError>;

    /// `[B,C,H,W]` with weight `[C,O,2,2]`, stride 2, no bias -> `[B,O,2H,2W]`.
    fn conv_transpose2x2(&self, x: &Self::Tensor, weight: &Param) -> Result<Self::Tensor, ModelError>;

    /// `[B,C,H,W]` normalised per channel.
    fn batch_norm(&self, x: &Self::Tensor, norm: &BatchNorm) -> Result<Self::Tensor, ModelError>;

    /// The last axis normalised, scaled by `weight` and shifted by `bias` (both `[C]`).
    fn layer_norm(
        &self,
        x: &Self::Tensor,
        weight: &Param,
        bias: &Param,
        epsilon: f64,
    ) -> Result<Self::Tensor, ModelError>;

    /// `[..,I]` with weight `[O,I]` and bias `[O]` -> `[..,O]`.
    fn linear(
        &self,
        x: &Self::Tensor,
        weight: &Param,
        bias: Option<&Param>,
    ) -> Result<Self::Tensor, ModelError>;

    /// `min(max(x, 0), 6)`.
    fn relu6(&self, x: &Self::Tensor) -> Result<Self::Tensor, ModelError>;

    /// `x` where positive, `slope * x` elsewhere.
    fn leaky_relu(&self, x: &Self::Tensor, slope: f64) -> Result<Self::Tensor, ModelError>;

    /// `x * (1 + erf(x / sqrt 2)) / 2`: the exact form.
    fn gelu(&self, x: &Self::Tensor) -> Result<Self::Tensor, ModelError>;

    /// Scaled dot-product attention: queries `[B,heads,N,d]`, keys and values `[B or 1,heads,M,d]` ->
    /// `[B,heads,N,d]`. `softmax(scale * q k^T) v`; in [`Mode::Train`] a share `dropout` of the weights is
    /// zeroed. One operation rather than two products, so that an interpreter may use its fused form.
    fn attention(&self, inputs: &AttentionInputs<'_, Self::Tensor>) -> Result<Self::Tensor, ModelError>;

    /// Sum of two tensors of the same shape.
    fn add(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor, ModelError>;

    /// Tokens `[B,N,C]` plus one token `[B or 1,1,C]`, added to each of them.
    fn add_token(&self, x: &Self::Tensor, token: &Self::Tensor) -> Result<Self::Tensor, ModelError>;

    /// `x` plus a fixed table of `shape`, the same for the whole batch; `name` names it in files.
    /// `shape` is `x`'s without its batch axis.
    fn add_table(
        &self,
        x: &Self::Tensor,
        name: &str,
        shape: &[usize],
        table: &[f32],
    ) -> Result<Self::Tensor, ModelError>;

    /// `x` times a parameter that is a scalar (`[1]`) or as long as `x`'s last axis.
    fn scale(&self, x: &Self::Tensor, by: &Param) -> Result<Self::Tensor, ModelError>;

    /// `x` plus a parameter that is a scalar (`[1]`) or as long as `x`'s last axis.
    fn add_param(&self, x: &Self::Tensor, by: &Param) -> Result<Self::Tensor, ModelError>;

    /// `x` with its axes after the batch regrouped to `dims`.
    fn reshape(&self, x: &Self::Tensor, dims: &[usize]) -> Result<Self::Tensor, ModelError>;

    /// `x` with its axes in the order `axes`; `axes[0]` is 0.
    fn permute(&self, x: &Self::Tensor, axes: &[usize]) -> Result<Self::Tensor, ModelError>;

    /// `length` entries of `axis` (not 0), from `start`.
    fn slice(
        &self,
        x: &Self::Tensor,
        axis: usize,
        start: usize,
        length: usize,
    ) -> Result<Self::Tensor, ModelError>;

    /// Two tensors joined along `axis` (not 0).
    fn concat(&self, a: &Self::Tensor, b: &Self::Tensor, axis: usize) -> Result<Self::Tensor, ModelError>;

    /// `[B, C*f*f, H, W]` -> `[B, C, H*f, W*f]`, channel `c*f*f + i*f + j` to row `i`, column `j` (libtorch's
    /// order, ONNX's CRD).
    fn pixel_shuffle(&self, x: &Self::Tensor, factor: usize) -> Result<Self::Tensor, ModelError>;

    /// Mean of a window of `size * size` cells, stride 1, over a plane that is padded (top, left, bottom, right);
    /// only the cells of the plane count, so that its edge is as bright as its middle.
    fn average_pool(
        &self,
        x: &Self::Tensor,
        size: usize,
        padding: [usize; 4],
    ) -> Result<Self::Tensor, ModelError>;

    /// Zeroes a share of `x` in [`Mode::Train`] and scales the rest; `x` itself otherwise.
    fn dropout(&self, x: &Self::Tensor, share: f64) -> Result<Self::Tensor, ModelError>;
}

/// The inputs of a selective scan: `P` prompts, `L` tokens, `I` channels, `S` states.
#[derive(Debug)]
pub struct ScanInputs<'a, T> {
    /// `[P,L,I]`.
    pub x: &'a T,
    /// `[P,L,I]`, positive.
    pub step: &'a T,
    /// `[P,L,S]`.
    pub b: &'a T,
    /// `[P,L,S]`.
    pub c: &'a T,
}

/// What happens once per prompt. Axis 0 is the prompt.
pub trait PromptOps: FrameOps {
    /// `[P,L,C]`, every channel convolved over its tokens with its own kernel `weight` `[C,1,k]`, no bias,
    /// zeros around: `(k-1)/2` before and `k/2` after.
    fn conv_tokens(&self, x: &Self::Tensor, weight: &Param) -> Result<Self::Tensor, ModelError>;

    /// The mean of `[P,L,C]` over its tokens -> `[P,1,C]`.
    fn mean_token(&self, x: &Self::Tensor) -> Result<Self::Tensor, ModelError>;

    /// Hyperbolic tangent.
    fn tanh(&self, x: &Self::Tensor) -> Result<Self::Tensor, ModelError>;

    /// `ln(1 + e^x)`.
    fn softplus(&self, x: &Self::Tensor) -> Result<Self::Tensor, ModelError>;

    /// `h[i,s] = exp(-step[i] exp(a_log[i,s])) h[i,s] + step[i] b[s] x[i]`, from `h = 0`, token after token;
    /// `y[i] = sum_s c[s] h[i,s] + d[i] x[i]`. `a_log` is `[I,S]`, `d` is `[I]`; gives `[P,L,I]`.
    fn selective_scan(
        &self,
        inputs: &ScanInputs<'_, Self::Tensor>,
        a_log: &Param,
        d: &Param,
    ) -> Result<Self::Tensor, ModelError>;
}
