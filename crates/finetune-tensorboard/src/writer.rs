//! Writes and continues event files.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::error::TensorboardError;
use crate::hparams::{self, HparamValue, SessionStatus};
use crate::proto::{
    Event, PluginData, PrCurvePluginData, SourceMetadata, Summary, SummaryMetadata, Tensor, Value,
    What, value,
};
use crate::reader::EventReader;
use crate::{histogram, pr_curve, record, tensor};

const SCALARS: &str = "scalars";
const FILE_VERSION: &str = "brain.Event:2";

/// Writes the events of a run to a file.
///
/// Events are buffered: call [`flush`](Self::flush) when TensorBoard should see them, and before
/// dropping the writer, which cannot report an error. After an I/O error the file may end within a
/// record; [`append_at`](Self::append_at) can continue it from the last flush.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
    position: u64,
    /// The plugins of the tags so far.
    plugins: HashMap<String, String>,
    start_time: f64,
    wall_time: Option<f64>,
    record: Vec<u8>,
}

impl EventWriter {
    /// Creates `events.out.tfevents.SECONDS.HOSTNAME.PID.N` in `dir`, and `dir` if it is missing. `N`
    /// is the first number for which the file does not exist. `start_time_seconds` (since 1970; by
    /// default now) is also the run's start time among the hyperparameters.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::Io`] if the file cannot be created or written.
    pub fn create(
        dir: impl AsRef<Path>,
        start_time_seconds: Option<f64>,
    ) -> Result<Self, TensorboardError> {
        let dir = dir.as_ref();
        let start_time = start_time_seconds.unwrap_or_else(now);
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let (path, file) = create_file(dir, start_time)?;
        let mut writer = Self {
            path,
            file: BufWriter::new(file),
            position: 0,
            plugins: HashMap::new(),
            start_time,
            wall_time: None,
            record: Vec::new(),
        };
        writer.write(&Event {
            wall_time: start_time,
            step: 0,
            what: Some(What::FileVersion(FILE_VERSION.to_string())),
            source_metadata: Some(SourceMetadata {
                writer: env!("CARGO_PKG_NAME").to_string(),
            }),
        })?;
        writer.flush()?;
        Ok(writer)
    }

    /// Continues a file after the events that end at byte `position`, as returned by [`position`] for a
    /// checkpoint; later events are cut off. All earlier events are read and verified first. If that
    /// fails, nothing is cut off.
    ///
    /// A TensorBoard that had already read further has to be restarted, since it waits at its old
    /// position.
    ///
    /// [`position`]: Self::position
    ///
    /// # Errors
    /// Fails with [`TensorboardError::Shorter`] or [`NotABoundary`](TensorboardError::NotABoundary) if
    /// the file is not that of the checkpoint, and with [`Damaged`](TensorboardError::Damaged) or
    /// [`Io`](TensorboardError::Io).
    pub fn append_at(path: impl AsRef<Path>, position: u64) -> Result<Self, TensorboardError> {
        let path = path.as_ref();
        let open = OpenOptions::new().write(true).open(path);
        let mut file = open.map_err(io_error("open", path))?;
        let length = file.metadata().map_err(io_error("read", path))?.len();
        if length < position {
            return Err(TensorboardError::Shorter {
                path: path.to_path_buf(),
                position,
                length,
            });
        }
        let mut events = EventReader::open(path)?;
        let start_time = read_up_to(&mut events, path, position)?;
        file.set_len(position).map_err(io_error("truncate", path))?;
        file.seek(SeekFrom::Start(position))
            .map_err(io_error("seek in", path))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: BufWriter::new(file),
            position,
            plugins: events.into_plugins(),
            start_time,
            wall_time: None,
            record: Vec::new(),
        })
    }

    /// Returns the path of the event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of bytes written so far, including those not flushed yet. This is the
    /// position at which [`append_at`](Self::append_at) can continue once they are
    /// [synced](Self::sync).
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Hands buffered events to the operating system, so that TensorBoard sees them.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::Io`] if the file cannot be written.
    pub fn flush(&mut self) -> Result<(), TensorboardError> {
        self.file.flush().map_err(io_error("write", &self.path))
    }

    /// Flushes and waits until the events are on the disk. Call it before storing
    /// [`position`](Self::position) in a checkpoint, or a power failure may leave a file that is
    /// shorter.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::Io`] if the file cannot be written.
    pub fn sync(&mut self) -> Result<(), TensorboardError> {
        self.flush()?;
        let synced = self.file.get_ref().sync_data();
        synced.map_err(io_error("sync", &self.path))
    }

    /// Sets the time of subsequent events, in seconds since 1970; `None` means the clock's.
    pub fn set_wall_time(&mut self, seconds: Option<f64>) {
        self.wall_time = seconds;
    }

    /// Writes a scalar, a point of the chart named `tag`. NaN and infinities are shown as such.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::TagTaken`] or [`Io`](TensorboardError::Io).
    pub fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Result<(), TensorboardError> {
        self.check_plugin(tag, SCALARS)?;
        // Written without a plugin, like PyTorch: TensorBoard treats it as a scalar either way, but its
        // `EventAccumulator` lists only this form among the scalars.
        self.value(tag, step, value::Data::SimpleValue(value), None)?;
        self.plugins.insert(tag.to_string(), SCALARS.to_string());
        Ok(())
    }

    /// Writes a text, which is shown as Markdown.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::TagTaken`] or [`Io`](TensorboardError::Io).
    pub fn text(&mut self, tag: &str, step: i64, markdown: &str) -> Result<(), TensorboardError> {
        self.summary(tag, step, "text", Vec::new, tensor::text(markdown))
    }

    /// Writes the distribution of values, such as weights or gradients, in 30 buckets of equal width
    /// like `tf.summary.histogram`.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::HistogramValue`] for NaN and infinities, and with
    /// [`TagTaken`](TensorboardError::TagTaken) or [`Io`](TensorboardError::Io).
    pub fn histogram(
        &mut self,
        tag: &str,
        step: i64,
        values: &[f32],
    ) -> Result<(), TensorboardError> {
        let buckets = tensor::matrix_f64(&histogram::buckets(tag, values)?);
        self.summary(tag, step, "histograms", Vec::new, buckets)
    }

    /// Writes the precision-recall curve of a binary classifier. `predictions` are the probabilities of
    /// `true`; thresholds are evenly spaced from 0 to 1, and their number should not change for a tag
    /// ([`DEFAULT_NUM_THRESHOLDS`](crate::DEFAULT_NUM_THRESHOLDS) is TensorBoard's default). Where
    /// nothing is predicted as true, precision is 0.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::CurveLength`],
    /// [`CurvePrediction`](TensorboardError::CurvePrediction),
    /// [`CurveThresholds`](TensorboardError::CurveThresholds), [`TagTaken`](TensorboardError::TagTaken)
    /// or [`Io`](TensorboardError::Io).
    pub fn pr_curve(
        &mut self,
        tag: &str,
        step: i64,
        labels: &[bool],
        predictions: &[f32],
        num_thresholds: usize,
    ) -> Result<(), TensorboardError> {
        let curve = pr_curve::curve(tag, labels, predictions, num_thresholds)?;
        let content = || {
            PrCurvePluginData {
                version: 0,
                num_thresholds: num_thresholds as u32,
            }
            .encode_to_vec()
        };
        self.summary(tag, step, "pr_curves", content, tensor::matrix_f32(&curve))
    }

    /// Writes the hyperparameters of the run and the tags of the scalars by which to compare runs, a
    /// line of the HParams table. The table's columns are those of the first run that TensorBoard
    /// finds, so runs to compare should have the same names.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::HparamTwice`],
    /// [`HparamNotFinite`](TensorboardError::HparamNotFinite),
    /// [`HparamsOrder`](TensorboardError::HparamsOrder) if the file already has hyperparameters (of
    /// which TensorBoard would keep the first), or [`Io`](TensorboardError::Io).
    pub fn hparams(
        &mut self,
        params: &[(String, HparamValue)],
        metrics: &[&str],
    ) -> Result<(), TensorboardError> {
        if self.has_hparams() {
            return Err(self.hparams_order("are written already, and TensorBoard keeps the first"));
        }
        let start = hparams::session_start(params, self.start_time)?;
        let experiment = hparams::experiment(params, metrics, self.start_time);
        self.hparams_summary(hparams::EXPERIMENT_TAG, experiment)?;
        self.hparams_summary(hparams::SESSION_START_TAG, start)
    }

    /// Returns whether the file has hyperparameters, possibly from before it was continued.
    pub fn has_hparams(&self) -> bool {
        self.plugins.contains_key(hparams::SESSION_START_TAG)
    }

    /// Writes how and when the run ended, for the HParams table.
    ///
    /// # Errors
    /// Fails with [`TensorboardError::HparamsOrder`] without earlier [`hparams`](Self::hparams) or for a
    /// second end, or with [`Io`](TensorboardError::Io).
    pub fn hparams_end(&mut self, status: SessionStatus) -> Result<(), TensorboardError> {
        if !self.has_hparams() {
            return Err(self.hparams_order("cannot end before they are written"));
        }
        if self.plugins.contains_key(hparams::SESSION_END_TAG) {
            return Err(self.hparams_order("have an end already, and TensorBoard keeps the first"));
        }
        let end = hparams::session_end(status, self.wall_time.unwrap_or_else(now));
        self.hparams_summary(hparams::SESSION_END_TAG, end)
    }

    fn hparams_summary(&mut self, tag: &str, content: Vec<u8>) -> Result<(), TensorboardError> {
        self.summary(tag, 0, hparams::PLUGIN, || content, tensor::null())
    }

    fn hparams_order(&self, reason: &'static str) -> TensorboardError {
        TensorboardError::HparamsOrder {
            path: self.path.clone(),
            reason,
        }
    }

    /// Writes a tensor. The plugin and its content are written only if the tag is new, since readers
    /// keep the first.
    fn summary(
        &mut self,
        tag: &str,
        step: i64,
        plugin: &'static str,
        content: impl FnOnce() -> Vec<u8>,
        tensor: Tensor,
    ) -> Result<(), TensorboardError> {
        let is_new = self.check_plugin(tag, plugin)?;
        let metadata = is_new.then(|| SummaryMetadata {
            plugin_data: Some(PluginData {
                plugin_name: plugin.to_string(),
                content: content(),
            }),
        });
        self.value(tag, step, value::Data::Tensor(tensor), metadata)?;
        if is_new {
            self.plugins.insert(tag.to_string(), plugin.to_string());
        }
        Ok(())
    }

    /// Returns whether a tag is new; fails if it belongs to another plugin.
    fn check_plugin(&self, tag: &str, plugin: &'static str) -> Result<bool, TensorboardError> {
        match self.plugins.get(tag) {
            None => Ok(true),
            Some(found) if found == plugin => Ok(false),
            Some(found) => Err(TensorboardError::TagTaken {
                tag: tag.to_string(),
                expected: plugin,
                found: found.clone(),
            }),
        }
    }

    fn value(
        &mut self,
        tag: &str,
        step: i64,
        data: value::Data,
        metadata: Option<SummaryMetadata>,
    ) -> Result<(), TensorboardError> {
        self.write(&Event {
            wall_time: self.wall_time.unwrap_or_else(now),
            step,
            what: Some(What::Summary(Summary {
                value: vec![Value {
                    tag: tag.to_string(),
                    data: Some(data),
                    metadata,
                }],
            })),
            source_metadata: None,
        })
    }

    fn write(&mut self, event: &Event) -> Result<(), TensorboardError> {
        self.record.clear();
        record::frame(&event.encode_to_vec(), &mut self.record);
        self.file
            .write_all(&self.record)
            .map_err(io_error("write", &self.path))?;
        self.position += self.record.len() as u64;
        Ok(())
    }
}

/// Creates a file, named like those of TensorFlow and PyTorch.
fn create_file(dir: &Path, start_time: f64) -> Result<(PathBuf, File), TensorboardError> {
    let host = gethostname::gethostname();
    let prefix = format!(
        "events.out.tfevents.{:010}.{}.{}",
        start_time as u64,
        host.to_string_lossy(),
        process::id()
    );
    let mut number = 0;
    loop {
        let path = dir.join(format!("{prefix}.{number}"));
        match File::create_new(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            file => return Ok((path.clone(), file.map_err(io_error("create", &path))?)),
        }
    }
}

/// Reads and verifies the events up to `position` and returns the wall time of the first.
fn read_up_to(
    events: &mut EventReader,
    path: &Path,
    position: u64,
) -> Result<f64, TensorboardError> {
    let mut start_time = None;
    let mut before = 0;
    for event in events {
        let event = event?;
        let start_time = *start_time.get_or_insert(event.wall_time);
        if event.end == position {
            return Ok(start_time);
        }
        if event.end > position {
            return Err(TensorboardError::NotABoundary {
                path: path.to_path_buf(),
                position,
                before,
                after: event.end,
            });
        }
        before = event.end;
    }
    Err(TensorboardError::Shorter {
        path: path.to_path_buf(),
        position,
        length: before,
    })
}

/// Returns the seconds since 1970.
fn now() -> f64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TensorboardError {
    let path = path.to_path_buf();
    move |source| TensorboardError::Io {
        action,
        path,
        source,
    }
}
