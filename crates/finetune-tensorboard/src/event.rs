//! The events read from a file.

/// An event: the values of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Time at which it was written, in seconds since 1970.
    pub wall_time: f64,
    /// The training step.
    pub step: i64,
    /// Position in the file after it, at which [`EventWriter::append_at`] can continue.
    ///
    /// [`EventWriter::append_at`]: crate::EventWriter::append_at
    pub end: u64,
    /// The file version, `brain.Event:2`, in the first event of a file.
    pub file_version: Option<String>,
    /// The summaries; other content of an event, such as graphs, is left out.
    pub values: Vec<SummaryValue>,
}

impl Event {
    /// Iterates over the tags and values of its scalars.
    pub fn scalars(&self) -> impl Iterator<Item = (&str, f32)> {
        let scalar = |value: &SummaryValue| value.scalar;
        self.values
            .iter()
            .filter_map(move |value| Some((value.tag.as_str(), scalar(value)?)))
    }
}

/// A summary in an [`Event`].
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryValue {
    /// The tag, such as `loss/train`.
    pub tag: String,
    /// The dashboard to which it belongs: `scalars`, `text`, `histograms`, `pr_curves`, `hparams` and
    /// so on. Files name it only where a tag is first used; here every value has it.
    pub plugin: Option<String>,
    /// The value of a scalar, of the plugin `scalars` or in the form that predates plugins.
    pub scalar: Option<f32>,
}
