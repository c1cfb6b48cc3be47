//! A graph while it grows: nodes in order, every parameter once, constants where they are needed.
//!
//! Numbers that belong to an operation (shapes, bounds, slices) are `Constant` nodes, so that the file's
//! initializers are exactly the network's parameters and fixed tables.

use std::collections::BTreeSet;

use super::proto::{self, Attribute, Dimension, Node, Tensor, data_type, kind};
use crate::weights::{Array, float};

/// The name of the axis whose length is known when the graph runs.
const BATCH: &str = "batch";

/// A graph under construction.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    initializers: Vec<Tensor>,
    names: BTreeSet<String>,
    inputs: Vec<proto::ValueInfo>,
    outputs: Vec<proto::ValueInfo>,
}

pub(super) fn int(name: &str, value: usize) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        i: Some(value as i64),
        kind: Some(kind::INT),
        ..Attribute::default()
    }
}

pub(super) fn signed(name: &str, value: i64) -> Attribute {
    Attribute { name: Some(name.to_owned()), i: Some(value), kind: Some(kind::INT), ..Attribute::default() }
}

pub(super) fn real(name: &str, value: f64) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        f: Some(value as f32),
        kind: Some(kind::FLOAT),
        ..Attribute::default()
    }
}

pub(super) fn word(name: &str, value: &str) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        s: Some(value.as_bytes().to_vec()),
        kind: Some(kind::STRING),
        ..Attribute::default()
    }
}

pub(super) fn ints(name: &str, values: &[usize]) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        ints: values.iter().map(|&value| value as i64).collect(),
        kind: Some(kind::INTS),
        ..Attribute::default()
    }
}

pub(super) fn tensor(name: Option<String>, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> Tensor {
    Tensor {
        name,
        dims: dims.iter().map(|&length| length as i64).collect(),
        data_type: Some(data_type),
        raw_data: Some(raw_data),
        ..Tensor::default()
    }
}

fn value_info(name: &str, shape: &[usize], any_batch: bool) -> proto::ValueInfo {
    let axis = |(index, &length): (usize, &usize)| {
        if index == 0 && any_batch {
            Dimension { dim_param: Some(BATCH.to_owned()), dim_value: None }
        } else {
            Dimension { dim_param: None, dim_value: Some(length as i64) }
        }
    };
    let shape = proto::Shape { dim: shape.iter().enumerate().map(axis).collect() };
    let tensor = proto::TensorType { elem_type: Some(data_type::FLOAT), shape: Some(shape) };
    proto::ValueInfo { name: Some(name.to_owned()), r#type: Some(proto::Type { tensor_type: Some(tensor) }) }
}

impl Graph {
    /// Adds a float32 input.
    pub(super) fn input(&mut self, name: &str, shape: &[usize], any_batch: bool) {
        self.inputs.push(value_info(name, shape, any_batch));
    }

    /// Adds a float32 output called `name` that is the value `of`.
    pub(super) fn output(&mut self, name: &str, of: &str, shape: &[usize]) {
        self.nodes.push(Node {
            op_type: Some("Identity".to_owned()),
            name: Some(format!("{}.Identity", self.nodes.len())),
            input: vec![of.to_owned()],
            output: vec![name.to_owned()],
            attribute: Vec::new(),
        });
        self.outputs.push(value_info(name, shape, true));
    }

    /// Adds an operation; gives its output's name, which says what it is and whose parameters it has.
    pub(super) fn node(&mut self, op_type: &str, inputs: &[&str], attribute: Vec<Attribute>) -> String {
        let owner = inputs.iter().find(|name| self.names.contains(**name));
        let name = match owner {
            Some(parameter) => format!("{}.{op_type}.{parameter}", self.nodes.len()),
            None => format!("{}.{op_type}", self.nodes.len()),
        };
        self.nodes.push(Node {
            op_type: Some(op_type.to_owned()),
            name: Some(name.clone()),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            attribute,
        });
        name
    }

    /// Adds an initializer unless one of that name is there.
    pub(super) fn initializer(&mut self, name: &str, array: &Array) {
        if self.names.insert(name.to_owned()) {
            let raw = float::encode(&array.values);
            self.initializers.push(tensor(Some(name.to_owned()), &array.shape, data_type::FLOAT, raw));
        }
    }

    /// Adds whole numbers `[n]`.
    pub(super) fn whole_numbers(&mut self, values: &[usize]) -> String {
        let raw = values.iter().flat_map(|&value| (value as i64).to_le_bytes()).collect();
        self.constant(tensor(None, &[values.len()], data_type::INT64, raw))
    }

    /// Adds a number without axes.
    pub(super) fn number(&mut self, value: f64) -> String {
        self.constant(tensor(None, &[], data_type::FLOAT, (value as f32).to_le_bytes().to_vec()))
    }

    fn constant(&mut self, value: Tensor) -> String {
        let attribute = Attribute {
            name: Some("value".to_owned()),
            t: Some(value),
            kind: Some(kind::TENSOR),
            ..Attribute::default()
        };
        self.node("Constant", &[], vec![attribute])
    }

    /// The finished file.
    pub(super) fn into_model(self, name: &str) -> proto::Model {
        proto::Model {
            // 9 goes with operator set 20; both run times read newer ones too, older ones read only this.
            ir_version: Some(9),
            producer_name: Some("polyp".to_owned()),
            opset_import: vec![proto::OperatorSet { domain: Some(String::new()), version: Some(20) }],
            graph: Some(proto::Graph {
                node: self.nodes,
                name: Some(name.to_owned()),
                initializer: self.initializers,
                input: self.inputs,
                output: self.outputs,
                ..proto::Graph::default()
            }),
            ..proto::Model::default()
        }
    }
}
