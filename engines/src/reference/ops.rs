//! The interpreter: checks shapes, fetches parameters, calls the loops.

use std::sync::Arc;

use polyp::model::shapes::ShapeOps;
use polyp::model::{AttentionInputs, BatchNorm, Conv2d, FrameOps, ModelError, Param, PromptOps, ScanInputs};
use rayon::prelude::*;

use super::attention::attention;
use super::matmul::{matmul, transpose};
use super::{Tensor, activation, convolution, layout, norm, scan};
use crate::weights::{Array, Weights};

/// Computes with the parameters of some weights.
#[derive(Debug)]
pub struct ReferenceOps<'w> {
    weights: &'w Weights,
    shapes: ShapeOps,
}

type Computed = Result<Tensor, ModelError>;

impl<'w> ReferenceOps<'w> {
    /// An interpreter that takes parameters from `weights`.
    pub fn new(weights: &'w Weights) -> Self {
        Self { weights, shapes: ShapeOps::new() }
    }

    fn param(&self, param: &Param) -> Result<&'w [f32], ModelError> {
        Ok(&self.weights.get(param)?.values)
    }
}

fn tensor(shape: Vec<usize>, values: Vec<f32>) -> Tensor {
    Arc::new(Array { shape, values })
}

fn each(x: &Tensor, function: impl Fn(f32) -> f32 + Sync) -> Tensor {
    tensor(x.shape.clone(), x.values.par_iter().map(|&value| function(value)).collect())
}

/// `x` with `by` (as long as the last axis, or as all axes but the first) met at every place.
fn repeated(x: &Tensor, by: &[f32], function: impl Fn(f32, f32) -> f32) -> Tensor {
    let values = x.values.iter().zip(by.iter().cycle()).map(|(&x, &by)| function(x, by)).collect();
    tensor(x.shape.clone(), values)
}

/// The planes of pictures `[B,C,H,W]`, each with its channel's index.
fn planes(x: &mut Array) -> impl Iterator<Item = (usize, &mut [f32])> {
    let (channels, pixels) = match *x.shape.as_slice() {
        [_, channels, height, width] => (channels, height * width),
        _ => (1, 1),
    };
    x.values.chunks_mut(pixels.max(1)).enumerate().map(move |(plane, values)| (plane % channels, values))
}

fn last_two(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [.., height, width] => [height, width],
        _ => [1, 1],
    }
}

impl FrameOps for ReferenceOps<'_> {
    type Tensor = Tensor;

    fn shape(&self, x: &Tensor) -> Vec<usize> {
        x.shape.clone()
    }

    fn conv2d(&self, x: &Tensor, weight: &Param, bias: Option<&Param>, geometry: Conv2d) -> Computed {
        let shape = self.shapes.conv2d(&x.shape, weight, bias, geometry)?;
        let kernel = self.param(weight)?;
        let (size, window, out) = (last_two(&x.shape), last_two(&weight.shape), last_two(&shape));
        let picture = x.shape.iter().skip(1).product::<usize>().max(1);
        let values: Vec<_> = x
            .values
            .chunks(picture)
            .map(|x| convolution::convolve(x, size, kernel, window, geometry, out))
            .collect();
        let mut y = Array { shape, values: values.concat() };
        if let Some(bias) = bias {
            let bias = self.param(bias)?;
            planes(&mut y).for_each(|(channel, plane)| plane.iter_mut().for_each(|v| *v += bias[channel]));
        }
        Ok(Arc::new(y))
    }

    fn conv_transpose2x2(&self, x: &Tensor, weight: &Param) -> Computed {
        let shape = self.shapes.conv_transpose2x2(&x.shape, weight)?;
        let (kernel, size, out) = (self.param(weight)?, last_two(&x.shape), shape[1]);
        let picture = x.shape.iter().skip(1).product::<usize>().max(1);
        let values: Vec<_> = x
            .values
            .chunks(picture)
            .map(|x| convolution::convolve_transposed(x, size, kernel, out))
            .collect();
        Ok(tensor(shape, values.concat()))
    }

    fn batch_norm(&self, x: &Tensor, norm: &BatchNorm) -> Computed {
        let shape = self.shapes.batch_norm(&x.shape, norm)?;
        let (weight, bias) = (self.param(&norm.weight)?, self.param(&norm.bias)?);
        let (mean, variance) = (self.param(&norm.mean)?, self.param(&norm.variance)?);
        let mut y = Array { shape, values: x.values.clone() };
        for (c, plane) in planes(&mut y) {
            let numbers = [weight[c], bias[c], mean[c], variance[c]];
            let (scale, shift) = norm::batch_norm_line(numbers, norm.epsilon);
            plane.iter_mut().for_each(|v| *v = f64::from(*v).mul_add(scale, shift) as f32);
        }
        Ok(Arc::new(y))
    }

    fn layer_norm(&self, x: &Tensor, weight: &Param, bias: &Param, epsilon: f64) -> Computed {
        let shape = self.shapes.layer_norm(&x.shape, weight, bias, epsilon)?;
        let values = norm::layer_norm(&x.values, self.param(weight)?, self.param(bias)?, epsilon);
        Ok(tensor(shape, values))
    }

    fn linear(&self, x: &Tensor, weight: &Param, bias: Option<&Param>) -> Computed {
        let shape = self.shapes.linear(&x.shape, weight, bias)?;
        let [out, inner] = last_two(&weight.shape);
        let y = matmul(&x.values, &transpose(self.param(weight)?, inner), inner, out);
        let y = tensor(shape, y);
        match bias {
            Some(bias) => Ok(repeated(&y, self.param(bias)?, |y, bias| y + bias)),
            None => Ok(y),
        }
    }

    fn relu6(&self, x: &Tensor) -> Computed {
        Ok(each(x, |x| x.clamp(0.0, 6.0)))
    }

    fn leaky_relu(&self, x: &Tensor, slope: f64) -> Computed {
        Ok(each(x, |x| if x > 0.0 { x } else { (slope * f64::from(x)) as f32 }))
    }

    fn gelu(&self, x: &Tensor) -> Computed {
        Ok(each(x, activation::gelu))
    }

    fn attention(&self, inputs: &AttentionInputs<'_, Tensor>) -> Computed {
        let AttentionInputs { query, key, value, scale, dropout } = *inputs;
        let shapes =
            AttentionInputs { query: &query.shape, key: &key.shape, value: &value.shape, scale, dropout };
        let shape = self.shapes.attention(&shapes)?;
        Ok(tensor(shape, attention(query, key, value, scale)))
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Computed {
        let shape = self.shapes.add(&a.shape, &b.shape)?;
        Ok(tensor(shape, a.values.iter().zip(&b.values).map(|(a, b)| a + b).collect()))
    }

    fn add_token(&self, x: &Tensor, token: &Tensor) -> Computed {
        let shape = self.shapes.add_token(&x.shape, &token.shape)?;
        let [tokens, width] = last_two(&x.shape);
        let pictures = x.values.chunks((tokens * width).max(1));
        let pairs = pictures.zip(token.values.chunks(width.max(1)).cycle());
        let sums = pairs.flat_map(|(x, token)| x.iter().zip(token.iter().cycle()).map(|(x, by)| x + by));
        Ok(tensor(shape, sums.collect()))
    }

    fn add_table(&self, x: &Tensor, name: &str, shape: &[usize], table: &[f32]) -> Computed {
        self.shapes.add_table(&x.shape, name, shape, table)?;
        Ok(repeated(x, table, |x, entry| x + entry))
    }

    fn scale(&self, x: &Tensor, by: &Param) -> Computed {
        self.shapes.scale(&x.shape, by)?;
        Ok(repeated(x, self.param(by)?, |x, by| x * by))
    }

    fn add_param(&self, x: &Tensor, by: &Param) -> Computed {
        self.shapes.add_param(&x.shape, by)?;
        Ok(repeated(x, self.param(by)?, |x, by| x + by))
    }

    fn reshape(&self, x: &Tensor, dims: &[usize]) -> Computed {
        Ok(tensor(self.shapes.reshape(&x.shape, dims)?, x.values.clone()))
    }

    fn permute(&self, x: &Tensor, axes: &[usize]) -> Computed {
        let shape = self.shapes.permute(&x.shape, axes)?;
        Ok(Arc::new(layout::permute(x, axes, shape)))
    }

    fn slice(&self, x: &Tensor, axis: usize, start: usize, length: usize) -> Computed {
        let shape = self.shapes.slice(&x.shape, axis, start, length)?;
        Ok(Arc::new(layout::slice(x, axis, start, shape)))
    }

    fn concat(&self, a: &Tensor, b: &Tensor, axis: usize) -> Computed {
        let shape = self.shapes.concat(&a.shape, &b.shape, axis)?;
        Ok(Arc::new(layout::concat(a, b, axis, shape)))
    }

    fn pixel_shuffle(&self, x: &Tensor, factor: usize) -> Computed {
        let shape = self.shapes.pixel_shuffle(&x.shape, factor)?;
        Ok(Arc::new(layout::pixel_shuffle(x, factor, shape)))
    }

    fn average_pool(&self, x: &Tensor, size: usize, padding: [usize; 4]) -> Computed {
        let shape = self.shapes.average_pool(&x.shape, size, padding)?;
        let (plane, out) = (last_two(&x.shape), last_two(&shape));
        let values: Vec<_> = x
            .values
            .par_chunks((plane[0] * plane[1]).max(1))
            .map(|x| convolution::average(x, plane, size, padding, out))
            .collect();
        Ok(tensor(shape, values.concat()))
    }

    fn dropout(&self, x: &Tensor, _share: f64) -> Computed {
        Ok(x.clone())
    }
}

impl PromptOps for ReferenceOps<'_> {
    fn conv_tokens(&self, x: &Tensor, weight: &Param) -> Computed {
        let shape = self.shapes.conv_tokens(&x.shape, weight)?;
        let ([tokens, _], [_, kernel]) = (last_two(&x.shape), last_two(&weight.shape));
        Ok(tensor(shape, scan::convolve_tokens(&x.values, tokens, self.param(weight)?, kernel)))
    }

    fn mean_token(&self, x: &Tensor) -> Computed {
        let shape = self.shapes.mean_token(&x.shape)?;
        let [tokens, width] = last_two(&x.shape);
        let mean = |prompt: &[f32], channel: usize| {
            let sum: f64 = prompt.iter().skip(channel).step_by(width).map(|&x| f64::from(x)).sum();
            (sum / tokens as f64) as f32
        };
        let prompts = x.values.chunks((tokens * width).max(1));
        let means = prompts.flat_map(|prompt| (0..width).map(move |channel| mean(prompt, channel)));
        Ok(tensor(shape, means.collect()))
    }

    fn tanh(&self, x: &Tensor) -> Computed {
        Ok(each(x, |x| f64::from(x).tanh() as f32))
    }

    fn softplus(&self, x: &Tensor) -> Computed {
        Ok(each(x, activation::softplus))
    }

    fn selective_scan(&self, inputs: &ScanInputs<'_, Tensor>, a_log: &Param, d: &Param) -> Computed {
        let shapes = ScanInputs {
            x: &inputs.x.shape,
            step: &inputs.step.shape,
            b: &inputs.b.shape,
            c: &inputs.c.shape,
        };
        let shape = self.shapes.selective_scan(&shapes, a_log, d)?;
        Ok(tensor(shape, scan::selective_scan(inputs, self.param(a_log)?, self.param(d)?)))
    }
}
