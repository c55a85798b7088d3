//! AdamW in one pass over memory: the portable body makes ten, with a temporary each.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use rayon::prelude::*;

use crate::{AdamWStep, optimizer::portable_adamw_step};

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// See [`OptimizerOps::adamw_step`](crate::OptimizerOps::adamw_step). In place where the tensors
/// are not shared.
pub(crate) fn adamw_step(
    mut parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    mut moment_1: FloatTensor<Flex>,
    mut moment_2: FloatTensor<Flex>,
    step: AdamWStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>, FloatTensor<Flex>) {
    let plain = [&parameter, &gradient, &moment_1, &moment_2]
        .into_iter()
        .all(|tensor| {
            let whole = tensor.bytes().len() == 4 * tensor.shape().num_elements();
            tensor.dtype() == DType::F32 && tensor.is_contiguous() && whole
        });
    if !plain {
        return portable_adamw_step::<Flex>(parameter, gradient, moment_1, moment_2, step);
    }
    let scale = step.gradient_scale as f32;
    let decay = (1.0 - step.learning_rate * step.weight_decay) as f32;
    let (beta_1, beta_2) = (step.beta_1 as f32, step.beta_2 as f32);
    let (rest_1, rest_2) = ((1.0 - step.beta_1) as f32, (1.0 - step.beta_2) as f32);
    let root_scale = step.bias_correction_2().sqrt().recip() as f32;
    let rate = (step.learning_rate / step.bias_correction_1()) as f32;
    let epsilon = step.epsilon as f32;

    parameter
        .storage_mut::<f32>()
        .par_chunks_mut(CHUNK)
        .zip(gradient.storage::<f32>().par_chunks(CHUNK))
        .zip(moment_1.storage_mut::<f32>().par_chunks_mut(CHUNK))
        .zip(moment_2.storage_mut::<f32>().par_chunks_mut(CHUNK))
        .for_each(|(((parameter, gradient), moment_1), moment_2)| {
            let moments = moment_1.iter_mut().zip(moment_2);
            for ((p, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
                let g = g * scale;
                *m = *m * beta_1 + g * rest_1;
                *v = *v * beta_2 + g * g * rest_2;
                *p = *p * decay - *m / (v.sqrt() * root_scale + epsilon) * rate;
            }
        });
    (parameter, moment_1, moment_2)
}
