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

/// Writes Parquet that `datasets` opens with its features, class names included, to anywhere.
pub struct ParquetStream<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
    /// Where it goes, for messages.
    path: PathBuf,
}

impl<W: Write + Send> ParquetStream<W> {
    /// Starts a file on `out`; `path` is for messages. `classes` lists the columns of class indices,
    /// or of lists of them, with their names; they become `ClassLabel` features in the `huggingface`
    /// metadata. What the schema's own metadata of that kind says of other columns stays.
    ///
    /// # Errors
    /// A type that Parquet does not have.
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
        // `datasets` takes a feature from the metadata only where the columns agree with its own, which
        // are always nullable.
        let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
        let fields: Vec<Field> = schema.fields().iter().map(nullable).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        // The version of the library in the file would make the bytes depend on it.
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

    /// Appends rows; the columns must be those of the schema.
    ///
    /// # Errors
    /// Other columns, or a full disk.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())
            .map_err(|e| failed(&self.path, &e))?;
        self.writer
            .write(&batch)
            .map_err(|e| failed(&self.path, &e))
    }

    /// Completes the file and gives back what it went to.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(self) -> Result<W> {
        self.writer.into_inner().map_err(|e| failed(&self.path, &e))
    }
}

/// Writes a Parquet file as [`ParquetStream`] does. The file is written beside its place and gets its
/// name in [`finish`](Self::finish): an interrupted run leaves nothing.
pub struct ParquetSink {
    stream: ParquetStream<NewFile>,
}

impl ParquetSink {
    /// Starts a file.
    ///
    /// # Errors
    /// The folder cannot be written to, or a type that Parquet does not have.
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

    /// Appends rows; the columns must be those of the schema.
    ///
    /// # Errors
    /// Other columns, or a full disk.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.stream.write(batch)
    }

    /// Completes the file and gives it its name, replacing what was there.
    ///
    /// # Errors
    /// A full disk, or a place that cannot be written.
    pub fn finish(self) -> Result<()> {
        self.stream.finish()?.replace()?;
        Ok(())
    }
}

/// Rows per row group, which the writer holds in memory until it is complete.
const ROW_GROUP: usize = 1 << 17;

/// Writes all batches into a Parquet file; see [`ParquetSink`].
///
/// # Errors
/// As [`ParquetSink`], and any error among the batches, which leaves no file.
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
