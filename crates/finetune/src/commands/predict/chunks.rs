//! Reads and tokenizes a bounded number of texts ahead of the model, in order, on two threads.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use finetune_data::{Error, PackedBatch, TextEncoder};

use super::source::Source;
use crate::{cli::interrupt, error::Failure, view::predictions::row::Row};

/// Maximum number of rows waiting to be tokenized.
const ROWS_AHEAD: usize = 64;
/// Maximum number of chunks waiting for the model.
const CHUNKS_AHEAD: usize = 1;
/// Batches per chunk, enough to group rows of similar length.
const BATCHES: usize = 32;
/// A chunk is complete once its texts have this many bytes.
const BYTES: usize = 1 << 19;
/// How long a chunk waits for more rows if the source is live.
const PATIENCE: Duration = Duration::from_millis(20);

/// Interval of polling for a signal while waiting for rows.
const POLL: Duration = Duration::from_millis(100);

/// Consecutive rows, and the tokens of those that have a text.
pub struct Chunk {
    pub rows: Vec<Row>,
    pub tokens: PackedBatch,
    /// Time that tokenizing took.
    pub tokenizing: Duration,
}

/// The chunks of a source. Rows before one that cannot be read are still delivered.
pub struct Chunks {
    chunks: Receiver<Result<Chunk, Error>>,
    /// The thread that tokenizes and the one that reads.
    threads: Vec<JoinHandle<()>>,
}

impl Chunks {
    /// Starts reading. The rows of a chunk depend on the rows alone, unless the source is live: then they
    /// are those that arrive within some milliseconds.
    ///
    /// # Errors
    /// Fails if a thread cannot be started.
    pub fn begin(source: Source, encoder: TextEncoder, batch_size: usize) -> Result<Self, Failure> {
        let (send_row, rows) = sync_channel(ROWS_AHEAD);
        let (send_chunk, chunks) = sync_channel(CHUNKS_AHEAD);
        let collector = Collector {
            rows,
            most_rows: batch_size.saturating_mul(BATCHES),
            patience: source.live.then_some(PATIENCE),
        };
        let mut rows = source.rows;
        // Sending fails when no more rows are wanted.
        let read = move || drop(rows.try_for_each(|row| send_row.send(row)));
        let tokenize = move || tokenize(&collector, &encoder, &send_chunk);
        Ok(Self {
            chunks,
            threads: vec![spawn("tokenizer", tokenize)?, spawn("reader", read)?],
        })
    }
}

impl Iterator for Chunks {
    type Item = Result<Chunk, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let received = loop {
            if interrupt::requested() {
                // The reader may wait for input that never comes, so it is not joined.
                self.threads.clear();
                return Some(Err(Failure::Interrupted(
                    "interrupted; nothing was kept".into(),
                )));
            }
            match self.chunks.recv_timeout(POLL) {
                Err(RecvTimeoutError::Timeout) => {}
                other => break other,
            }
        };
        match received {
            Ok(Ok(chunk)) => Some(Ok(chunk)),
            Ok(Err(error)) => {
                self.threads.clear();
                Some(Err(error.into()))
            }
            // Both threads are done, or one of them has panicked, which looks the same here.
            Err(_) => {
                let mut threads = self.threads.drain(..);
                let failed = threads.any(|thread| thread.join().is_err());
                let message = "a thread that reads or tokenizes panicked";
                failed.then(|| Err(Failure::Internal(message.into())))
            }
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    thread.map_err(|error| Failure::Internal(format!("cannot start a thread: {error}")))
}

fn tokenize(
    collector: &Collector,
    encoder: &TextEncoder,
    chunks: &SyncSender<Result<Chunk, Error>>,
) {
    loop {
        let (rows, error) = collector.collect();
        if rows.is_empty() && error.is_none() {
            return;
        }
        if !rows.is_empty() {
            let begun = Instant::now();
            let texts = rows.iter().filter_map(|row| row.texts.as_ref());
            let texts: Vec<_> = texts
                .map(|(first, second)| (first.as_str(), second.as_deref()))
                .collect();
            let chunk = encoder.encode_batch(&texts).map(|tokens| Chunk {
                rows,
                tokens,
                tokenizing: begun.elapsed(),
            });
            let failed = chunk.is_err();
            if chunks.send(chunk).is_err() || failed {
                return;
            }
        }
        if let Some(error) = error {
            // A closed receiver has already reported an error.
            let _ = chunks.send(Err(error));
            return;
        }
    }
}

/// Collects rows into chunks.
struct Collector {
    rows: Receiver<Result<Row, Error>>,
    most_rows: usize,
    /// How long to wait for more rows after the first one; `None` to wait for a full chunk.
    patience: Option<Duration>,
}

impl Collector {
    /// Returns the next rows, up to one that cannot be read; empty at the end.
    fn collect(&self) -> (Vec<Row>, Option<Error>) {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut next = self.rows.recv().ok();
        let deadline = self.patience.map(|patience| Instant::now() + patience);
        while let Some(row) = next.take() {
            match row {
                Ok(row) => {
                    if let Some((first, second)) = &row.texts {
                        bytes += first.len() + second.as_ref().map_or(0, String::len);
                    }
                    rows.push(row);
                }
                Err(error) => return (rows, Some(error)),
            }
            if rows.len() < self.most_rows && bytes < BYTES {
                next = match deadline {
                    None => self.rows.recv().ok(),
                    // Rows that have already arrived are taken even after the deadline.
                    Some(deadline) => {
                        let left = deadline.saturating_duration_since(Instant::now());
                        self.rows.recv_timeout(left).ok()
                    }
                };
            }
        }
        (rows, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collector(
        patience: Option<Duration>,
        most_rows: usize,
    ) -> (SyncSender<Result<Row, Error>>, Collector) {
        let (send, rows) = sync_channel(1000);
        let collector = Collector {
            rows,
            most_rows,
            patience,
        };
        (send, collector)
    }

    fn text(text: &str) -> Result<Row, Error> {
        Ok(Row {
            texts: Some((text.into(), None)),
            origin: None,
        })
    }

    #[test]
    fn all_chunks_but_the_last_are_full() {
        let (send, collector) = collector(None, 3);
        for _ in 0..7 {
            send.send(text("a")).unwrap();
        }
        drop(send);
        let sizes: Vec<_> = (0..4).map(|_| collector.collect().0.len()).collect();
        assert_eq!(sizes, [3, 3, 1, 0]);
    }

    #[test]
    fn long_texts_close_a_chunk() {
        let (send, collector) = collector(None, 1000);
        for _ in 0..5 {
            send.send(text(&"a".repeat(BYTES / 2))).unwrap();
        }
        drop(send);
        let sizes: Vec<_> = (0..3).map(|_| collector.collect().0.len()).collect();
        assert_eq!(sizes, [2, 2, 1]);
    }

    #[test]
    fn rows_before_a_bad_one_come_first() {
        let (send, collector) = collector(None, 1000);
        send.send(text("a")).unwrap();
        send.send(Err(Error::Stopped)).unwrap();
        let (texts, error) = collector.collect();
        assert_eq!(texts.len(), 1);
        assert!(matches!(error, Some(Error::Stopped)));
    }

    /// The sender stays open, as a terminal does.
    #[test]
    fn a_live_source_gets_its_answer() {
        let (send, collector) = collector(Some(PATIENCE), 1000);
        for _ in 0..2 {
            send.send(text("a")).unwrap();
            assert_eq!(collector.collect().0.len(), 1);
        }
        // Rows that arrived in the meantime form one chunk.
        for _ in 0..500 {
            send.send(text("a")).unwrap();
        }
        assert_eq!(collector.collect().0.len(), 500);
    }
}
