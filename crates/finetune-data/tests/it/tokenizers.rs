//! Model directories of many kinds give the same tokens as transformers, for single texts and
//! pairs.

use std::collections::BTreeSet;
use std::fs;

use finetune_data::{TextTokenizer, TruncationSide, TruncationStrategy};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{message, tokenizer as minilm};

fn fixture() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/tokenizers.json"
    );
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The directory of a case.
fn directory(fixture: &Value, case: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = serde_json::json!({"model_type": case["model_type"]});
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    for (name, number) in case["files"].as_object().unwrap() {
        let content = fixture["contents"][number.as_u64().unwrap() as usize].as_str();
        fs::write(folder.path().join(name), content.unwrap()).unwrap();
    }
    folder
}

fn texts(list: &Value) -> Vec<&str> {
    let texts = list.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap()).collect()
}

fn numbers(list: &Value) -> Option<Vec<u32>> {
    let numbers = list.as_array()?.iter();
    Some(numbers.map(|n| n.as_u64().unwrap() as u32).collect())
}

#[test]
fn directories_as_in_transformers() {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap();
    let (mut noted, mut rows) = (0, 0);
    for case in cases {
        let folder = directory(&fixture, case);
        let tokenizer = TextTokenizer::from_directory(folder.path()).unwrap();
        noted += usize::from(!tokenizer.notes().is_empty());
        let max_length = case["max_length"].as_u64().unwrap() as usize;
        let encoder = tokenizer.encoder(max_length, false);
        let encoder = encoder.unwrap();
        let expected = case["rows"].as_array().unwrap();
        for (text, expected) in texts(&fixture["texts"]).into_iter().zip(expected) {
            let found = encoder.encode(text, None).ok().map(|row| row.ids);
            let files = fs::read_to_string(folder.path().join("tokenizer_config.json"));
            // A row has at least one token, which is the unknown one where transformers has none.
            let unknown = ["[UNK]", "<unk>"]
                .iter()
                .find_map(|name| tokenizer.token_to_id(name));
            let expected = match numbers(expected) {
                Some(ids) if ids.is_empty() => Some(unknown.into_iter().collect()),
                other => other,
            };
            assert_eq!(found, expected, "{} {text:?} {files:?}", case["name"]);
            rows += 1;
        }
    }
    assert!(cases.len() > 60 && rows > 800, "{} cases", cases.len());
    assert!(noted > 10, "{noted} notes");
}

#[test]
fn pairs_as_in_transformers() {
    let fixture = fixture();
    let long = texts(&fixture["long"]);
    let (mut refused, mut cut) = (0, 0);
    for (name, case) in fixture["pairs"].as_object().unwrap() {
        let folder = directory(&fixture, case);
        let tokenizer = TextTokenizer::from_directory(folder.path()).unwrap();
        for row in case["rows"].as_array().unwrap() {
            let number = |at: usize| row[at].as_u64().unwrap() as usize;
            let strategy: TruncationStrategy = serde_json::from_value(row[3].clone()).unwrap();
            let side: TruncationSide = serde_json::from_value(row[4].clone()).unwrap();
            let encoder = tokenizer.encoder(number(2), true).unwrap();
            let encoder = encoder.with_truncation(strategy, side);
            let encoded = encoder.encode(long[number(0)], Some(long[number(1)]));
            let Some(ids) = numbers(&row[5]) else {
                assert!(
                    message(encoded).contains("another truncation"),
                    "{name} {row}"
                );
                refused += 1;
                continue;
            };
            let encoded = encoded.unwrap();
            assert_eq!(encoded.ids, ids, "{name} {row}");
            let types: String = encoded.type_ids.iter().map(u32::to_string).collect();
            assert_eq!(types, row[6], "{name} {row}");
            assert!(!encoded.truncated || ids.len() == number(2));
            cut += usize::from(encoded.truncated);
        }
    }
    assert!(cut > 700 && refused > 50, "{cut} cut, {refused} refused");
}

/// A BERT whose tokenizer gives no token types gets type 0 for both texts of a pair.
#[test]
fn token_types_as_in_transformers() {
    let fixture = fixture();
    let (mut hashes, mut noted) = (BTreeSet::new(), 0);
    for case in fixture["types"].as_array().unwrap() {
        let folder = directory(&fixture, &fixture["pairs"]["bert"]);
        let config = folder.path().join("tokenizer_config.json");
        fs::write(config, case["config"].to_string()).unwrap();
        let tokenizer = TextTokenizer::from_directory(folder.path()).unwrap();
        let encoder = tokenizer.encoder(40, true).unwrap();
        let row = encoder.encode("the film", Some("was fun")).unwrap();
        assert_eq!(Some(row.type_ids), numbers(&case["types"]), "{case}");
        hashes.insert(tokenizer.hash());
        noted += tokenizer.notes().len();
    }
    assert_eq!((hashes.len(), noted), (2, 1));
}

#[test]
fn contradictions_are_noted() {
    let fixture = fixture();
    let notes = |config: &str| {
        let folder = directory(&fixture, &fixture["pairs"]["bert"]);
        fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        let tokenizer = TextTokenizer::from_directory(folder.path()).unwrap();
        let notes = tokenizer.notes().iter().map(ToString::to_string);
        (notes.collect::<Vec<_>>().join("\n"), tokenizer)
    };
    let (none, plain) = notes("{\"do_lower_case\": true, \"model_max_length\": 1e30}");
    assert_eq!((none.as_str(), plain.model_max_length()), ("", None));
    let (cased, other) = notes("{\"do_lower_case\": false, \"model_max_length\": 128}");
    let says = "tokenizer_config.json contradict each other (it says lowercase true, they do_lower_case false";
    assert!(cased.contains(says), "{cased}");
    assert_eq!(other.model_max_length(), Some(128));
    assert!(plain.hash() != other.hash());
    let (left, cut) = notes("{\"truncation_side\": \"left\"}");
    assert_eq!(
        (left.as_str(), cut.truncation_side()),
        ("", TruncationSide::Left)
    );
    assert!(cut.hash() != plain.hash());
    let (as_it_is, _) =
        notes("{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"do_lower_case\": false}");
    assert!(as_it_is.contains("the former counts"), "{as_it_is}");
}

#[test]
fn files_that_do_not_make_a_tokenizer() {
    type Files<'a> = &'a [(&'a str, &'a str)];
    let refusal = |files: Files<'_>| {
        let folder = crate::common::folder(files);
        message(TextTokenizer::from_directory(folder.path()).map(drop))
    };
    let cases: [(Files<'_>, &[&str]); 7] = [
        (
            &[("x", "")],
            &["neither tokenizer.json nor vocab.txt", "AutoTokenizer"],
        ),
        (
            &[("vocab.json", "{}"), ("merges.txt", "")],
            &["vocab.json and merges.txt", "save_pretrained"],
        ),
        (&[("vocab.txt", "")], &["vocab.txt", "empty"]),
        (
            &[
                ("vocab.txt", "a\n"),
                (
                    "tokenizer_config.json",
                    "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}",
                ),
            ],
            &["vocab.txt", "BertJapaneseTokenizer"],
        ),
        (
            &[("vocab.txt", "a\n"), ("tokenizer_config.json", "{")],
            &["tokenizer_config.json", "not a JSON object"],
        ),
        (
            &[
                ("vocab.txt", "a\n"),
                ("tokenizer_config.json", "{\"truncation_side\": \"top\"}"),
            ],
            &["truncation_side is \"top\"", "\"right\" or \"left\""],
        ),
        (
            &[("tokenizer.json", "{")],
            &["tokenizer.json", "not a usable tokenizer"],
        ),
    ];
    for (files, words) in cases {
        let error = refusal(files);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vocab.txt"), b"a\n\xff\n").unwrap();
    let error = message(TextTokenizer::from_directory(folder.path()).map(drop));
    assert!(error.contains("not UTF-8"), "{error}");
}

/// Tokenizers with halved maximum lengths and flipped bytes give an error or a tokenizer, but no
/// panic. (In the program, a panic caught inside prints nothing; here the test installs its own
/// hook.)
#[test]
fn damaged_tokenizers_do_not_panic() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !finetune_data::panic_is_caught() {
            hook(info);
        }
    }));
    let fixture = fixture();
    let (mut read, mut refused, mut state) = (0, 0, 1_u64);
    let mut next = move || {
        // xorshift
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let mut check = |bytes: &[u8]| match TextTokenizer::from_bytes(bytes) {
        Err(_) => refused += 1,
        Ok(tokenizer) => {
            read += 1;
            for pairs in [false, true] {
                let Ok(encoder) = tokenizer.encoder(12, pairs) else {
                    continue;
                };
                for text in ["The film, café 中!", &"new york ".repeat(40)] {
                    // The result does not matter, only that there is one.
                    let _ = encoder.encode(text, pairs.then_some("good"));
                }
            }
        }
    };
    for content in fixture["contents"].as_array().unwrap() {
        let content = content.as_str().unwrap();
        let Ok(Value::Object(json)) = serde_json::from_str(content) else {
            continue;
        };
        if !json.contains_key("post_processor") {
            continue;
        }
        for key in json.keys() {
            let mut without = json.clone();
            without.remove(key);
            check(Value::Object(without.clone()).to_string().as_bytes());
            for value in [
                Value::Null,
                0.into(),
                "x".into(),
                serde_json::json!({}),
                serde_json::json!([]),
            ] {
                without.insert(key.clone(), value);
                check(Value::Object(without.clone()).to_string().as_bytes());
            }
        }
        // The vocabulary is most of the file but little of its structure.
        let mut small = json.clone();
        if let Some(vocabulary) = small["model"]["vocab"].as_object_mut() {
            vocabulary.retain(|word, _| word.len() < 3 || word.starts_with('['));
        }
        if let Some(merges) = small["model"]
            .get_mut("merges")
            .and_then(Value::as_array_mut)
        {
            merges.clear();
        }
        let bytes = Value::Object(small).to_string().into_bytes();
        for _ in 0..200 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + next() % 3 {
                let at = next() % damaged.len();
                damaged[at] = match next() % 3 {
                    0 => damaged[at] ^ (1 << (next() % 8)),
                    1 => b"{}[]\",:0-9nulltrue"[next() % 18],
                    _ => damaged[next() % damaged.len()],
                };
            }
            check(&damaged);
            check(&bytes[..next() % bytes.len()]);
        }
    }
    let _ = std::panic::take_hook();
    assert!(
        read > 100 && refused > 2000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn a_template_that_names_an_unknown_token() {
    let fixture = fixture();
    let case = &fixture["pairs"]["bert"];
    let content = case["files"]["tokenizer.json"].as_u64().unwrap() as usize;
    let content = fixture["contents"][content].as_str().unwrap();
    let damaged = content.replace(
        "\"SpecialToken\":{\"id\":\"[SEP]\"",
        "\"SpecialToken\":{\"id\":\"[END]\"",
    );
    assert!(damaged != content);
    let error = message(TextTokenizer::from_bytes(damaged.as_bytes()).map(drop));
    assert!(
        error.contains("post_processor names a token that it does not define"),
        "{error}"
    );
}

/// Compares the tokens of a text of which only the kept part was tokenized with those of the whole
/// text.
fn check_cuts(
    tokenizer: &TextTokenizer,
    text: &str,
    pair: Option<&str>,
    max_length: usize,
) -> Result<(), TestCaseError> {
    for side in [TruncationSide::Right, TruncationSide::Left] {
        let encoder = |length| {
            let encoder = tokenizer.encoder(length, pair.is_some()).unwrap();
            encoder.with_truncation(TruncationStrategy::LongestFirst, side)
        };
        // Nothing is cut from a text shorter than the maximum length.
        let first = encoder(1 << 20).encode(text, pair.map(|_| "")).unwrap();
        let special = tokenizer.num_special_tokens(pair.is_some());
        let found = encoder(max_length).encode(text, pair).unwrap();
        let room = max_length - special;
        let count = first.ids.len() - special;
        prop_assert!(found.ids.len() <= max_length);
        match pair {
            None => {
                // There is one special token at each end.
                let whole = &first.ids[1..first.ids.len() - 1];
                let kept = count.min(room);
                let expected = match side {
                    TruncationSide::Right => &whole[..kept],
                    TruncationSide::Left => &whole[count - kept..],
                };
                prop_assert_eq!(&found.ids[1..found.ids.len() - 1], expected);
                prop_assert_eq!(found.truncated, count > room);
            }
            Some(second) => {
                let second = encoder(1 << 20).encode("", Some(second)).unwrap();
                let other = second.ids.len() - special;
                let (short, long) = (count.min(other), count.max(other));
                let (short, long) = match () {
                    () if short + long <= room => (short, long),
                    () if 2 * short <= room => (short, room - short),
                    () => (room / 2, room - room / 2),
                };
                let (a, b) = if count > other {
                    (long, short)
                } else {
                    (short, long)
                };
                let ends = |ids: &[u32], n: usize| match side {
                    TruncationSide::Right => ids[..n].to_vec(),
                    TruncationSide::Left => ids[ids.len() - n..].to_vec(),
                };
                let middle = special - 2;
                let whole = &first.ids[1..1 + count];
                let other_whole = &second.ids[1 + middle..1 + middle + other];
                prop_assert_eq!(&found.ids[1..1 + a], &ends(whole, a)[..]);
                prop_assert_eq!(
                    &found.ids[1 + a + middle..1 + a + middle + b],
                    &ends(other_whole, b)[..]
                );
            }
        }
    }
    Ok(())
}

/// Long texts made of pieces that are hard to cut.
fn long_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z]{1,9}",
        "[ -~]{1,12}",
        "\\PC{1,8}",
        Just("[SEP]".to_owned()),
        Just("<mask>".to_owned()),
        Just("   <mask>  ".to_owned()),
        Just("newword".to_owned()),
        Just("[SE".to_owned()),
        Just("e\u{301}\u{323} caf\u{e9}".to_owned()),
        Just("中国的电影。很好".to_owned()),
        Just("สวัสดีครับผม".to_owned()),
        Just("हिन्दी पाठ".to_owned()),
        Just("\u{200b}\u{0}\u{ad}".to_owned()),
        Just("it's we'll _ don't".to_owned()),
        Just("\r\n\t \u{a0}\u{3000}".to_owned()),
        "[ \t\n]{2,90}",
        "[a-zéß0-9]{101,260}",
        "[x\u{301}]{90,220}",
    ];
    let blank = prop_oneof![4 => Just(" "), 3 => Just(""), 1 => Just("\n"), 1 => Just("  ")];
    proptest::collection::vec((piece, blank), 1..90).prop_map(|pieces| {
        let pieces = pieces.into_iter();
        pieces.map(|(piece, blank)| piece + blank).collect()
    })
}

/// The fixture's tokenizers and MiniLM's: WordPiece with and without accents and case, with added
/// tokens, and byte-level BPE.
fn tokenizers() -> Vec<TextTokenizer> {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap().iter();
    let chosen = cases.chain(fixture["pairs"].as_object().unwrap().values());
    let mut seen = Vec::new();
    let mut tokenizers = vec![minilm()];
    for case in chosen.filter(|case| case["name"] != "no template, as it is") {
        let folder = directory(&fixture, case);
        let tokenizer = TextTokenizer::from_directory(folder.path()).unwrap();
        if !seen.contains(&tokenizer.hash())
            && tokenizer
                .encoder(40, false)
                .unwrap()
                .encode("ß中 zq~", None)
                .is_ok()
        {
            seen.push(tokenizer.hash());
            tokenizers.push(tokenizer);
        }
    }
    tokenizers
}

#[test]
fn cut_texts_have_the_tokens_of_whole_ones() {
    let tokenizers = tokenizers();
    assert!(tokenizers.len() > 20, "{}", tokenizers.len());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    });
    let row = (
        0..tokenizers.len(),
        long_text(),
        proptest::option::of(long_text()),
        6_usize..40,
    );
    runner
        .run(&row, |(which, text, pair, length)| {
            let tokenizer = &tokenizers[which];
            let special = tokenizer.num_special_tokens(pair.is_some());
            check_cuts(tokenizer, &text, pair.as_deref(), length + special)
        })
        .unwrap();
}

/// A megabyte of which 256 tokens are kept costs as much as a page, whatever it is made of. The
/// cost is counted in tokens produced rather than in seconds.
#[test]
fn long_texts_of_all_kinds_give_the_right_tokens() {
    let tokenizer = minilm();
    let encoder = tokenizer.encoder(64, false).unwrap();
    for unit in [
        "world ",
        "a",
        "é",
        "中",
        "!",
        "ไทย",
        "world\n",
        "a.b",
        "\u{301}",
        " ",
        "\n\t \r\n  ",
        "                        a",
    ] {
        let text = unit.repeat(20_000);
        let found = encoder.encode(&text, None).unwrap();
        let whole = tokenizer
            .encoder(1 << 20, false)
            .unwrap()
            .encode(&text, None)
            .unwrap();
        let kept = whole.ids.len().min(64) - 2;
        assert_eq!(found.ids[..=kept], whole.ids[..=kept], "{unit:?}");
        assert_eq!(found.truncated, whole.ids.len() > 64, "{unit:?}");
    }
}
