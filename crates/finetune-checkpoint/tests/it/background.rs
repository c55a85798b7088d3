//! Tests of saving on another thread: order, waiting, errors and panics.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use finetune_checkpoint::{
    BackgroundWriter, CheckpointDirectory, CheckpointError, CheckpointStore, Content,
};

use crate::support::{KEEP_ALL, assert_content, content, entries, keep_last, store};

/// Returns content that is not written before the sender gives permission.
fn gated() -> (Sender<()>, Content) {
    let (open, gate): (Sender<()>, Receiver<()>) = channel();
    let content = Content::default().writer("gated", None, move |out: &mut dyn Write| {
        gate.recv().map_err(std::io::Error::other)?;
        out.write_all(b"x")
    });
    (open, content)
}

#[test]
fn all_that_was_submitted_is_saved_in_order() {
    let (_folder, store) = store(keep_last(2));
    let directory = store.directory().clone();
    let writer = BackgroundWriter::new(store).unwrap();
    let mut outcomes = Vec::new();
    for step in 1..=5 {
        writer
            .submit(step, content(step, 50_000), step == 2)
            .unwrap();
        outcomes.extend(writer.poll());
    }
    outcomes.extend(writer.finish());
    let steps: Vec<u64> = outcomes
        .into_iter()
        .map(|saved| saved.unwrap().step)
        .collect();
    assert_eq!(steps, [1, 2, 3, 4, 5]);
    assert_eq!(directory.steps().unwrap(), [2, 4, 5]);
    assert_eq!(directory.best().unwrap(), Some(2));
    let found = directory.newest_valid().unwrap().unwrap();
    assert_content(&found.checkpoint, 50_000);
    // The lock is free again.
    CheckpointStore::open(directory.path(), keep_last(2)).unwrap();
}

#[test]
fn submitting_waits_only_while_another_is_being_written() {
    let (_folder, store) = store(KEEP_ALL);
    let writer = BackgroundWriter::new(store).unwrap();
    let (open, content) = gated();
    writer.submit(1, content, false).unwrap();
    assert!(writer.poll().is_empty(), "returned before it is written");

    let is_open = Arc::new(AtomicBool::new(false));
    let opens = is_open.clone();
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        opens.store(true, Ordering::SeqCst);
        open.send(()).unwrap();
    });
    let started = Instant::now();
    let waited = writer.submit(2, Content::default(), false).unwrap();
    assert!(is_open.load(Ordering::SeqCst), "returned before it may");
    assert!(!waited.is_zero() && waited <= started.elapsed());
    // The second submission waited for the first save.
    let polled: Vec<u64> = writer
        .poll()
        .into_iter()
        .map(|saved| saved.unwrap().step)
        .collect();
    assert_eq!(polled.first(), Some(&1));
    opener.join().unwrap();
    assert_eq!(polled.len() + writer.finish().len(), 2);
}

#[test]
fn a_panic_is_an_error_and_the_next_save_works() {
    let (_folder, store) = store(KEEP_ALL);
    let directory = store.directory().clone();
    let writer = BackgroundWriter::new(store).unwrap();
    let panicking = content(1, 1000).writer("tensors", None, |out| {
        out.write_all(b"some")?;
        panic!("no such tensor")
    });
    writer.submit(1, panicking, true).unwrap();
    writer.submit(2, content(2, 1000), false).unwrap();
    let outcomes = writer.finish();
    let [
        Err(panicked @ CheckpointError::Panicked { step: 1, .. }),
        Ok(saved),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!(
        panicked.to_string(),
        "writing the checkpoint of step 1 panicked: no such tensor"
    );
    assert_eq!(saved.step, 2);
    assert_eq!(entries(directory.path()), ["step-000002"]);
    assert_eq!(directory.best().unwrap(), None);
}

#[test]
fn an_error_is_told_once_and_the_next_save_works() {
    let (_folder, store) = store(KEEP_ALL);
    let writer = BackgroundWriter::new(store).unwrap();
    writer
        .submit(1, Content::default().bytes("..", "x"), false)
        .unwrap();
    writer.submit(2, content(2, 1000), false).unwrap();
    let mut outcomes = writer.poll();
    outcomes.extend(writer.finish());
    assert!(matches!(
        outcomes[..],
        [Err(CheckpointError::BadName { .. }), Ok(_)]
    ));
}

#[test]
fn dropping_waits_for_what_is_being_written() {
    let (_folder, store) = store(KEEP_ALL);
    let path = store.directory().path().to_path_buf();
    let writer = BackgroundWriter::new(store).unwrap();
    let (open, content) = gated();
    writer.submit(1, content, false).unwrap();
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        open.send(()).unwrap();
    });
    drop(writer);
    opener.join().unwrap();
    let found = CheckpointDirectory::new(path)
        .newest_valid()
        .unwrap()
        .unwrap();
    assert_eq!(found.checkpoint.step(), 1);
}

/// A snapshot that depends on an earlier one must not be saved without it.
#[test]
fn nothing_is_saved_after_an_error_where_that_is_wanted() {
    let (_folder, store) = store(KEEP_ALL);
    let directory = store.directory().clone();
    let writer = BackgroundWriter::until_error(store).unwrap();
    let broken = Content::default().writer("x", None, |_: &mut dyn Write| {
        Err(std::io::Error::other("broken"))
    });
    writer.submit(1, content(1, 100), false).unwrap();
    writer.submit(2, broken, true).unwrap();
    assert!(matches!(
        writer.submit(3, content(3, 100), false),
        Err(CheckpointError::WriterEnded)
    ));
    let outcomes = writer.finish();
    assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes.len() == 2);
    assert_eq!(directory.steps().unwrap(), [1]);
}
