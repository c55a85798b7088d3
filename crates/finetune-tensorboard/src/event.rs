//! What is read from an event file.

/// One record: the values of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Seconds since 1970 when it was written.
    pub wall_time: f64,
    /// The training step.
    pub step: i64,
    /// Byte position in the file after it, where [`EventWriter::append_at`] can go on.
    ///
    /// [`EventWriter::append_at`]: crate::EventWriter::append_at
    pub end: u64,
    /// `brain.Event:2` in the first event of a file.
    pub file_version: Option<String>,
    /// Its summaries; other things that an event may hold (graphs, for one) are left out.
    pub values: Vec<SummaryValue>,
}

impl Event {
    /// The tags and values of its scalars.
    pub fn scalars(&self) -> impl Iterator<Item = (&str, f32)> {
        let scalar = |value: &SummaryValue| value.scalar;
        self.values
            .iter()
            .filter_map(move |value| Some((value.tag.as_str(), scalar(value)?)))
    }
}

/// One summary of an [`Event`].
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryValue {
    /// The tag: `loss/train`, for one.
    pub tag: String,
    /// The dashboard it belongs to: `scalars`, `text`, `histograms`, `pr_curves`, `hparams` and so
    /// on. Files name it where a tag is first used; here each value has it.
    pub plugin: Option<String>,
    /// The number, where it is one: of the plugin `scalars`, or in the form older than plugins.
    pub scalar: Option<f32>,
}
