//! Tests of the order and values of hyperparameters. Their bytes are tested in `golden.rs`.

use finetune_tensorboard::{EventWriter, HparamValue, SessionStatus, TensorboardError};

fn param(name: &str, value: impl Into<HparamValue>) -> (String, HparamValue) {
    (name.to_string(), value.into())
}

#[test]
fn bad_hyperparameters_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(dir.path(), None).unwrap();
    let before = writer.position();
    let twice = writer
        .hparams(&[param("seed", 1), param("seed", "2")], &[])
        .unwrap_err();
    assert_eq!(
        twice.to_string(),
        "the hyperparameter \"seed\" is given twice"
    );
    let nan = writer.hparams(&[param("lr", f64::NAN)], &[]).unwrap_err();
    assert_eq!(
        nan.to_string(),
        "the hyperparameter \"lr\" is NaN: give a finite number, or a text"
    );
    assert_eq!(writer.position(), before);
    assert!(!writer.has_hparams());
}

#[test]
fn hyperparameters_come_once_and_before_their_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(dir.path(), None).unwrap();
    let early = writer.hparams_end(SessionStatus::Failure).unwrap_err();
    assert!(matches!(early, TensorboardError::HparamsOrder { .. }));

    writer.hparams(&[param("seed", 1u32)], &["f1"]).unwrap();
    let again = writer.hparams(&[param("seed", 2u32)], &["f1"]).unwrap_err();
    assert!(
        again.to_string().contains("TensorBoard keeps the first"),
        "{again}"
    );
    writer.hparams_end(SessionStatus::Failure).unwrap();
    assert!(writer.hparams_end(SessionStatus::Success).is_err());
}

#[test]
fn a_continued_file_knows_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(dir.path(), None).unwrap();
    writer.hparams(&[param("seed", 1)], &[]).unwrap();
    let running = writer.position();
    writer.hparams_end(SessionStatus::Failure).unwrap();
    writer.flush().unwrap();

    let mut resumed = EventWriter::append_at(writer.path(), running).unwrap();
    assert!(resumed.has_hparams());
    // The end was cut off with the other events.
    resumed.hparams_end(SessionStatus::Success).unwrap();
}
