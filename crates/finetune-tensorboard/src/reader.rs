//! Reads event files.

use std::collections::HashMap;
use std::path::Path;

use prost::Message;

use crate::error::TensorboardError;
use crate::event::{Event, SummaryValue};
use crate::proto::{self, What};
use crate::record::RecordReader;
use crate::tensor;

/// Iterates over the events of a file in order, and verifies their checksums.
///
/// The iteration ends after an error. [`TensorboardError::Truncated`] is the normal end of the file of
/// a run that was killed or is still writing; the events before it are complete.
#[derive(Debug)]
pub struct EventReader {
    records: RecordReader,
    /// The plugins of the tags so far.
    plugins: HashMap<String, String>,
    failed: bool,
}

impl EventReader {
    /// Opens an event file written by this crate, TensorBoard, TensorFlow or PyTorch.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::Io`] if it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TensorboardError> {
        Ok(Self {
            records: RecordReader::open(path.as_ref().to_path_buf())?,
            plugins: HashMap::new(),
            failed: false,
        })
    }

    /// Returns the plugins of the tags read so far.
    pub(crate) fn into_plugins(self) -> HashMap<String, String> {
        self.plugins
    }

    fn read(&mut self) -> Result<Option<Event>, TensorboardError> {
        let start = self.records.position();
        let Some(data) = self.records.next()? else {
            return Ok(None);
        };
        let event = proto::Event::decode(data).map_err(|error| {
            self.records
                .damaged(start, format!("holds no event: {error}"))
        })?;
        let (file_version, values) = match event.what {
            Some(What::FileVersion(version)) => (Some(version), Vec::new()),
            Some(What::Summary(summary)) => (None, summary.value),
            None => (None, Vec::new()),
        };
        Ok(Some(Event {
            wall_time: event.wall_time,
            step: event.step,
            end: self.records.position(),
            file_version,
            values: values.into_iter().map(|value| self.value(value)).collect(),
        }))
    }

    fn value(&mut self, value: proto::Value) -> SummaryValue {
        let named = value.metadata.and_then(|metadata| metadata.plugin_data);
        if let Some(named) = named
            && !self.plugins.contains_key(&value.tag)
        {
            self.plugins.insert(value.tag.clone(), named.plugin_name);
        }
        // TensorBoard treats the form that predates plugins as this one.
        if matches!(value.data, Some(proto::value::Data::SimpleValue(_))) {
            let scalars = || "scalars".to_string();
            self.plugins
                .entry(value.tag.clone())
                .or_insert_with(scalars);
        }
        let plugin = self.plugins.get(&value.tag).cloned();
        let is_scalar = plugin.as_deref().is_none_or(|plugin| plugin == "scalars");
        SummaryValue {
            tag: value.tag,
            plugin,
            scalar: value.data.filter(|_| is_scalar).and_then(tensor::scalar_of),
        }
    }
}

impl Iterator for EventReader {
    type Item = Result<Event, TensorboardError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let event = self.read();
        self.failed = event.is_err();
        event.transpose()
    }
}
