//! Dice loss, per picture: `1 - mean((2 sum(p g) + e) / (sum p + sum g + e))`, `e = 1e-6`, sums over pixels,
//! mean over the batch (Milletari et al., 3DV 2016).

use tch::{Kind, TchError, Tensor};

use super::Loss;

const SMOOTH: f64 = 1e-6;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Dice;

impl Loss for Dice {
    fn name(&self) -> &'static str {
        "dice"
    }

    fn help(&self) -> &'static str {
        "1 - Dice of every picture, averaged over the batch"
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        let p = logits.f_sigmoid()?.f_flatten(1, -1)?;
        let g = truth.f_flatten(1, -1)?;
        let sum = |x: &Tensor| x.f_sum_dim_intlist(1, false, Kind::Float);
        let both = sum(&p.f_mul(&g)?)?.f_mul_scalar(2.0)?.f_add_scalar(SMOOTH)?;
        let each = sum(&p)?.f_add(&sum(&g)?)?.f_add_scalar(SMOOTH)?;
        both.f_div(&each)?.f_mean(Kind::Float)?.f_neg()?.f_add_scalar(1.0)
    }
}
