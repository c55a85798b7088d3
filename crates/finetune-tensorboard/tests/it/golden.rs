//! Compares byte for byte with the Python code of tensorboard, and of torch for scalars
//! (`tests/fixtures/make.py`).

use std::fs;

use finetune_tensorboard::{DEFAULT_NUM_THRESHOLDS, EventReader, EventWriter, SessionStatus};

pub const GOLDEN: &[u8] = include_bytes!("../fixtures/golden.tfevents");
const START: f64 = 1_700_000_000.25;

/// The values of `make.py`, 0 to 100 in mixed order.
fn spread() -> impl Iterator<Item = f32> {
    (0..100).map(|i| (i * 37 % 101) as f32)
}

#[test]
fn every_kind_of_event_has_tensorboards_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(dir.path(), Some(START)).unwrap();
    writer.set_wall_time(Some(START + 60.0));
    let params = [
        ("learning_rate".to_string(), 5e-5.into()),
        ("strategy".to_string(), "lora".into()),
        ("packed".to_string(), true.into()),
    ];
    writer.hparams(&params, &["validation/f1"]).unwrap();
    writer.scalar("loss/train", 1, 0.4271).unwrap();
    writer.scalar("loss/train", 2, -1e-12).unwrap();
    writer.scalar("loss/train", 300, f32::NAN).unwrap();
    writer.text("notes", 300, "**größer** als `0.5`").unwrap();
    let weights: Vec<f32> = spread().map(|x| x / 7.0 - 5.0).collect();
    writer.histogram("weights", 1, &weights).unwrap();
    writer.histogram("weights", 2, &[]).unwrap();
    writer.histogram("weights", 3, &[-2.5; 7]).unwrap();
    let labels: Vec<bool> = (0..100).map(|i| i % 3 == 0).collect();
    let predictions: Vec<f32> = spread().map(|x| x / 101.0).collect();
    for step in [2, 3] {
        writer
            .pr_curve(
                "pr/positive",
                step,
                &labels,
                &predictions,
                DEFAULT_NUM_THRESHOLDS,
            )
            .unwrap();
    }
    writer.hparams_end(SessionStatus::Success).unwrap();
    writer.flush().unwrap();

    let written = fs::read(writer.path()).unwrap();
    let differs = written.iter().zip(GOLDEN).position(|(a, b)| a != b);
    assert_eq!(differs, None, "first byte that differs");
    assert_eq!(written.len(), GOLDEN.len());
}

#[test]
fn tensorboards_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("golden");
    fs::write(&path, GOLDEN).unwrap();
    let events: Vec<_> = EventReader::open(&path)
        .unwrap()
        .map(Result::unwrap)
        .collect();

    assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
    assert_eq!(events[0].wall_time, START);
    assert_eq!(events.last().unwrap().end, GOLDEN.len() as u64);
    let scalars: Vec<_> = events
        .iter()
        .flat_map(|event| event.scalars().map(|(tag, value)| (event.step, tag, value)))
        .collect();
    assert_eq!(
        scalars[..2],
        [(1, "loss/train", 0.4271), (2, "loss/train", -1e-12)]
    );
    assert!(scalars[2].2.is_nan() && scalars.len() == 3);
    let plugins = |tag| {
        let values = events.iter().flat_map(|event| &event.values);
        let named = values.filter(move |value| value.tag == tag);
        named
            .map(|value| value.plugin.as_deref().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(plugins("weights"), ["histograms"; 3]);
    assert_eq!(plugins("pr/positive"), ["pr_curves"; 2]);
    assert_eq!(plugins("notes"), ["text"]);
    assert_eq!(plugins("_hparams_/session_end_info"), ["hparams"]);
}
