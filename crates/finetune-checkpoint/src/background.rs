//! Saving while training goes on.

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

/// A store on a thread of its own, which writes one snapshot at a time.
///
/// Dropping it waits for the checkpoint that is being written and frees the directory, but what became
/// of it only [`finish`](Self::finish) tells.
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
    ///
    /// The system gives us no thread.
    pub fn new(store: CheckpointStore) -> Result<Self, CheckpointError> {
        Self::start(store, false)
    }

    /// As [`new`](Self::new), but the first save that fails is the last: for snapshots that count on
    /// those before, as one does whose state names an earlier checkpoint as the best.
    ///
    /// # Errors
    ///
    /// The system gives us no thread.
    pub fn until_error(store: CheckpointStore) -> Result<Self, CheckpointError> {
        Self::start(store, true)
    }

    fn start(store: CheckpointStore, until_error: bool) -> Result<Self, CheckpointError> {
        let directory = store.directory().clone();
        // No buffer: a snapshot that waits is in the caller's hands, who waits with it.
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

    /// The directory, for reading. A checkpoint may be removed while it is read.
    pub fn directory(&self) -> &CheckpointDirectory {
        &self.directory
    }

    /// Hands over a snapshot, to be saved as [`CheckpointStore::save`] does, once the one before is
    /// written. Returns how long that took.
    ///
    /// So at most two snapshots exist: the one that is being written and the caller's.
    ///
    /// # Errors
    ///
    /// The thread has ended. Errors of the save itself come from [`poll`](Self::poll) and
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

    /// What has been saved, or not, since the last call, in the order of submission. Does not wait.
    pub fn poll(&self) -> Vec<Outcome> {
        self.outcomes.try_iter().collect()
    }

    /// Waits until everything is written. Returns what [`poll`](Self::poll) has not.
    pub fn finish(mut self) -> Vec<Outcome> {
        self.jobs = None;
        // Ends when the thread drops its end, in whatever way.
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
        // Sound: all state of the store is on disk, where a save may end anywhere.
        let saved = catch_unwind(AssertUnwindSafe(|| store.save(step, content, best)));
        let outcome = saved.unwrap_or_else(|payload| {
            Err(CheckpointError::Panicked {
                step,
                message: message_of(payload.as_ref()),
            })
        });
        // Nobody may be left to hear of it; the rest is written all the same.
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
