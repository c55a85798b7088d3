//! Token ids, type ids and truncation equal those of Hugging Face's tokenizers in Python.

use finetune_data::{Labels, Offsets};
use serde_json::Value;

use crate::common::{fixture, message, tokenizer};

fn numbers(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap() as u32)
        .collect()
}

#[test]
fn as_in_python() {
    let tokenizer = tokenizer();
    let cases = fixture()["cases"].as_array().unwrap();
    let mut truncated = 0;
    for case in cases {
        let texts: Vec<_> = case["texts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t.as_str().unwrap())
            .collect();
        let max_length = case["max_length"].as_u64().unwrap() as usize;
        let encoder = tokenizer.encoder(max_length, texts.len() == 2).unwrap();
        let encoded = encoder.encode(texts[0], texts.get(1).copied()).unwrap();
        assert_eq!(encoded.ids, numbers(&case["ids"]), "{texts:?} {max_length}");
        assert_eq!(
            encoded.type_ids,
            numbers(&case["type_ids"]),
            "{texts:?} {max_length}"
        );
        assert_eq!(
            encoded.truncated,
            case["truncated"].as_bool().unwrap(),
            "{texts:?}"
        );
        truncated += usize::from(encoded.truncated);
    }
    assert_eq!(cases.len(), 78);
    assert!(truncated > 10, "the fixture cuts {truncated} rows");
}

#[test]
fn batches_are_packed() {
    let encoder = tokenizer().encoder(16, true).unwrap();
    let rows = [
        ("not bad", Some("at all")),
        ("", Some("")),
        ("a", Some("world world")),
    ];
    let batch = encoder.encode_batch(&rows).unwrap();
    let single: Vec<_> = rows
        .iter()
        .map(|(a, b)| encoder.encode(a, *b).unwrap())
        .collect();
    assert_eq!(
        *batch.tokens.ids,
        single
            .iter()
            .flat_map(|r| r.ids.clone())
            .collect::<Vec<_>>()
    );
    assert_eq!(
        *batch.tokens.type_ids,
        single
            .iter()
            .flat_map(|r| r.type_ids.clone())
            .collect::<Vec<_>>()
    );
    assert_eq!(batch.tokens.offsets, Offsets::from_lengths([7, 3, 6]));
    let positions: Vec<u32> = (0..7).chain(0..3).chain(0..6).collect();
    assert_eq!(*batch.tokens.positions, positions);
    assert_eq!(
        (batch.num_tokens(), batch.batch_size(), batch.max_len()),
        (16, 3, 7)
    );
    assert_eq!(batch.padded_tokens(), 21);
    assert!((batch.padding_avoided() - 5.0 / 21.0).abs() < 1e-12);
    assert_eq!(batch.labels, Labels::None);
    let none: [(&str, Option<&str>); 0] = [];
    let none = encoder.encode_batch(&none).unwrap();
    assert_eq!(none.tokens.offsets, Offsets::from_lengths([]));
}

#[test]
fn no_room_for_text() {
    let error = message(tokenizer().encoder(2, false).map(drop));
    assert!(
        error.contains("expected at least 3, one token of text and 2 special tokens"),
        "{error}"
    );
    assert!(tokenizer().encoder(3, false).is_ok() && tokenizer().encoder(4, true).is_err());
}

#[test]
fn vocabulary() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.token_to_id("[SEP]"), Some(102));
    assert_eq!(tokenizer.id_to_token(102).as_deref(), Some("[SEP]"));
    // The ids of the reduced vocabulary are sparse; the size covers the largest.
    let largest = fixture()["tokenizer"]["model"]["vocab"]
        .as_object()
        .unwrap();
    let largest = largest
        .values()
        .map(|id| id.as_u64().unwrap())
        .max()
        .unwrap();
    assert_eq!(tokenizer.vocab_size() as u64, largest + 1);
}
