//! `events.jsonl`: the events of a run, one JSON object per line.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use finetune_checkpoint::Content;
use finetune_files::{IoContext, replace_file};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Event, Observer, TrainError, file_facts::hex, layout::EVENTS};

/// An observer that writes each event as one line of JSON.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: BufWriter<File>,
    position: u64,
    /// Hashes everything written.
    hasher: Sha256,
}

/// The log's state in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedLog {
    /// Length of the log in bytes.
    position: u64,
    /// SHA-256 of these bytes.
    sha256: String,
}

impl SavedLog {
    /// Finds the log's state among those of the observers.
    pub(crate) fn among(states: &std::collections::BTreeMap<String, Value>) -> Option<Self> {
        let state = states.get(EventLog::NAME)?;
        // Earlier versions stored only the position.
        match state.as_u64() {
            Some(position) => Some(Self {
                position,
                sha256: String::new(),
            }),
            None => serde_json::from_value(state.clone()).ok(),
        }
    }

    /// Adds a copy of the current log to a checkpoint, from which a damaged log can be restored.
    pub(crate) fn copy_into(&self, content: Content, log: PathBuf) -> Content {
        let position = self.position;
        content.writer(EVENTS, Some(position), move |out| {
            let file = File::open(&log)?;
            match io::copy(&mut file.take(position), out)? {
                copied if copied == position => Ok(()),
                copied => Err(io::Error::other(format!(
                    "{} has {copied} bytes, but {position} were written: it has been truncated",
                    log.display()
                ))),
            }
        })
    }

    /// Returns the hash of the log's first bytes if they match the checkpoint, or else what is wrong.
    fn verify(&self, path: &Path) -> io::Result<Result<Sha256, String>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Err("it is gone".into()));
            }
            other => other?,
        };
        let length = file.metadata()?.len();
        if length < self.position {
            return Ok(Err(format!(
                "the checkpoint was taken at byte {}, but the file has {length}: it has been truncated since",
                self.position
            )));
        }
        let mut hasher = Sha256::new();
        io::copy(&mut file.take(self.position), &mut HashWriter(&mut hasher))?;
        let found = hex(hasher.clone());
        Ok(match self.sha256.is_empty() || self.sha256 == found {
            true => Ok(hasher),
            false => Err(format!(
                "the SHA-256 of its first {} bytes is {found}, was {}",
                self.position, self.sha256
            )),
        })
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl EventLog {
    /// The name of its state in a checkpoint.
    pub(crate) const NAME: &str = "events";

    /// Opens the log at the position of a checkpoint. Later entries are cut off, since their events
    /// will be emitted again. If the log is damaged before that position, it is replaced by the
    /// checkpoint's `copy`, and the problem is returned.
    ///
    /// # Errors
    /// Fails with [`TrainError::Damaged`] if log and copy are damaged, and with [`TrainError::File`] if
    /// the log cannot be written.
    pub(crate) fn open(
        path: PathBuf,
        saved: Option<SavedLog>,
        copy: Option<&Path>,
    ) -> Result<(Self, Option<String>), TrainError> {
        let begin = SavedLog {
            position: 0,
            sha256: String::new(),
        };
        let saved = saved.unwrap_or(begin);
        let mut mended = None;
        let hasher = match saved.position {
            0 => Sha256::new(),
            _ => match saved.verify(&path).context("write", &path)? {
                Ok(hasher) => hasher,
                Err(problem) => {
                    let damaged = |problem| TrainError::Damaged {
                        path: path.clone(),
                        problem,
                    };
                    let copy = copy.ok_or_else(|| damaged(problem.clone()))?;
                    let hasher = saved
                        .verify(copy)
                        .context("write", &path)?
                        .map_err(damaged)?;
                    restore(copy, &path)?;
                    mended = Some(problem);
                    hasher
                }
            },
        };
        let open = || -> io::Result<File> {
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.set_len(saved.position)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let log = Self {
            file: BufWriter::new(open().context("write", &path)?),
            path,
            position: saved.position,
            hasher,
        };
        Ok((log, mended))
    }
}

/// Replaces a file by a copy.
fn restore(copy: &Path, path: &Path) -> Result<(), TrainError> {
    let mut content = File::open(copy).context("write", path)?;
    Ok(replace_file(path, |file| {
        io::copy(&mut content, file).map(drop)
    })?)
}

impl Observer for EventLog {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if event.is_transient() {
            return Ok(());
        }
        let mut write = || -> io::Result<()> {
            let mut line = serde_json::to_vec(event)?;
            line.push(b'\n');
            self.hasher.update(&line);
            self.position += line.len() as u64;
            self.file.write_all(&line)?;
            // Flushed so that the log of a killed run is complete up to here.
            self.file.flush()
        };
        Ok(write().context("write", &self.path)?)
    }

    fn checkpoint(&mut self) -> Result<Option<(&'static str, Value)>, TrainError> {
        let synced = self.file.get_ref().sync_data();
        synced.context("write", &self.path)?;
        let state = SavedLog {
            position: self.position,
            sha256: hex(self.hasher.clone()),
        };
        let state = serde_json::to_value(state).unwrap_or_default();
        Ok(Some((Self::NAME, state)))
    }
}
