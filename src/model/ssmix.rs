//! SSMix, the state space mixer of the prompt side (after MambaVision's mixer, Hatamizadeh and Kautz 2024):
//! half of the channels go through a selective scan over the tokens, the other half round it.

use super::prompt::along_tokens;
use super::{Init, ModelError, PROMPT_TOKENS, Param, PromptOps, ScanInputs};

const STATES: usize = 16;
const KERNEL: usize = 4;

/// One mixer: `[P,24,C]` -> `[P,T,C]`.
#[derive(Clone, Debug)]
pub struct SsMix {
    in_weight: Param,
    conv_x: Param,
    conv_z: Param,
    select: Param,
    step_weight: Param,
    step_bias: Param,
    a_log: Param,
    d: Param,
    tokens: Param,
    double_bias: bool,
}

impl SsMix {
    /// A mixer of `width` channels (even) that leaves `tokens` tokens. With `double_bias` the step's bias
    /// enters twice, as in the authors' release.
    pub fn new(path: &str, width: usize, tokens: usize, double_bias: bool) -> Self {
        let inner = width / 2;
        let rank = width.div_ceil(16);
        let param = |name: &str, shape: &[usize], init| Param::new(format!("{path}.{name}"), shape, init);
        Self {
            in_weight: param("in_proj.weight", &[width, width], Init::KaimingUniform),
            conv_x: param("conv_x.weight", &[inner, 1, KERNEL], Init::KaimingUniform),
            conv_z: param("conv_z.weight", &[inner, 1, KERNEL], Init::KaimingUniform),
            select: param("x_proj.weight", &[rank + 2 * STATES, inner], Init::KaimingUniform),
            step_weight: param("dt_proj.weight", &[inner, rank], Init::Uniform((rank as f32).powf(-0.5))),
            step_bias: param("dt_proj.bias", &[inner], Init::StepBias),
            a_log: param("A_log", &[inner, STATES], Init::LogRange),
            d: param("D", &[inner], Init::Constant(1.0)),
            tokens: param("token_proj.weight", &[tokens, PROMPT_TOKENS], Init::KaimingUniform),
            double_bias,
        }
    }

    /// All parameters.
    pub fn params(&self) -> Vec<&Param> {
        vec![
            &self.in_weight,
            &self.conv_x,
            &self.conv_z,
            &self.select,
            &self.step_weight,
            &self.step_bias,
            &self.a_log,
            &self.d,
            &self.tokens,
        ]
    }

    /// # Shapes
    /// `[P,24,C]` -> `[P,T,C]`.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter.
    pub fn forward<O: PromptOps>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, ModelError> {
        let inner = self.d.len();
        let rank = self.step_weight.shape.get(1).copied().unwrap_or(0);
        let both = ops.linear(x, &self.in_weight, None)?;
        let x = ops.slice(&both, 2, 0, inner)?;
        let z = ops.slice(&both, 2, inner, inner)?;
        let x = ops.tanh(&ops.conv_tokens(&x, &self.conv_x)?)?;
        let z = ops.tanh(&ops.conv_tokens(&z, &self.conv_z)?)?;
        let selected = ops.linear(&x, &self.select, None)?;
        let low = ops.slice(&selected, 2, 0, rank)?;
        let b = ops.slice(&selected, 2, rank, STATES)?;
        let c = ops.slice(&selected, 2, rank + STATES, STATES)?;
        let mut step = ops.linear(&low, &self.step_weight, Some(&self.step_bias))?;
        if self.double_bias {
            step = ops.add_param(&step, &self.step_bias)?;
        }
        let step = ops.softplus(&step)?;
        let scan = ScanInputs { x: &x, step: &step, b: &b, c: &c };
        let y = ops.selective_scan(&scan, &self.a_log, &self.d)?;
        let y = ops.concat(&y, &z, 2)?;
        along_tokens(ops, &y, &self.tokens)
    }
}
