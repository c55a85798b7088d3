//! Tests of truncated, damaged and malicious files.

use std::fs;

use finetune_tensorboard::{Event, EventReader, TensorboardError};

use crate::golden::GOLDEN;

/// Returns the complete events and the error that follows, if any. Nothing may follow an error.
fn read(bytes: &[u8]) -> (Vec<Event>, Option<TensorboardError>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let mut reader = EventReader::open(file.path()).unwrap();
    let mut events = Vec::new();
    for event in &mut reader {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(reader.next().is_none());
                return (events, Some(error));
            }
        }
    }
    (events, None)
}

/// Compares events by their text, since NaN does not equal itself.
fn same(a: &[Event], b: &[Event]) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

/// Frames any data with correct checksums, like tensorboard's `record_writer.py`.
fn record(length: u64, data: &[u8]) -> Vec<u8> {
    let mask = |bytes: &[u8]| {
        crc32c::crc32c(bytes)
            .rotate_right(15)
            .wrapping_add(0xA282_EAD8)
    };
    let length = length.to_le_bytes();
    [
        &length[..],
        &mask(&length).to_le_bytes(),
        data,
        &mask(data).to_le_bytes(),
    ]
    .concat()
}

#[test]
fn a_file_cut_anywhere_gives_its_whole_events() {
    let (all, None) = read(GOLDEN) else {
        panic!("the golden file is whole");
    };
    for length in (0..GOLDEN.len()).step_by(13) {
        let (events, error) = read(&GOLDEN[..length]);
        assert!(same(&events, &all[..events.len()]));
        let whole = events.last().map_or(0, |event| event.end);
        assert!(
            all.get(events.len())
                .is_some_and(|next| next.end > length as u64)
        );
        match error {
            None => assert_eq!(whole, length as u64),
            Some(TensorboardError::Truncated { position, .. }) => assert_eq!(position, whole),
            Some(error) => panic!("{length}: {error}"),
        }
    }
}

#[test]
fn a_wrong_bit_anywhere_is_found() {
    let (all, _) = read(GOLDEN);
    for i in (0..GOLDEN.len()).step_by(11) {
        let mut bytes = GOLDEN.to_vec();
        bytes[i] ^= 1 << (i % 8);
        let (events, error) = read(&bytes);
        assert!(same(&events, &all[..events.len()]));
        let Some(TensorboardError::Damaged { position, .. }) = error else {
            panic!("byte {i}: {error:?}");
        };
        // The error is in the record that contains the bit.
        assert_eq!(position, events.last().map_or(0, |event| event.end));
        assert!((position..all[events.len()].end).contains(&(i as u64)));
    }
}

#[test]
fn a_length_beyond_the_file_takes_no_memory() {
    let (_, error) = read(&record(u64::MAX, b"data"));
    assert!(
        error
            .unwrap()
            .to_string()
            .contains("claims 18446744073709551615 bytes")
    );
    let (_, error) = read(&record(i32::MAX as u64, b"data"));
    assert!(matches!(
        error,
        Some(TensorboardError::Truncated { position: 0, .. })
    ));
}

#[test]
fn checksums_over_what_is_no_event() {
    // A field of wire type 7, and a summary that is longer than its event.
    for data in [&[0x0F][..], &[0x2A, 0x7F, 0x00]] {
        let (events, error) = read(&record(data.len() as u64, data));
        assert!(events.is_empty());
        let error = error.unwrap().to_string();
        assert!(
            error.contains("the record at byte 0 holds no event"),
            "{error}"
        );
    }
    // An empty record is an event whose fields are all 0.
    let (events, error) = read(&record(0, b""));
    assert!(error.is_none() && events[0].step == 0 && events[0].values.is_empty());
}

#[test]
fn text_is_no_event_file() {
    let (_, error) = read(b"step,loss\n1,0.5\n2,0.25\n");
    assert!(
        error
            .unwrap()
            .to_string()
            .contains("is damaged, or no event file")
    );
}

#[test]
fn scalars_of_other_writers() {
    // PyTorch's `add_scalar`: Event { summary: { value: { tag: "loss", simple_value: 0.5 } } }.
    let old = [
        b"\x2a\x0d\x0a\x0b\x0a\x04loss\x15".as_slice(),
        &0.5f32.to_le_bytes(),
    ]
    .concat();
    let (events, error) = read(&record(old.len() as u64, &old));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(events[0].scalars().collect::<Vec<_>>(), [("loss", 0.5)]);

    // TensorFlow's tensors: DT_FLOAT in `tensor_content`, DT_DOUBLE in `double_val`.
    let content = [
        b"\x08\x01\x12\x00\x22\x04".as_slice(),
        &0.25f32.to_le_bytes(),
    ]
    .concat();
    let double = [
        b"\x08\x02\x12\x00\x32\x08".as_slice(),
        &0.125f64.to_le_bytes(),
    ]
    .concat();
    for (tensor, expected) in [(content, 0.25), (double, 0.125)] {
        let length = |bytes: &[u8]| bytes.len() as u8;
        let value = [b"\x0a\x01x\x42".as_slice(), &[length(&tensor)], &tensor].concat();
        let event = [
            &[0x2A, length(&value) + 2, 0x0A, length(&value)],
            &value[..],
        ]
        .concat();
        let (events, error) = read(&record(event.len() as u64, &event));
        assert!(error.is_none(), "{error:?}");
        assert_eq!(events[0].scalars().collect::<Vec<_>>(), [("x", expected)]);
    }
}
