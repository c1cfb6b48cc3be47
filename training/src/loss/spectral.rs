//! Spectral loss: mean over frequencies of `(|FFT2 p| - |FFT2 g|)^2`, orthonormal 2-D transform (Das et al.,
//! WACV 2026). It asks for the right amount of edge, wherever the edge is.

use tch::{Kind, TchError, Tensor};

use super::Loss;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Spectral;

impl Loss for Spectral {
    fn name(&self) -> &'static str {
        "spectral"
    }

    fn help(&self) -> &'static str {
        "mean squared difference of the 2-D Fourier magnitudes"
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        // A real picture's spectrum is symmetric: half of the columns stand for all, and all of them but the
        // first and (for an even width) the last count twice.
        let magnitude = |x: &Tensor| x.f_fft_rfft2(None::<&[i64]>, [-2, -1], "ortho")?.f_abs();
        let difference = magnitude(&logits.f_sigmoid()?)?.f_sub(&magnitude(truth)?)?;
        let squared = difference.f_square()?;
        let width = truth.size().last().copied().unwrap_or(1);
        let columns = width / 2 + 1;
        let last_once = width % 2 == 0;
        let weights: Vec<f32> = (0..columns)
            .map(|column| if column == 0 || (last_once && column + 1 == columns) { 1.0 } else { 2.0 })
            .collect();
        let weights = Tensor::f_from_slice(&weights)?.f_to_device(squared.device())?;
        let all = truth.numel() as f64;
        squared.f_mul(&weights)?.f_sum(Kind::Float)?.f_div_scalar(all)
    }
}
