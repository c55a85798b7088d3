//! The parts of TensorBoard's protobuf messages that are written or read here. Field numbers are those
//! of `tensorboard/compat/proto/*.proto` and `tensorboard/plugins/*/*.proto`; prost skips fields that
//! are not listed.

mod event;
mod hparams;
mod tensor;

pub use event::{Event, PluginData, SourceMetadata, Summary, SummaryMetadata, Value, What, value};
pub use hparams::{
    DataType as HparamDataType, Experiment, HparamInfo, HparamsPluginData, JsonValue, Kind,
    MetricInfo, MetricName, PluginContent, SessionEndInfo, SessionStartInfo,
};
pub use tensor::{DataType, Dim, Tensor, TensorShape};

use prost::Message;

/// `PrCurvePluginData` of `plugins/pr_curve/plugin_data.proto`. The corresponding messages of the
/// plugins `scalars`, `text` and `histograms` have only a version, which is 0 and therefore takes no
/// bytes.
#[derive(Clone, PartialEq, Message)]
pub struct PrCurvePluginData {
    #[prost(int32, tag = "1")]
    pub version: i32,
    #[prost(uint32, tag = "2")]
    pub num_thresholds: u32,
}
