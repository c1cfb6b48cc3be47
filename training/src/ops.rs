//! The tch interpreter of the network: it learns.
//!
//! Dense convolutions, linear layers and attention run in the kind that [`TchOps`] is given (bfloat16 halves a step's time
//! on a CPU that has it); depthwise convolutions, norms and the prompt side stay in float32: the first are
//! slower in bfloat16, the others lose what they are for. Tensors that were made from `[B,H,W,C]` bytes keep
//! that layout in memory, which is what the convolutions want.
//!
//! Not here: parameters' values ([`crate::variables`]), losses, the optimiser.

use std::rc::Rc;

use polyp::model::{
    AttentionInputs, BatchNorm, Conv2d, FrameOps, Mode, ModelError, Param, PromptOps, ScanInputs,
};
use tch::{Kind, TchError, Tensor};

use crate::variables::Variables;

/// The slope that libtorch's own leaky ReLU has; tch gives no way to name another.
const TORCH_SLOPE: f64 = 0.01;

type Value = Rc<Tensor>;
type Done = Result<Value, ModelError>;

/// Runs blocks on tch tensors.
#[derive(Debug)]
pub struct TchOps<'a> {
    variables: &'a Variables,
    mode: Mode,
    compute: Kind,
}

fn integer(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn integers(values: &[usize]) -> Vec<i64> {
    values.iter().copied().map(integer).collect()
}

fn done(op: &str, result: Result<Tensor, TchError>) -> Done {
    result.map(Rc::new).map_err(|error| backend(op, &error))
}

fn backend(op: &str, error: &TchError) -> ModelError {
    // The rest of libtorch's message is its own call stack.
    let message = error.to_string().lines().next().unwrap_or_default().to_owned();
    ModelError::Backend { op: op.to_owned(), message }
}

impl<'a> TchOps<'a> {
    /// Runs with `variables`; `compute` is [`Kind::Float`] or [`Kind::BFloat16`].
    pub fn new(variables: &'a Variables, mode: Mode, compute: Kind) -> Self {
        Self { variables, mode, compute }
    }

    /// The same in float32, for the prompt side.
    pub fn exact(&self) -> Self {
        Self { variables: self.variables, mode: self.mode, compute: Kind::Float }
    }

    fn get(&self, param: &Param) -> Result<&Tensor, ModelError> {
        self.variables.get(param)
    }

    fn cast(&self, op: &str, x: &Tensor, kind: Kind) -> Result<Tensor, ModelError> {
        if x.kind() == kind {
            return Ok(x.shallow_clone());
        }
        x.f_to_kind(kind).map_err(|error| backend(op, &error))
    }
}

impl FrameOps for TchOps<'_> {
    type Tensor = Value;

    fn shape(&self, x: &Value) -> Vec<usize> {
        x.size().into_iter().map(|length| usize::try_from(length).unwrap_or(0)).collect()
    }

    fn conv2d(&self, x: &Value, weight: &Param, bias: Option<&Param>, geometry: Conv2d) -> Done {
        let op = weight.path.as_str();
        let kind = if geometry.groups == 1 { self.compute } else { Kind::Float };
        let mut input = self.cast(op, x, kind)?;
        let kernel = self.cast(op, self.get(weight)?, kind)?;
        let bias = match bias {
            Some(bias) => Some(self.cast(op, self.get(bias)?, kind)?),
            None => None,
        };
        let [top, left, bottom, right] = geometry.padding;
        let padding = if (top, left) == (bottom, right) {
            [integer(top), integer(left)]
        } else {
            let sides = integers(&[left, right, top, bottom]);
            input = input.f_constant_pad_nd(&sides[..]).map_err(|error| backend(op, &error))?;
            [0, 0]
        };
        let stride = integer(geometry.stride);
        done(
            op,
            input.f_conv2d(
                &kernel,
                bias.as_ref(),
                [stride, stride],
                padding,
                [1, 1],
                integer(geometry.groups),
            ),
        )
    }

    fn conv_transpose2x2(&self, x: &Value, weight: &Param) -> Done {
        let op = weight.path.as_str();
        let input = self.cast(op, x, self.compute)?;
        let kernel = self.cast(op, self.get(weight)?, self.compute)?;
        done(op, input.f_conv_transpose2d(&kernel, None::<&Tensor>, [2, 2], [0, 0], [0, 0], 1, [1, 1]))
    }

    fn batch_norm(&self, x: &Value, norm: &BatchNorm) -> Done {
        done(
            &norm.weight.path,
            x.f_batch_norm(
                Some(self.get(&norm.weight)?),
                Some(self.get(&norm.bias)?),
                Some(self.get(&norm.mean)?),
                Some(self.get(&norm.variance)?),
                self.mode == Mode::Train,
                norm.momentum,
                norm.epsilon,
                false,
            ),
        )
    }

    fn layer_norm(&self, x: &Value, weight: &Param, bias: &Param, epsilon: f64) -> Done {
        let op = weight.path.as_str();
        let x = self.cast(op, x, Kind::Float)?;
        let (weight, bias) = (self.get(weight)?, self.get(bias)?);
        done(op, x.f_layer_norm(weight.size(), Some(weight), Some(bias), epsilon, false))
    }

    fn linear(&self, x: &Value, weight: &Param, bias: Option<&Param>) -> Done {
        let op = weight.path.as_str();
        let input = self.cast(op, x, self.compute)?;
        let matrix = self.cast(op, self.get(weight)?, self.compute)?;
        let bias = match bias {
            Some(bias) => Some(self.cast(op, self.get(bias)?, self.compute)?),
            None => None,
        };
        done(op, input.f_linear(&matrix, bias.as_ref()))
    }

    fn relu6(&self, x: &Value) -> Done {
        // Not `clamp`: its gradient is four passes over the tensor instead of one.
        done("relu6", x.f_relu6())
    }

    fn leaky_relu(&self, x: &Value, slope: f64) -> Done {
        if slope == TORCH_SLOPE {
            return done("leaky relu", x.f_leaky_relu());
        }
        let scaled = x.f_mul_scalar(slope).map_err(|error| backend("leaky relu", &error))?;
        done("leaky relu", x.f_maximum(&scaled))
    }

    fn gelu(&self, x: &Value) -> Done {
        done("gelu", x.f_gelu("none"))
    }

    fn attention(&self, inputs: &AttentionInputs<'_, Value>) -> Done {
        let op = "attention";
        let query = self.cast(op, inputs.query, self.compute)?;
        let batch = query.size().first().copied().unwrap_or(1);
        let whole = |x: &Tensor| -> Result<Tensor, ModelError> {
            let x = self.cast(op, x, self.compute)?;
            let mut size = x.size();
            if let Some(first) = size.first_mut() {
                *first = batch;
            }
            x.f_expand(size, false).map_err(|error| backend(op, &error))
        };
        let dropout = if self.mode == Mode::Train { inputs.dropout } else { 0.0 };
        done(
            op,
            Tensor::f_scaled_dot_product_attention(
                &query,
                &whole(inputs.key)?,
                &whole(inputs.value)?,
                None::<&Tensor>,
                dropout,
                false,
                Some(inputs.scale),
                false,
            ),
        )
    }

    fn add(&self, a: &Value, b: &Value) -> Done {
        done("add", a.f_add(b))
    }

    fn add_token(&self, x: &Value, token: &Value) -> Done {
        done("add token", x.f_add(token))
    }

    fn add_table(&self, x: &Value, name: &str, shape: &[usize], table: &[f32]) -> Done {
        let table = Tensor::f_from_slice(table)
            .and_then(|table| table.f_reshape(integers(shape)))
            .and_then(|table| table.f_to_device(x.device()))
            .map_err(|error| backend(name, &error))?;
        done(name, x.f_add(&table))
    }

    fn scale(&self, x: &Value, by: &Param) -> Done {
        done(&by.path, x.f_mul(self.get(by)?))
    }

    fn add_param(&self, x: &Value, by: &Param) -> Done {
        done(&by.path, x.f_add(self.get(by)?))
    }

    fn reshape(&self, x: &Value, dims: &[usize]) -> Done {
        let batch = x.size().first().copied().unwrap_or(1);
        let size: Vec<i64> = std::iter::once(batch).chain(integers(dims)).collect();
        done("reshape", x.f_reshape(size))
    }

    fn permute(&self, x: &Value, axes: &[usize]) -> Done {
        done("permute", x.f_permute(integers(axes)))
    }

    fn slice(&self, x: &Value, axis: usize, start: usize, length: usize) -> Done {
        done("slice", x.f_narrow(integer(axis), integer(start), integer(length)))
    }

    fn concat(&self, a: &Value, b: &Value, axis: usize) -> Done {
        done("concat", Tensor::f_cat(&[a.as_ref(), b.as_ref()], integer(axis)))
    }

    fn pixel_shuffle(&self, x: &Value, factor: usize) -> Done {
        done("pixel shuffle", x.f_pixel_shuffle(integer(factor)))
    }

    fn average_pool(&self, x: &Value, size: usize, padding: [usize; 4]) -> Done {
        let op = "average pool";
        let [top, left, bottom, right] = padding;
        let sides = integers(&[left, right, top, bottom]);
        let size = [integer(size); 2];
        let mean = |x: &Tensor| {
            let padded = x.f_constant_pad_nd(&sides[..])?;
            padded.f_avg_pool2d(size, [1, 1], [0, 0], false, true, None::<i64>)
        };
        // libtorch leaves padding out only where it is the same on both sides: here it is counted, and then taken
        // out again.
        let plane: Vec<i64> = [1, 1].into_iter().chain(x.size().into_iter().skip(2)).collect();
        let ones = Tensor::f_ones(plane, (x.kind(), x.device()));
        let pooled = mean(x).and_then(|mean_of_all| mean_of_all.f_div(&ones.and_then(|ones| mean(&ones))?));
        done(op, pooled)
    }

    fn dropout(&self, x: &Value, share: f64) -> Done {
        done("dropout", x.f_dropout(share, self.mode == Mode::Train))
    }
}

impl PromptOps for TchOps<'_> {
    fn conv_tokens(&self, x: &Value, weight: &Param) -> Done {
        let op = weight.path.as_str();
        let kernel = self.get(weight)?;
        let [channels, _, width] = *kernel.size().as_slice() else {
            return Err(ModelError::Shape {
                op: op.to_owned(),
                expected: "[C,1,k]".to_owned(),
                found: format!("{:?}", kernel.size()),
            });
        };
        let result = x
            .f_transpose(1, 2)
            .and_then(|x| x.f_constant_pad_nd([(width - 1) / 2, width / 2]))
            .and_then(|x| x.f_conv1d(kernel, None::<&Tensor>, [1], [0], [1], channels))
            .and_then(|x| x.f_transpose(1, 2));
        done(op, result)
    }

    fn mean_token(&self, x: &Value) -> Done {
        done("mean token", x.f_mean_dim([1].as_slice(), true, Kind::Float))
    }

    fn tanh(&self, x: &Value) -> Done {
        done("tanh", x.f_tanh())
    }

    fn softplus(&self, x: &Value) -> Done {
        done("softplus", x.f_softplus())
    }

    fn selective_scan(&self, inputs: &ScanInputs<'_, Value>, a_log: &Param, d: &Param) -> Done {
        let (a_log, d) = (self.get(a_log)?, self.get(d)?);
        done("selective scan", scan(inputs, a_log, d))
    }
}

/// Token after token; see [`PromptOps::selective_scan`] for the formula.
fn scan(inputs: &ScanInputs<'_, Value>, a_log: &Tensor, d: &Tensor) -> Result<Tensor, TchError> {
    let a = a_log.f_exp()?.f_neg()?;
    let tokens = inputs.x.size().get(1).copied().unwrap_or(0);
    let mut state: Option<Tensor> = None;
    let mut outputs = Vec::new();
    for token in 0..tokens {
        let x = inputs.x.f_select(1, token)?;
        let step = inputs.step.f_select(1, token)?.f_unsqueeze(-1)?;
        let b = inputs.b.f_select(1, token)?.f_unsqueeze(1)?;
        let c = inputs.c.f_select(1, token)?.f_unsqueeze(1)?;
        let fed = step.f_mul(&b)?.f_mul(&x.f_unsqueeze(-1)?)?;
        let next = match &state {
            Some(state) => step.f_mul(&a)?.f_exp()?.f_mul(state)?.f_add(&fed)?,
            None => fed,
        };
        let seen = next.f_mul(&c)?.f_sum_dim_intlist(-1, false, Kind::Float)?;
        outputs.push(seen.f_add(&d.f_mul(&x)?)?);
        state = Some(next);
    }
    Tensor::f_stack(&outputs, 1)
}
