//! `events.jsonl`: what happens in a run, one JSON object a line.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::PathBuf,
};

use serde_json::Value;

use crate::{Event, Observer, TrainError};

/// Writes one JSON object per event and line.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventLog {
    /// Name of its state in a checkpoint.
    pub(crate) const NAME: &str = "events";

    /// Goes on at `position` bytes; what is behind was never checkpointed, and will come again.
    pub(crate) fn open(path: PathBuf, position: u64) -> std::io::Result<Self> {
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        let length = file.metadata()?.len();
        if length < position {
            return Err(std::io::Error::other(format!(
                "the checkpoint was taken at byte {position}, but the file has {length}: it was cut since"
            )));
        }
        file.set_len(position)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self {
            path,
            file: BufWriter::new(file),
        })
    }
}

impl Observer for EventLog {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if event.is_transient() {
            return Ok(());
        }
        let write = |file: &mut BufWriter<File>| -> std::io::Result<()> {
            serde_json::to_writer(&mut *file, event)?;
            file.write_all(b"\n")?;
            // A killed run has its log up to here.
            file.flush()
        };
        write(&mut self.file).map_err(TrainError::write(&self.path))
    }

    fn checkpoint(&mut self) -> Result<Option<(&'static str, Value)>, TrainError> {
        let position = self.file.get_ref().sync_data();
        let position = position.and_then(|()| self.file.stream_position());
        let position = position.map_err(TrainError::write(&self.path))?;
        Ok(Some((Self::NAME, position.into())))
    }
}
