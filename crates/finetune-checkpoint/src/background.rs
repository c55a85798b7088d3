//! Saves checkpoints in the background while training continues.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::content::Content;
use crate::directory::CheckpointDirectory;
use crate::error::{CheckpointError, IoContext};
use crate::saved::Saved;
use crate::store::CheckpointStore;

type Outcome = Result<Saved, CheckpointError>;

/// A store on a separate thread, which writes one snapshot at a time.
///
/// Dropping it waits for the checkpoint that is being written and releases the directory, but only
/// [`finish`](Self::finish) reports the outcome.
#[derive(Debug)]
pub struct BackgroundWriter {
    directory: CheckpointDirectory,
    jobs: Option<SyncSender<Job>>,
    outcomes: Receiver<Outcome>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    step: u64,
    content: Content,
    best: bool,
}

impl BackgroundWriter {
    /// Moves the store to a new thread.
    ///
    /// # Errors
    /// Fails if the thread cannot be started.
    pub fn new(store: CheckpointStore) -> Result<Self, CheckpointError> {
        Self::start(store, false)
    }

    /// Moves the store to a new thread that stops at the first failed save. This is for snapshots that
    /// depend on earlier ones, for example by naming an earlier checkpoint as the best.
    ///
    /// # Errors
    /// Fails if the thread cannot be started.
    pub fn until_error(store: CheckpointStore) -> Result<Self, CheckpointError> {
        Self::start(store, true)
    }

    fn start(store: CheckpointStore, until_error: bool) -> Result<Self, CheckpointError> {
        let directory = store.directory().clone();
        // Without a buffer, the caller waits with the next snapshot in hand.
        let (jobs, queue) = sync_channel(0);
        let (done, outcomes) = channel();
        let thread = thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || write_all(store, &queue, &done, until_error))
            .context("start a thread to write to", directory.path())?;
        Ok(Self {
            directory,
            jobs: Some(jobs),
            outcomes,
            thread: Some(thread),
        })
    }

    /// Returns the directory for reading. A checkpoint may be removed while it is read.
    pub fn directory(&self) -> &CheckpointDirectory {
        &self.directory
    }

    /// Hands over a snapshot for [`CheckpointStore::save`] as soon as the previous one is written, and
    /// returns how long that took.
    ///
    /// So at most two snapshots exist: the one that is being written and the caller's.
    ///
    /// # Errors
    /// Fails if the thread has ended. Errors of the save itself are returned by [`poll`](Self::poll) and
    /// [`finish`](Self::finish).
    pub fn submit(
        &self,
        step: u64,
        content: Content,
        best: bool,
    ) -> Result<Duration, CheckpointError> {
        let started = Instant::now();
        let job = Job {
            step,
            content,
            best,
        };
        let jobs = self.jobs.as_ref().ok_or(CheckpointError::WriterEnded)?;
        jobs.send(job).map_err(|_| CheckpointError::WriterEnded)?;
        Ok(started.elapsed())
    }

    /// Returns the outcomes of the saves completed since the last call, in the order of submission,
    /// without waiting.
    pub fn poll(&self) -> Vec<Outcome> {
        self.outcomes.try_iter().collect()
    }

    /// Waits until everything is written and returns the outcomes that [`poll`](Self::poll) has not.
    pub fn finish(mut self) -> Vec<Outcome> {
        self.jobs = None;
        // The iteration ends when the thread drops its end, even by a panic.
        let mut outcomes: Vec<Outcome> = self.outcomes.iter().collect();
        if self.join().is_err() {
            outcomes.push(Err(CheckpointError::WriterEnded));
        }
        outcomes
    }

    fn join(&mut self) -> thread::Result<()> {
        self.jobs = None;
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for BackgroundWriter {
    fn drop(&mut self) {
        let _ = self.join();
    }
}

fn write_all(
    mut store: CheckpointStore,
    jobs: &Receiver<Job>,
    done: &Sender<Outcome>,
    until_error: bool,
) {
    for Job {
        step,
        content,
        best,
    } in jobs
    {
        // Unwinding is safe: all state of the store is on disk, where a save may stop at any point.
        let saved = catch_unwind(AssertUnwindSafe(|| store.save(step, content, best)));
        let outcome = saved.unwrap_or_else(|payload| {
            Err(CheckpointError::Panicked {
                step,
                message: message_of(payload.as_ref()),
            })
        });
        // Even if nobody receives the outcome any more, the remaining snapshots are written.
        let failed = outcome.is_err();
        let _ = done.send(outcome);
        if failed && until_error {
            return;
        }
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)")
        .to_owned()
}
