//! A model on texts: loading, predicting, evaluating.

pub(crate) mod adapted;
pub(crate) mod classifier;
pub(crate) mod device;
pub(crate) mod evaluate;
pub(crate) mod evaluation;
pub(crate) mod loss;
pub(crate) mod precision;
pub(crate) mod prediction;
pub(crate) mod workers;
