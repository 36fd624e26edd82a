//! The candle engine: a small network whose weights are safetensors and whose arithmetic stands in the card.
//!
//! The weights are `float`; sums are `f64`, as where the reference vectors were made. Rows go through in blocks of one size,
//! the last one filled up with zeros, so that the same code multiplies a row whether it comes alone or among thousands: its
//! answer is the same to the last bit whatever batch it is in. On another processor the last bits may differ, for the library
//! chooses its instructions there.
//!
//! A layer that is missing, of another shape, or not finite is refused by name when the file is read.

use std::collections::HashMap;
use std::fmt;

use candle_core::{DType, Device, Tensor};
use thiserror::Error;

use crate::card::{Activation, Missing, Network};
use crate::engine::check_shape;
use crate::{Engine, FeatureMatrix, PredictError};

/// Rows that are multiplied at once: few enough to stay on this thread and in a near cache.
const BLOCK: usize = 64;

/// A network with its weights.
pub struct CandleEngine {
    network: Network,
    layers: Vec<Layer>,
}

/// One layer, its weights turned so that rows stand on the left.
struct Layer {
    weight: Tensor,
    bias: Tensor,
}

/// Why a file of weights is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each variant is its sentence; the fields are the names in it")]
pub enum CandleError {
    #[error("the model file is not whole safetensors ({reason}): copy or save it again")]
    File { reason: String },
    #[error("the model file has no tensor `{name}`, which layer {layer} of the card needs")]
    NoTensor { name: String, layer: usize },
    #[error("the tensor `{name}` has the shape {got:?}, the card's layers say {expected:?}")]
    Shape { name: String, got: Vec<usize>, expected: Vec<usize> },
    #[error("the tensor `{name}` holds {found}, expected float or double")]
    Kind { name: String, found: String },
    #[error("the tensor `{name}` has a number that is not finite")]
    NotFinite { name: String },
    #[error("the model file has a tensor `{name}`, which no layer of the card uses")]
    LeftOver { name: String },
    #[error("the network does not run: {reason}")]
    Library { reason: String },
}

fn library(error: candle_core::Error) -> CandleError {
    CandleError::Library { reason: error.to_string() }
}

impl CandleEngine {
    /// Reads the weights of a card's network.
    pub fn open(bytes: &[u8], network: &Network) -> Result<CandleEngine, CandleError> {
        let whole = |error: candle_core::Error| CandleError::File { reason: error.to_string() };
        let mut tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(whole)?;
        let mut inputs = network.inputs();
        let mut layers = Vec::with_capacity(network.layers.len());
        for (index, outputs) in network.layers.iter().copied().enumerate() {
            let weight = take(&mut tensors, index, "weight", &[outputs, inputs])?;
            let bias = take(&mut tensors, index, "bias", &[outputs])?;
            let weight = weight.t().and_then(|weight| weight.contiguous()).map_err(library)?;
            layers.push(Layer { weight, bias });
            inputs = outputs;
        }
        match tensors.into_keys().min() {
            Some(name) => Err(CandleError::LeftOver { name }),
            None => Ok(CandleEngine { network: network.clone(), layers }),
        }
    }

    /// What the first layer takes for one row.
    fn write_inputs(&self, row: &[f64], inputs: &mut [f64]) {
        let Network { missing, limit, mean, scale, .. } = &self.network;
        let (values, flags) = inputs.split_at_mut(row.len());
        for (index, x) in row.iter().enumerate() {
            let value = (x - mean[index]) / scale[index];
            values[index] = match limit {
                Some(limit) => value.clamp(-limit, *limit),
                None => value,
            };
            if *missing == Missing::MeanAndFlag && x.is_nan() {
                (values[index], flags[index]) = (0.0, 1.0);
            }
        }
    }

    /// The answers to a block of inputs, [`BLOCK`] rows of them.
    fn forward(&self, inputs: Vec<f64>) -> candle_core::Result<Vec<f64>> {
        let mut h = Tensor::from_vec(inputs, (BLOCK, self.network.inputs()), &Device::Cpu)?;
        for (index, layer) in self.layers.iter().enumerate() {
            h = h.matmul(&layer.weight)?.broadcast_add(&layer.bias)?;
            if index + 1 < self.layers.len() {
                h = match self.network.activation {
                    Activation::Relu => h.relu()?,
                    Activation::Tanh => h.tanh()?,
                };
            }
        }
        h.flatten_all()?.to_vec1()
    }
}

/// Takes a layer's tensor out of the file, in `f64`.
fn take(
    tensors: &mut HashMap<String, Tensor>,
    layer: usize,
    part: &str,
    expected: &[usize],
) -> Result<Tensor, CandleError> {
    let name = format!("layers.{layer}.{part}");
    let Some(tensor) = tensors.remove(&name) else { return Err(CandleError::NoTensor { name, layer }) };
    if tensor.dims() != expected {
        return Err(CandleError::Shape { name, got: tensor.dims().to_vec(), expected: expected.to_vec() });
    }
    if !matches!(tensor.dtype(), DType::F32 | DType::F64) {
        return Err(CandleError::Kind { name, found: tensor.dtype().as_str().to_owned() });
    }
    let tensor = tensor.to_dtype(DType::F64).map_err(library)?;
    let numbers: Vec<f64> = tensor.flatten_all().and_then(|flat| flat.to_vec1()).map_err(library)?;
    match numbers.iter().all(|number| number.is_finite()) {
        true => Ok(tensor),
        false => Err(CandleError::NotFinite { name }),
    }
}

/// Short: weights are no line of a log.
impl fmt::Debug for CandleEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CandleEngine({} features, layers {:?})", self.width(), self.network.layers)
    }
}

impl Engine for CandleEngine {
    fn width(&self) -> usize {
        self.network.mean.len()
    }

    fn predict(&self, rows: &FeatureMatrix, out: &mut [f64]) -> Result<(), PredictError> {
        check_shape(self.width(), 1, rows, out)?;
        let inputs = self.network.inputs();
        // Nothing is written before every block has an answer.
        let mut answers = Vec::with_capacity(out.len());
        for from in (0..rows.rows()).step_by(BLOCK) {
            let count = (rows.rows() - from).min(BLOCK);
            let mut block = vec![0.0; BLOCK * inputs];
            for (row, inputs) in (from..from + count).zip(block.chunks_exact_mut(inputs)) {
                self.write_inputs(rows.row(row), inputs);
            }
            let failed = |error: candle_core::Error| PredictError::Failed {
                engine: "candle",
                reason: error.to_string(),
            };
            let mut block = self.forward(block).map_err(failed)?;
            block.truncate(count);
            answers.append(&mut block);
        }
        // A maximum with 0 would turn a missing feature into a prediction.
        if self.network.missing == Missing::NoAnswer {
            for (index, answer) in answers.iter_mut().enumerate() {
                if rows.row(index).iter().any(|value| value.is_nan()) {
                    *answer = f64::NAN;
                }
            }
        }
        out.copy_from_slice(&answers);
        Ok(())
    }
}
