//! The interpreter that writes an ONNX graph.

use std::cell::RefCell;
use std::path::Path;

use polyp::model::shapes::ShapeOps;
use polyp::model::{AttentionInputs, BatchNorm, Conv2d, FrameOps, ModelError, Param};
use prost::Message;

use super::graph::{Graph, int, ints, real, signed, word};
use super::proto::Attribute;
use crate::error::EngineError;
use crate::weights::{Array, Weights, file};

/// Writes down every operation that it is asked for, with the weights of the parameters that it needs.
#[derive(Debug)]
pub struct GraphWriter<'w> {
    weights: &'w Weights,
    shapes: ShapeOps,
    graph: RefCell<Graph>,
}

/// A value of the graph: its name, and its shape for a batch of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    name: String,
    shape: Vec<usize>,
}

type Written = Result<Value, ModelError>;

impl<'w> GraphWriter<'w> {
    /// An empty graph that takes parameters from `weights`.
    pub fn new(weights: &'w Weights) -> Self {
        Self { weights, shapes: ShapeOps::new(), graph: RefCell::default() }
    }

    /// Adds an input whose first axis may have any length; `shape` is the one for a batch of one.
    pub fn batch_input(&self, name: &str, shape: &[usize]) -> Value {
        self.graph.borrow_mut().input(name, shape, true);
        Value { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// Adds an input of exactly `shape`.
    pub fn fixed_input(&self, name: &str, shape: &[usize]) -> Value {
        self.graph.borrow_mut().input(name, shape, false);
        Value { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// Adds an output called `name`; its first axis is as long as the batch.
    pub fn output(&self, name: &str, value: &Value) {
        self.graph.borrow_mut().output(name, &value.name, &value.shape);
    }

    /// Writes the graph, called `name`, to `path`: the same bytes for the same graph and weights.
    ///
    /// # Errors
    /// [`EngineError::File`] when it can not be written.
    pub fn write(self, name: &str, path: &Path) -> Result<(), EngineError> {
        file::replace(path, &self.graph.into_inner().into_model(name).encode_to_vec())
    }

    /// Makes `param` an initializer; gives its name.
    fn param<'p>(&self, param: &'p Param) -> Result<&'p str, ModelError> {
        self.graph.borrow_mut().initializer(&param.path, self.weights.get(param)?);
        Ok(&param.path)
    }

    fn node(&self, op_type: &str, inputs: &[&str], attributes: Vec<Attribute>, shape: Vec<usize>) -> Value {
        Value { name: self.graph.borrow_mut().node(op_type, inputs, attributes), shape }
    }

    fn number(&self, value: f64) -> String {
        self.graph.borrow_mut().number(value)
    }

    fn whole_numbers(&self, values: &[usize]) -> String {
        self.graph.borrow_mut().whole_numbers(values)
    }
}

/// ONNX's order of padding is that of [`Conv2d`]: begins of all axes, then ends.
fn pads(padding: [usize; 4]) -> Attribute {
    ints("pads", &padding)
}

impl FrameOps for GraphWriter<'_> {
    type Tensor = Value;

    fn shape(&self, x: &Value) -> Vec<usize> {
        x.shape.clone()
    }

    fn conv2d(&self, x: &Value, weight: &Param, bias: Option<&Param>, geometry: Conv2d) -> Written {
        let shape = self.shapes.conv2d(&x.shape, weight, bias, geometry)?;
        let mut inputs = vec![x.name.as_str(), self.param(weight)?];
        if let Some(bias) = bias {
            inputs.push(self.param(bias)?);
        }
        let kernel = weight.shape.get(2..).unwrap_or_default();
        let attributes = vec![
            ints("kernel_shape", kernel),
            ints("strides", &[geometry.stride; 2]),
            pads(geometry.padding),
            int("group", geometry.groups),
        ];
        Ok(self.node("Conv", &inputs, attributes, shape))
    }

    fn conv_transpose2x2(&self, x: &Value, weight: &Param) -> Written {
        let shape = self.shapes.conv_transpose2x2(&x.shape, weight)?;
        let attributes = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
        Ok(self.node("ConvTranspose", &[&x.name, self.param(weight)?], attributes, shape))
    }

    fn batch_norm(&self, x: &Value, norm: &BatchNorm) -> Written {
        let shape = self.shapes.batch_norm(&x.shape, norm)?;
        let inputs = [
            x.name.as_str(),
            self.param(&norm.weight)?,
            self.param(&norm.bias)?,
            self.param(&norm.mean)?,
            self.param(&norm.variance)?,
        ];
        Ok(self.node("BatchNormalization", &inputs, vec![real("epsilon", norm.epsilon)], shape))
    }

    fn layer_norm(&self, x: &Value, weight: &Param, bias: &Param, epsilon: f64) -> Written {
        let shape = self.shapes.layer_norm(&x.shape, weight, bias, epsilon)?;
        let inputs = [x.name.as_str(), self.param(weight)?, self.param(bias)?];
        let attributes = vec![signed("axis", -1), real("epsilon", epsilon)];
        Ok(self.node("LayerNormalization", &inputs, attributes, shape))
    }

    fn linear(&self, x: &Value, weight: &Param, bias: Option<&Param>) -> Written {
        let shape = self.shapes.linear(&x.shape, weight, bias)?;
        // `Gemm` would take the weight as it lies, but knows two axes only.
        let turned = self.node("Transpose", &[self.param(weight)?], vec![ints("perm", &[1, 0])], Vec::new());
        let y = self.node("MatMul", &[&x.name, &turned.name], Vec::new(), shape.clone());
        match bias {
            Some(bias) => Ok(self.node("Add", &[&y.name, self.param(bias)?], Vec::new(), shape)),
            None => Ok(y),
        }
    }

    fn relu6(&self, x: &Value) -> Written {
        let (low, high) = (self.number(0.0), self.number(6.0));
        Ok(self.node("Clip", &[&x.name, &low, &high], Vec::new(), x.shape.clone()))
    }

    fn leaky_relu(&self, x: &Value, slope: f64) -> Written {
        Ok(self.node("LeakyRelu", &[&x.name], vec![real("alpha", slope)], x.shape.clone()))
    }

    fn gelu(&self, x: &Value) -> Written {
        Ok(self.node("Gelu", &[&x.name], vec![word("approximate", "none")], x.shape.clone()))
    }

    fn attention(&self, inputs: &AttentionInputs<'_, Value>) -> Written {
        let AttentionInputs { query, key, value, scale, dropout } = *inputs;
        let shapes =
            AttentionInputs { query: &query.shape, key: &key.shape, value: &value.shape, scale, dropout };
        let shape = self.shapes.attention(&shapes)?;
        let turned = self.node("Transpose", &[&key.name], vec![ints("perm", &[0, 1, 3, 2])], Vec::new());
        let products = self.node("MatMul", &[&query.name, &turned.name], Vec::new(), Vec::new());
        let scaled = self.node("Mul", &[&products.name, &self.number(scale)], Vec::new(), Vec::new());
        let shares = self.node("Softmax", &[&scaled.name], vec![signed("axis", -1)], Vec::new());
        Ok(self.node("MatMul", &[&shares.name, &value.name], Vec::new(), shape))
    }

    fn add(&self, a: &Value, b: &Value) -> Written {
        let shape = self.shapes.add(&a.shape, &b.shape)?;
        Ok(self.node("Add", &[&a.name, &b.name], Vec::new(), shape))
    }

    fn add_token(&self, x: &Value, token: &Value) -> Written {
        let shape = self.shapes.add_token(&x.shape, &token.shape)?;
        Ok(self.node("Add", &[&x.name, &token.name], Vec::new(), shape))
    }

    fn add_table(&self, x: &Value, name: &str, shape: &[usize], table: &[f32]) -> Written {
        let sum = self.shapes.add_table(&x.shape, name, shape, table)?;
        let table = Array::new(shape.to_vec(), table.to_vec())?;
        self.graph.borrow_mut().initializer(name, &table);
        Ok(self.node("Add", &[&x.name, name], Vec::new(), sum))
    }

    fn scale(&self, x: &Value, by: &Param) -> Written {
        let shape = self.shapes.scale(&x.shape, by)?;
        Ok(self.node("Mul", &[&x.name, self.param(by)?], Vec::new(), shape))
    }

    fn add_param(&self, x: &Value, by: &Param) -> Written {
        let shape = self.shapes.add_param(&x.shape, by)?;
        Ok(self.node("Add", &[&x.name, self.param(by)?], Vec::new(), shape))
    }

    fn reshape(&self, x: &Value, dims: &[usize]) -> Written {
        let shape = self.shapes.reshape(&x.shape, dims)?;
        // 0: as long as it was.
        let target = self.whole_numbers(&[&[0], dims].concat());
        Ok(self.node("Reshape", &[&x.name, &target], Vec::new(), shape))
    }

    fn permute(&self, x: &Value, axes: &[usize]) -> Written {
        let shape = self.shapes.permute(&x.shape, axes)?;
        Ok(self.node("Transpose", &[&x.name], vec![ints("perm", axes)], shape))
    }

    fn slice(&self, x: &Value, axis: usize, start: usize, length: usize) -> Written {
        let shape = self.shapes.slice(&x.shape, axis, start, length)?;
        let [start, end, axis] = [start, start + length, axis].map(|number| self.whole_numbers(&[number]));
        Ok(self.node("Slice", &[&x.name, &start, &end, &axis], Vec::new(), shape))
    }

    fn concat(&self, a: &Value, b: &Value, axis: usize) -> Written {
        let shape = self.shapes.concat(&a.shape, &b.shape, axis)?;
        Ok(self.node("Concat", &[&a.name, &b.name], vec![int("axis", axis)], shape))
    }

    fn pixel_shuffle(&self, x: &Value, factor: usize) -> Written {
        let shape = self.shapes.pixel_shuffle(&x.shape, factor)?;
        let attributes = vec![int("blocksize", factor), word("mode", "CRD")];
        Ok(self.node("DepthToSpace", &[&x.name], attributes, shape))
    }

    fn average_pool(&self, x: &Value, size: usize, padding: [usize; 4]) -> Written {
        let shape = self.shapes.average_pool(&x.shape, size, padding)?;
        let attributes = vec![
            ints("kernel_shape", &[size; 2]),
            ints("strides", &[1, 1]),
            pads(padding),
            int("count_include_pad", 0),
        ];
        Ok(self.node("AveragePool", &[&x.name], attributes, shape))
    }

    fn dropout(&self, x: &Value, _share: f64) -> Written {
        Ok(x.clone())
    }
}
