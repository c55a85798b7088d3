//! Tests of the file, its name and its tags.

use std::process;

use finetune_tensorboard::{EventReader, EventWriter, TensorboardError};

#[test]
fn the_file_is_named_as_tensorflow_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs/new");
    let first = EventWriter::create(&runs, Some(12.9)).unwrap();
    let second = EventWriter::create(&runs, Some(12.9)).unwrap();
    let name = |writer: &EventWriter| {
        writer
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_string()
    };
    assert!(name(&first).starts_with("events.out.tfevents.0000000012."));
    assert!(name(&first).ends_with(&format!(".{}.0", process::id())));
    assert!(name(&second).ends_with(&format!(".{}.1", process::id())));
}

#[test]
fn the_first_record_is_there_before_any_event() {
    let dir = tempfile::tempdir().unwrap();
    let writer = EventWriter::create(dir.path(), None).unwrap();
    let events: Vec<_> = EventReader::open(writer.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].end, writer.position());
    // The clock's time is after 2020 and before 2200.
    assert!((1.577e9..7.26e9).contains(&events[0].wall_time));
}

#[test]
fn what_is_flushed_can_be_read_while_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(dir.path(), None).unwrap();
    let path = writer.path().to_path_buf();
    let read = || {
        EventReader::open(&path)
            .unwrap()
            .map(Result::unwrap)
            .count()
    };
    writer.scalar("loss", 1, 0.5).unwrap();
    assert_eq!(read(), 1);
    writer.flush().unwrap();
    assert_eq!(read(), 2);
    writer.scalar("loss", 2, 0.25).unwrap();
    writer.sync().unwrap();
    assert_eq!(read(), 3);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), writer.position());
}

#[test]
fn a_tag_belongs_to_one_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(dir.path(), None).unwrap();
    writer.histogram("layer.0", 0, &[1.0]).unwrap();
    let error = writer.scalar("layer.0", 1, 0.5).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tag \"layer.0\" already belongs to histograms: give scalars another tag"
    );
    writer.flush().unwrap();
    // Neither it nor a refused value leaves anything in the file.
    assert!(writer.histogram("new", 1, &[f32::NAN]).is_err());
    writer.scalar("new", 1, 0.5).unwrap();
    writer.flush().unwrap();
    let last = EventReader::open(writer.path())
        .unwrap()
        .last()
        .unwrap()
        .unwrap();
    assert_eq!(last.values[0].plugin.as_deref(), Some("scalars"));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = EventWriter::create(file.join("run"), None).unwrap_err();
    assert!(matches!(
        error,
        TensorboardError::Io {
            action: "create",
            ..
        }
    ));
    assert!(error.to_string().contains("file/run"), "{error}");
}
