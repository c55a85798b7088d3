//! Writes Parquet files that `datasets` opens with their features and class names.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::arrow::array::RecordBatch;
use crate::arrow::datatypes::{Field, Schema, SchemaRef};
use finetune_files::NewFile;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::{
    Error, Result,
    read::{hf_features, hf_metadata},
};

/// Writes Parquet to any writer such that `datasets` opens it with its features, class names
/// included.
pub struct ParquetStream<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
    /// The destination, for error messages.
    path: PathBuf,
}

impl<W: Write + Send> ParquetStream<W> {
    /// Starts a file on `out`; `path` is only named in errors. `classes` lists the columns that
    /// hold class indices, or lists of them, with their class names; they become `ClassLabel`
    /// features in the `huggingface` metadata. Features of other columns in the schema's own
    /// metadata are kept.
    ///
    /// # Errors
    /// Fails if Parquet does not support one of the types.
    pub fn new(
        out: W,
        path: impl AsRef<Path>,
        schema: &Schema,
        classes: &[(String, Vec<String>)],
    ) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let mut metadata: HashMap<_, _> = schema.metadata().clone();
        metadata.insert(
            hf_metadata::KEY.to_owned(),
            hf_features::features(schema, classes),
        );
        // `datasets` uses a feature from the metadata only if the columns agree with its own, which
        // are always nullable.
        let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
        let fields: Vec<Field> = schema.fields().iter().map(nullable).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        // The default contains the library's version, which would make the file's bytes depend on
        // it.
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by("finetune".to_owned())
            .build();
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))
            .map_err(|e| failed(&path, &e))?;
        Ok(Self {
            writer,
            schema,
            path,
        })
    }

    /// Appends rows, whose columns must match the schema.
    ///
    /// # Errors
    /// Fails if the columns differ or the data cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())
            .map_err(|e| failed(&self.path, &e))?;
        self.writer
            .write(&batch)
            .map_err(|e| failed(&self.path, &e))
    }

    /// Completes the file and returns the underlying writer.
    ///
    /// # Errors
    /// Fails if the data cannot be written.
    pub fn finish(self) -> Result<W> {
        self.writer.into_inner().map_err(|e| failed(&self.path, &e))
    }
}

/// Writes a Parquet file as [`ParquetStream`] does, under a temporary name that
/// [`finish`](Self::finish) replaces by its own: an interrupted run leaves no file.
pub struct ParquetSink {
    stream: ParquetStream<NewFile>,
}

impl ParquetSink {
    /// Starts a file.
    ///
    /// # Errors
    /// Fails if the folder is not writable or Parquet does not support one of the types.
    pub fn create(
        path: impl AsRef<Path>,
        schema: &Schema,
        classes: &[(String, Vec<String>)],
    ) -> Result<Self> {
        let path = path.as_ref();
        let file = NewFile::beside(path)?;
        let stream = ParquetStream::new(file, path, schema, classes)?;
        Ok(Self { stream })
    }

    /// Appends rows, whose columns must match the schema.
    ///
    /// # Errors
    /// Fails if the columns differ or the data cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.stream.write(batch)
    }

    /// Completes the file and renames it into place, replacing any previous file.
    ///
    /// # Errors
    /// Fails if the data cannot be written or the file cannot be renamed.
    pub fn finish(self) -> Result<()> {
        self.stream.finish()?.replace()?;
        Ok(())
    }
}

/// Rows per row group. The writer holds a row group in memory until it is complete.
const ROW_GROUP: usize = 1 << 17;

/// Writes all batches into a Parquet file; see [`ParquetSink`].
///
/// # Errors
/// The errors of [`ParquetSink`], and the first error among the batches, after which no file is
/// left.
pub fn write_parquet(
    path: impl AsRef<Path>,
    schema: &Schema,
    classes: &[(String, Vec<String>)],
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
) -> Result<()> {
    let mut sink = ParquetSink::create(path, schema, classes)?;
    for batch in batches {
        sink.write(&batch?)?;
    }
    sink.finish()
}

fn failed(path: &Path, error: &(dyn std::error::Error + 'static)) -> Error {
    if let Some(error) = Error::system(path, "write", error) {
        return error;
    }
    Error::Arrow {
        context: format!("writing {}", path.display()),
        message: error.to_string(),
    }
}
