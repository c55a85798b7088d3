//! The hyperparameters of a run, encoded for TensorBoard's HParams dashboard in the metadata of three
//! summaries with fixed tags (`plugins/hparams/metadata.py`).

use std::collections::BTreeMap;

use prost::Message;

use crate::error::TensorboardError;
use crate::proto::{
    Experiment, HparamDataType, HparamInfo, HparamsPluginData, JsonValue, Kind, MetricInfo,
    MetricName, PluginContent, SessionEndInfo, SessionStartInfo,
};

pub const PLUGIN: &str = "hparams";
pub const EXPERIMENT_TAG: &str = "_hparams_/experiment";
pub const SESSION_START_TAG: &str = "_hparams_/session_start_info";
pub const SESSION_END_TAG: &str = "_hparams_/session_end_info";

/// The value of a hyperparameter.
#[derive(Clone, Debug, PartialEq)]
pub enum HparamValue {
    /// A finite number. Integers beyond 2⁵³ are exact only as text.
    Number(f64),
    /// A text.
    Text(String),
    /// A boolean.
    Bool(bool),
}

impl From<f64> for HparamValue {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u32> for HparamValue {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<i32> for HparamValue {
    fn from(value: i32) -> Self {
        Self::Number(value.into())
    }
}

impl From<bool> for HparamValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for HparamValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<String> for HparamValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl HparamValue {
    fn data_type(&self) -> HparamDataType {
        match self {
            Self::Number(_) => HparamDataType::Float64,
            Self::Text(_) => HparamDataType::String,
            Self::Bool(_) => HparamDataType::Bool,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Number(value) => Kind::Number(*value),
            Self::Text(value) => Kind::String(value.clone()),
            Self::Bool(value) => Kind::Bool(*value),
        }
    }
}

/// How a run ended, by which the dashboard can filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    /// The run was completed.
    Success = 1,
    /// The run stopped with an error.
    Failure = 2,
}

/// Encodes the metadata of `EXPERIMENT_TAG`: the parameters and metrics that are columns of the table.
pub fn experiment(params: &[(String, HparamValue)], metrics: &[&str], time: f64) -> Vec<u8> {
    encode(PluginContent::Experiment(Experiment {
        time_created_secs: time,
        hparam_infos: params
            .iter()
            .map(|(name, value)| HparamInfo {
                name: name.clone(),
                r#type: value.data_type().into(),
            })
            .collect(),
        metric_infos: metrics
            .iter()
            .map(|&tag| MetricInfo {
                name: Some(MetricName { tag: tag.into() }),
            })
            .collect(),
    }))
}

/// Encodes the metadata of `SESSION_START_TAG`: the values of this run.
///
/// # Errors
/// Fails if a name occurs twice or a number is not finite.
pub fn session_start(
    params: &[(String, HparamValue)],
    time: f64,
) -> Result<Vec<u8>, TensorboardError> {
    let mut hparams = BTreeMap::new();
    for (name, value) in params {
        if let &HparamValue::Number(value) = value
            && !value.is_finite()
        {
            let name = name.clone();
            return Err(TensorboardError::HparamNotFinite { name, value });
        }
        let kind = Some(value.kind());
        if hparams.insert(name.clone(), JsonValue { kind }).is_some() {
            return Err(TensorboardError::HparamTwice { name: name.clone() });
        }
    }
    Ok(encode(PluginContent::SessionStartInfo(SessionStartInfo {
        hparams,
        start_time_secs: time,
    })))
}

/// Encodes the metadata of `SESSION_END_TAG`.
pub fn session_end(status: SessionStatus, time: f64) -> Vec<u8> {
    encode(PluginContent::SessionEndInfo(SessionEndInfo {
        status: status as i32,
        end_time_secs: time,
    }))
}

fn encode(data: PluginContent) -> Vec<u8> {
    HparamsPluginData {
        version: 0,
        data: Some(data),
    }
    .encode_to_vec()
}
