//! Tests of `append_at`: a continued run has the same file as a run that never stopped.

use std::fs;
use std::path::{Path, PathBuf};

use finetune_tensorboard::{EventWriter, TensorboardError};

use crate::golden::GOLDEN;

const START: f64 = 1_700_000_000.0;

/// Writes the losses of steps `from..to`, each with a different wall time.
fn train(writer: &mut EventWriter, from: i64, to: i64) {
    for step in from..to {
        writer.set_wall_time(Some(START + step as f64));
        writer.scalar("loss", step, 1.0 / step as f32).unwrap();
        writer
            .histogram("weights", step, &[step as f32, 0.0])
            .unwrap();
    }
}

fn golden(dir: &Path) -> PathBuf {
    let path = dir.join("golden");
    fs::write(&path, GOLDEN).unwrap();
    path
}

#[test]
fn a_continued_file_is_that_of_a_run_that_never_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mut whole = EventWriter::create(dir.path(), Some(START)).unwrap();
    train(&mut whole, 1, 20);
    whole.flush().unwrap();

    let mut killed = EventWriter::create(dir.path(), Some(START)).unwrap();
    train(&mut killed, 1, 10);
    killed.sync().unwrap();
    let checkpoint = killed.position();
    train(&mut killed, 10, 14);
    killed.flush().unwrap();
    let path = killed.path().to_path_buf();
    drop(killed);
    // The run was killed in the middle of a record.
    let torn = fs::read(&path).unwrap();
    fs::write(&path, &torn[..torn.len() - 5]).unwrap();

    let mut resumed = EventWriter::append_at(&path, checkpoint).unwrap();
    assert_eq!(
        (resumed.path(), resumed.position()),
        (path.as_path(), checkpoint)
    );
    train(&mut resumed, 10, 20);
    resumed.flush().unwrap();
    assert!(fs::read(path).unwrap() == fs::read(whole.path()).unwrap());
}

#[test]
fn only_the_end_of_an_event_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = golden(dir.path());
    let ends: Vec<u64> = finetune_tensorboard::EventReader::open(&path)
        .unwrap()
        .map(|event| event.unwrap().end)
        .collect();
    let others = (0..GOLDEN.len() as u64).step_by(11);
    for position in others.chain(ends.iter().copied()) {
        let result = EventWriter::append_at(&path, position);
        if ends.contains(&position) {
            assert_eq!(result.unwrap().position(), position);
            assert_eq!(fs::read(&path).unwrap(), GOLDEN[..position as usize]);
            golden(dir.path());
        } else {
            let Err(TensorboardError::NotABoundary { before, after, .. }) = result else {
                panic!("{position}: {result:?}");
            };
            assert!(before <= position && position < after);
            assert!(before == 0 || ends.contains(&before));
            assert!(ends.contains(&after));
            assert_eq!(fs::metadata(&path).unwrap().len(), GOLDEN.len() as u64);
        }
    }
}

#[test]
fn a_file_that_is_shorter_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = golden(dir.path());
    let error = EventWriter::append_at(&path, GOLDEN.len() as u64 + 1).unwrap_err();
    assert!(
        matches!(error, TensorboardError::Shorter { length, .. } if length == GOLDEN.len() as u64)
    );
    assert!(
        error.to_string().contains("golden cannot be continued"),
        "{error}"
    );

    fs::write(&path, b"").unwrap();
    assert!(matches!(
        EventWriter::append_at(&path, 0),
        Err(TensorboardError::Shorter { .. })
    ));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        EventWriter::append_at(&path, 0),
        Err(TensorboardError::Io { .. })
    ));
    assert!(!path.exists());
}

#[test]
fn damage_before_the_position_is_found_and_nothing_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = golden(dir.path());
    let mut damaged = GOLDEN.to_vec();
    damaged[200] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let error = EventWriter::append_at(&path, GOLDEN.len() as u64).unwrap_err();
    assert!(matches!(error, TensorboardError::Damaged { position, .. } if position <= 200));
    assert_eq!(fs::read(&path).unwrap(), damaged);
}
