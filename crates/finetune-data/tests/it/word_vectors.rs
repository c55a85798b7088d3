//! Word vectors in the forms in which they are published.

use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

use finetune_data::{Result, TextTokenizer, WordVectors};

use crate::common::{assert_has, folder, message, path};

/// A tokenizer of the words `film`, `Film`, `good`, `rare` and `New`, and of the piece `##s`.
fn tokenizer() -> TextTokenizer {
    let json = serde_json::json!({
        "version": "1.0",
        "added_tokens": [{
            "id": 0, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "normalizer": null,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": null,
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "film": 1, "Film": 2, "good": 3, "rare": 4, "##s": 5, "New": 6},
        },
    });
    TextTokenizer::from_bytes(json.to_string().as_bytes()).unwrap()
}

fn read(name: &str, content: &[u8]) -> (TempDir, Result<WordVectors>) {
    let folder = folder(&[]);
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let vectors = WordVectors::read(&path, &tokenizer(), 2);
    (folder, vectors)
}

const PLAIN: &str = "film 1 2\n##s 9 9\nother 3 4\ngood -0.5 1e-3\n[UNK] 8 8\nnew 5 6\n";

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        archive
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn vectors_are_matched_by_word() {
    let (_folder, vectors) = read("v.txt", PLAIN.as_bytes());
    let vectors = vectors.unwrap();
    // `Film` and `New` have the vectors of `film` and `new`; neither pieces nor special tokens have one.
    let expected = [
        (1, vec![1.0, 2.0]),
        (2, vec![1.0, 2.0]),
        (3, vec![-0.5, 1e-3]),
        (6, vec![5.0, 6.0]),
    ];
    assert_eq!(vectors.by_token, expected.into_iter().collect());
    assert_eq!(
        (vectors.words, vectors.lowercased, vectors.in_file),
        (5, 2, 6)
    );
    assert!(vectors.notes.is_empty());
}

#[test]
fn compressed_files_and_archives_have_the_same_vectors() {
    let (_folder, plain) = read("v.txt", PLAIN.as_bytes());
    let plain = plain.unwrap();
    // The content decides, not the name, and several members are one file, as for gunzip.
    let (start, end) = PLAIN.split_at(PLAIN.find("other").unwrap() + 3);
    for (name, content) in [
        ("v.gz", gzip(PLAIN)),
        ("v.txt", gzip(PLAIN)),
        ("v.gz", [gzip(start), gzip(end)].concat()),
    ] {
        assert!(content.starts_with(b"\x1f\x8b"), "{name}");
        let (_folder, zipped) = read(name, &content);
        assert_eq!(zipped.unwrap(), plain, "{name}");
    }
    // Files of another size, as in GloVe's archives, and what macOS adds.
    let wide = "film 1 2 3\n";
    let (_folder, zipped) = read(
        "v.zip",
        &zip(&[
            ("__MACOSX/v.2d.txt", "x"),
            ("v.3d.txt", wide),
            ("v.2d.txt", PLAIN),
        ]),
    );
    let zipped = zipped.unwrap();
    assert_eq!(zipped.by_token, plain.by_token);
    let note = zipped.notes[0].to_string();
    assert_has(
        &note,
        &[
            "of the 2 files in",
            "v.2d.txt is read, which has vectors of 2 numbers",
        ],
    );
    let (_folder, zipped) = read("v.zip", &zip(&[("v.3d.txt", wide), ("readme", "")]));
    assert_has(
        &message(zipped),
        &[
            "vectors of 2 numbers",
            "readme has no vectors",
            "those of v.3d.txt have 3",
        ],
    );
}

#[test]
fn a_header_is_accepted_with_a_note() {
    let (_folder, vectors) = read("v.vec", format!("6 2\n{PLAIN}").as_bytes());
    let vectors = vectors.unwrap();
    assert_eq!(vectors.by_token.len(), 4);
    assert_has(
        &vectors.notes[0].to_string(),
        &["v.vec", "word2vec's header (6 vectors of 2 numbers)"],
    );
    let (_folder, short) = read("v.vec", format!("7 2\n{PLAIN}").as_bytes());
    assert_has(&message(short), &["promises 7 vectors, but it has 6"]);
    let (_folder, wide) = read("v.vec", b"1 3\nfilm 1 2 3\n");
    assert_has(
        &message(wide),
        &["its vectors have 3 numbers, but the model's word embeddings have 2"],
    );
}

#[test]
fn broken_files_say_where() {
    for (content, words) in [
        (
            "film 1 2\ngood 1\n",
            "v.txt, line 2: 1 numbers follow the word; expected 2",
        ),
        (
            "film 1 2\n\ngood 1 2 3\n",
            "v.txt, line 3: 3 numbers follow the word; expected 2",
        ),
        (
            "film 1 2\nother 1 2,5\n",
            "v.txt, line 2: number 2 of 2 is \"2,5\"",
        ),
        (
            "film 1 2\nother inf 2\n",
            "v.txt, line 2: number 1 of 2 is \"inf\"",
        ),
        (
            "film 1 2\ngood 1 2\nfilm 2 1\n",
            "v.txt, line 3: the word \"film\" has a vector on line 1 already",
        ),
        (
            "film 1 2 3\n",
            "its vectors have 3 numbers, but the model's word embeddings have 2",
        ),
        ("a text of words\n", "it has no word vectors"),
        (
            "le 1 2\nla 1 2\n",
            "none of its 2 words is among the 5 words of the vocabulary",
        ),
    ] {
        let (_folder, vectors) = read("v.txt", content.as_bytes());
        assert_has(&message(vectors), &[words]);
    }
    let cut = gzip(&PLAIN.repeat(50));
    let (_folder, vectors) = read("v.gz", &cut[..cut.len() / 2]);
    assert_has(&message(vectors), &["v.gz", "cut short"]);
    // Only the checksum of the second member is missing.
    let members = [gzip("film 1 2\n"), gzip("good 3 4\n")].concat();
    let (_folder, vectors) = read("v.gz", &members[..members.len() - 8]);
    assert_has(&message(vectors), &["v.gz", "cut short"]);
    let mut damaged = zip(&[("v.txt", PLAIN)]);
    let at = damaged
        .windows(5)
        .position(|bytes| bytes == b"v.txt")
        .unwrap()
        + 8;
    damaged[at] ^= 0x55;
    let (_folder, vectors) = read("v.zip", &damaged);
    assert_has(&message(vectors), &["v.zip"]);
    let folder = folder(&[]);
    let none = path(&folder, "none.txt");
    assert_has(
        &message(WordVectors::read(Path::new(&none), &tokenizer(), 2)),
        &["none.txt"],
    );
}

/// A word that occurs twice matters only if its vector is used.
#[test]
fn other_words_are_only_checked() {
    let (_folder, vectors) = read("v.txt", b"x 1 2\nfilm 3 4\nx 5 6\n\xff 1 2\n");
    assert_eq!(vectors.unwrap().by_token.len(), 2);
}

/// The words of other vocabularies begin with the mark of a blank.
#[test]
fn words_of_byte_pairs_and_of_unigrams() {
    let model = |model: serde_json::Value, pre_tokenizer: serde_json::Value| {
        let json = serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
            "decoder": null, "pre_tokenizer": pre_tokenizer, "model": model,
        });
        TextTokenizer::from_bytes(json.to_string().as_bytes()).unwrap()
    };
    let byte_level = model(
        serde_json::json!({"type": "BPE", "vocab": {"film": 0, "Ġfilm": 1, "ĠÃ©tÃ©": 2, "Ġ": 3}, "merges": []}),
        serde_json::json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}),
    );
    let unigram = model(
        serde_json::json!({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁film", -1.0], ["▁été", -2.0], ["film", -3.0]]}),
        serde_json::json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}),
    );
    let folder = folder(&[("v.txt", "film 1 2\nété 3 4\n")]);
    let file = path(&folder, "v.txt");
    for tokenizer in [byte_level, unigram] {
        let vectors = WordVectors::read(Path::new(&file), &tokenizer, 2).unwrap();
        let expected = [(1, vec![1.0, 2.0]), (2, vec![3.0, 4.0])];
        assert_eq!(vectors.by_token, expected.into_iter().collect());
        assert_eq!(vectors.words, 2);
    }
}
