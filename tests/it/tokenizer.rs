//! Training and extending tokenizers.

use finetune_data::TextTokenizer;
use finetune_models::SafetensorsFile;
use serde_json::{Value, json};

use crate::{
    command::{Scratch, argument, split},
    fixtures,
};

fn texts() -> String {
    argument(&fixtures::path("tokenizers/texts.txt")).to_owned()
}

fn train(scratch: &Scratch, data: &str, flags: &[&str], output: &str) -> crate::command::Run {
    let command = ["tokenizer", "train", data, "--output", output];
    scratch.run(&[&command, flags].concat())
}

/// Asserts that the tokenizer in a directory gives these rows, as transformers does.
#[track_caller]
fn gives(tokenizer: &TextTokenizer, rows: &Value) {
    for row in rows.as_array().unwrap() {
        let texts: Vec<&str> = strings(&row["texts"]);
        let second = texts.get(1).copied();
        let encoder = tokenizer.encoder(512, second.is_some()).unwrap();
        let encoded = encoder.encode(texts[0], second).unwrap();
        assert_eq!(json!(encoded.ids), row["ids"], "{texts:?}");
        assert_eq!(json!(encoded.type_ids), row["type_ids"], "{texts:?}");
    }
}

fn strings(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|text| text.as_str().unwrap()).collect()
}

/// Their vocabularies are those that transformers found, so the same texts give the same tokenizer.
#[test]
fn trained_tokenizers_give_the_ids_of_transformers() {
    let expected = fixtures::json("tokenizers/expected.json");
    let scratch = Scratch::new();
    for (name, expected) in expected["trained"].as_object().unwrap() {
        train(&scratch, &texts(), &strings(&expected["flags"]), name).succeeded();
        let tokenizer = TextTokenizer::from_directory(scratch.path(name)).unwrap();
        assert!(
            tokenizer.notes().is_empty(),
            "{name}: {:?}",
            tokenizer.notes()
        );
        let vocabulary: Vec<_> = (0..tokenizer.vocab_size() as u32)
            .map(|id| tokenizer.id_to_token(id).unwrap())
            .collect();
        assert_eq!(json!(vocabulary), expected["vocabulary"], "{name}");
        gives(&tokenizer, &expected["rows"]);
    }
}

#[test]
fn the_summary_says_what_the_vocabulary_covers() {
    let scratch = Scratch::new();
    scratch.write(
        "a.csv",
        "text,label\nGood film,1\nbad film,0\n\"good, old film\",1\n",
    );
    let run = train(
        &scratch,
        "a.csv",
        &split("--kind words --vocab-size 8 --lowercase"),
        "out",
    );
    let run = run.succeeded();
    // Three places are left for film, good, a comma, bad and old.
    for words in [
        "words tokenizer on 3 texts of 8 words, 5 of them different",
        "8, 5 of them special ([PAD] [UNK] [CLS] [SEP] [MASK])",
        "25.00 % of the tokens are unknown (2 of 8); 2.7 tokens a text on average",
        "most often: bad old",
        "Good film\n          good film\n",
        "saved     out",
    ] {
        assert!(run.stdout.contains(words), "{words}: {run}");
    }
    assert_eq!(run.stderr, "");
    let again = train(&scratch, "a.csv", &["--kind", "words"], "larger").succeeded();
    let note =
        "note: the vocabulary has 11 tokens rather than 30000, since the texts give no more\n";
    assert_eq!(again.stderr, note);
    assert!(again.stdout.contains("no token is unknown"), "{again}");
}

#[test]
fn texts_come_from_whatever_train_reads() {
    let scratch = Scratch::new();
    let flags = split("--kind words");
    scratch.write(
        "data/train.jsonl",
        "{\"review\": \"one two\", \"stars\": 1}\n",
    );
    scratch.write("data/more.txt", "three\n");
    scratch.write("pairs.csv", "premise,hypothesis\na b,c\n,d\n");
    let vocabulary = |name: &str| {
        let tokenizer = TextTokenizer::from_directory(scratch.path(name)).unwrap();
        let ids = 5..tokenizer.vocab_size() as u32;
        let tokens: Vec<_> = ids.map(|id| tokenizer.id_to_token(id).unwrap()).collect();
        tokens.join(" ")
    };
    train(&scratch, "data/train.jsonl", &flags, "review").succeeded();
    assert_eq!(vocabulary("review"), "one two");
    train(&scratch, "data/more.txt", &flags, "lines").succeeded();
    assert_eq!(vocabulary("lines"), "three");
    // Several data sets give one vocabulary, each with its own columns.
    let both = "tokenizer train data/train.jsonl data/more.txt --kind words -o both";
    let run = scratch.run(&split(both)).succeeded();
    assert!(run.stdout.contains("tokenizer on 2 texts"), "{run}");
    assert_eq!(vocabulary("both"), "one three two");
    scratch.refuses(
        &split("tokenizer train pairs.csv --kind words -o pairs"),
        &[
            "pairs.csv, row 1 (line 3)",
            "`premise` is null",
            "--skip-invalid",
        ],
    );
    let run = train(
        &scratch,
        "pairs.csv",
        &split("--kind words --skip-invalid"),
        "pairs",
    );
    assert!(
        run.succeeded()
            .stderr
            .contains("note: 1 null texts are skipped")
    );
    assert_eq!(vocabulary("pairs"), "a b c d");
    scratch.write("splits/unsupervised.txt", "five\n");
    scratch.write("splits/test.txt", "six\n");
    scratch.refuses(
        &split("tokenizer train splits --kind words -o some"),
        &[
            "no split `train`",
            "name one, or several joined by +, with --split",
        ],
    );
    let splits = split("--kind words --split unsupervised+test");
    train(&scratch, "splits", &splits, "some").succeeded();
    assert_eq!(vocabulary("some"), "five six");
}

#[test]
fn what_no_tokenizer_can_be_made_of_is_refused() {
    let scratch = Scratch::new();
    scratch.write("blank.txt", "\n \n");
    scratch.write("a.txt", "abc\n");
    scratch.write(
        "letters.txt",
        (0..400)
            .map(|n| char::from_u32(0x4e00 + n).unwrap())
            .collect::<String>(),
    );
    scratch.write("there/file", "");
    for (line, words) in [
        ("blank.txt -o out", "there is no word in the 2 texts"),
        (
            "a.txt --vocab-size 5 -o out",
            "too small: word-piece needs more than 5",
        ),
        (
            "a.txt --kind bpe --vocab-size 261 -o out",
            "5 special tokens and one for each of 256 bytes",
        ),
        (
            "letters.txt --vocab-size 300 -o out",
            "too small for the 400 different characters",
        ),
        (
            "a.txt --kind wrong -o out",
            "expected one of word-piece, bpe, unigram, words",
        ),
        ("a.txt -o there", "there already exists"),
        ("none.txt -o out", "no such file"),
        (
            "a.txt --split test -o out",
            "name one, or several joined by +, with --split",
        ),
    ] {
        let arguments = [vec!["tokenizer", "train"], split(line)].concat();
        scratch.refuses(&arguments, &[words]);
    }
}

/// A run that was killed leaves nothing that the next one with this output does not remove.
#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_process_left_is_removed() {
    let scratch = Scratch::new();
    scratch.write(".partial-words-a1B2c3/tokenizer.json", "{");
    scratch.write(".partial-other-a1B2c3/tokenizer.json", "{");
    train(&scratch, &texts(), &["--kind", "words"], "words").succeeded();
    assert!(!scratch.path(".partial-words-a1B2c3").exists());
    assert!(scratch.path(".partial-other-a1B2c3").exists());
}

/// The least length follows the tokenizer: there is no token around a text of whole words.
#[test]
fn the_shortest_rows_are_those_of_the_tokenizer() {
    let scratch = Scratch::new();
    scratch.write(
        "a.csv",
        "text,label\n".to_owned() + &"bad film,0\na good one,1\n".repeat(8),
    );
    for (kind, short, least) in [("words", "0", "1"), ("word-piece", "2", "3")] {
        train(&scratch, "a.csv", &["--kind", kind], kind).succeeded();
        let options = format!(
            "train --init scratch --encoder lab --tokenizer {kind} --dataset a.csv --max-steps 1"
        );
        let run = |length: &str, output: &str| {
            let more = ["--max-length", length, "--output", output];
            scratch.run(&[&split(&options)[..], &more].concat())
        };
        let expected = format!("expected at least {least}");
        run(short, "refused").refused(&[&format!("max_length is {short}"), &expected]);
        run(least, &format!("run-{kind}")).succeeded();
    }
}

/// With whole words, there is no token around a text.
#[test]
fn an_empty_text_is_one_unknown_word() {
    let scratch = Scratch::new();
    train(&scratch, &texts(), &["--kind", "words"], "words").succeeded();
    let tokenizer = TextTokenizer::from_directory(scratch.path("words")).unwrap();
    let encoder = tokenizer.encoder(8, false).unwrap();
    assert_eq!(encoder.encode(" \"\" ", None).unwrap().ids, [1]);
}

#[test]
fn extended_models_are_those_of_transformers() {
    let expected = fixtures::json("tokenizers/expected.json");
    let scratch = Scratch::new();
    for (name, expected) in expected["extended"].as_object().unwrap() {
        let output = name.replace('/', "_");
        let model = fixtures::path(name);
        let command = ["tokenizer", "extend", argument(&model), &texts(), "--add"];
        let add = expected["add"].to_string();
        scratch
            .run(&[&command[..], &[&add, "-o", &output]].concat())
            .succeeded();
        let directory = scratch.path(&output);
        let tokenizer = TextTokenizer::from_directory(&directory).unwrap();
        let old = TextTokenizer::from_directory(&model).unwrap();
        let added: Vec<_> = (old.vocab_size() as u32..tokenizer.vocab_size() as u32)
            .map(|id| tokenizer.id_to_token(id).unwrap())
            .collect();
        assert_eq!(json!(added), expected["added"], "{name}");
        gives(&tokenizer, &expected["rows"]);
        let weights = |path: &std::path::Path| {
            SafetensorsFile::open(&path.join("model.safetensors")).unwrap()
        };
        let (mut was, mut now) = (weights(&model), weights(&directory));
        assert_eq!(was.names(), now.names());
        let mut rows = None;
        for tensor in was.names() {
            let (was, now) = (
                was.read_f32(&tensor).unwrap(),
                now.read_f32(&tensor).unwrap(),
            );
            assert_eq!(was, now[..was.len()], "{name}: {tensor}");
            if tensor.ends_with("word_embeddings.weight") {
                rows = Some(now[was.len()..].to_vec());
            } else {
                assert_eq!(was.len(), now.len(), "{name}: {tensor}");
            }
        }
        let reference = expected["embeddings"].as_array().unwrap().iter();
        let reference = reference.flat_map(|row| row.as_array().unwrap());
        let reference: Vec<f32> = reference
            .map(|value| value.as_f64().unwrap() as f32)
            .collect();
        assert_eq!(rows.unwrap(), reference, "{name}");
    }
}

#[test]
fn an_extended_model_trains_on_and_needs_fewer_tokens() {
    let scratch = Scratch::new();
    let text = "the unwatchable plot\nunwatchable , unwatchable\n";
    scratch.write("domain.txt", text.repeat(20));
    let model = fixtures::path("tiny_bert");
    let arguments = [
        "tokenizer",
        "extend",
        argument(&model),
        "domain.txt",
        "--add",
        "3",
        "-o",
        "more",
    ];
    let run = scratch.run(&arguments).succeeded();
    assert!(run.stdout.contains("unwatchable (60)"), "{run}");
    assert!(
        run.stderr.contains("words are added rather than 3"),
        "{run}"
    );
    let config = scratch.json("more/config.json");
    assert_eq!(
        config["vocab_size"],
        fixtures::json("tiny_bert/config.json")["vocab_size"]
            .as_u64()
            .unwrap()
            + 1
    );
    scratch.write(
        "a.csv",
        "text,label\n".to_owned() + &"unwatchable,bad\na good plot,good\n".repeat(8),
    );
    let train = "train --model more --dataset a.csv --max-steps 1 --output run";
    scratch.run(&split(train)).succeeded();
    scratch
        .run(&split("predict --model run unwatchable"))
        .succeeded();
    scratch.refuses(&arguments, &["more already exists"]);
    scratch.refuses(
        &[
            "tokenizer",
            "extend",
            "more",
            "domain.txt",
            "--add",
            "3",
            "-o",
            "again",
        ],
        &["there is no word to add"],
    );
}

/// Masked language models of all families, whose files have several tensors with a row per token, and our own
/// family with a vocabulary of whole words.
#[test]
fn every_kind_of_model_is_extended() {
    let scratch = Scratch::new();
    scratch.write("domain.txt", "an unwatchable film\n".repeat(20));
    let text = "the good plot\na bad film .\nan plot\n".repeat(20);
    scratch.write("texts.txt", text);
    for line in [
        "tokenizer train texts.txt --kind words --lowercase -o words",
        "pretrain --init scratch --encoder lab --tokenizer words --dataset texts.txt --max-steps 1 \
         --max-length 8 --output own",
    ] {
        scratch.run(&split(line)).succeeded();
    }
    let fixtures = ["bert", "distilbert", "roberta", "electra"];
    let models = fixtures.map(|name| fixtures::path(&format!("masked_lm/{name}")));
    for (number, model) in models
        .into_iter()
        .chain([scratch.path("own/model")])
        .enumerate()
    {
        let output = number.to_string();
        let extend = [
            "tokenizer",
            "extend",
            argument(&model),
            "domain.txt",
            "--add",
            "1",
            "-o",
        ];
        scratch.run(&[&extend[..], &[&output]].concat()).succeeded();
        let rows = |path: &std::path::Path| {
            let config = std::fs::read(path.join("config.json")).unwrap();
            let config: Value = serde_json::from_slice(&config).unwrap();
            config["vocab_size"].as_u64().unwrap() as usize
        };
        let (was, now) = (rows(&model), rows(&scratch.path(&output)));
        assert!(now > was, "{output}");
        let weights = |path: &std::path::Path| {
            SafetensorsFile::open(&path.join("model.safetensors")).unwrap()
        };
        let (before, after) = (weights(&model), weights(&scratch.path(&output)));
        assert_eq!(before.names(), after.names());
        let mut of_tokens = 0;
        for name in before.names() {
            let [before, after] = [&before, &after].map(|file| file.shape(&name).unwrap().to_vec());
            let mut expected = before.clone();
            if before[0] == was {
                expected[0] = now;
                of_tokens += 1;
            }
            assert_eq!(after, expected, "{output}: {name}");
        }
        // The word table and the decoder's bias, under one name or two.
        assert!(of_tokens >= 2, "{output}");
        let options = format!(
            "pretrain --model {output} --dataset domain.txt --max-steps 1 --max-length 8 --output on{output}"
        );
        scratch.run(&split(&options)).succeeded();
    }
}

/// Lines of a language without blanks between words, which are one long word each.
#[test]
fn long_lines_without_blanks_are_learned_from() {
    let scratch = Scratch::new();
    let words = [
        "漢字",
        "電影院",
        "好看",
        "不好",
        "今天的天氣",
        "朋友",
        "我",
        "她們",
    ];
    let mut seed = 1u32;
    let word = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        words[(seed >> 16) as usize % words.len()]
    };
    let text: Vec<char> = std::iter::repeat_with(word)
        .take(2_000)
        .flat_map(str::chars)
        .collect();
    for (name, length) in [("long.txt", 1_000), ("short.txt", 90)] {
        let lines = text
            .chunks(length)
            .map(|line| line.iter().collect::<String>() + "\n");
        scratch.write(name, lines.collect::<String>());
    }
    for kind in ["unigram", "bpe"] {
        let tokens = |data: &str| {
            let output = format!("{kind}-{data}");
            let flags = split("--vocab-size 330 --kind");
            let run = train(&scratch, data, &[&flags[..], &[kind]].concat(), &output).succeeded();
            assert!(!run.stdout.contains("are unknown"), "{run}");
            let tokenizer = TextTokenizer::from_directory(scratch.path(&output)).unwrap();
            let encoder = tokenizer.encoder(8_192, false).unwrap();
            let text: String = text[..1_000].iter().collect();
            encoder.encode(&text, None).unwrap().ids.len()
        };
        let (long, short) = (tokens("long.txt"), tokens("short.txt"));
        assert!(long < 600, "{kind}: {long}");
        assert!(long.abs_diff(short) < short / 10, "{kind}: {long}, {short}");
    }
    // The ideographs are separated; other runs of letters are not.
    let run = train(&scratch, "long.txt", &[], "ideographs").succeeded();
    assert!(!run.stderr.contains("100 characters"), "{run}");
    scratch.write("thai.txt", ("ภาพยนตร์".repeat(20) + "\n").repeat(3));
    let run = train(&scratch, "thai.txt", &[], "thai").succeeded();
    let note = "note: 3 words of the texts have more than 100 characters";
    assert!(run.stderr.contains(note), "{run}");
    train(&scratch, "thai.txt", &split("--kind unigram"), "known").succeeded();
}

#[test]
fn no_kind_is_made_of_nothing() {
    let scratch = Scratch::new();
    scratch.write("blank.txt", " \n\t\u{a0}\n\u{3000}\n");
    scratch.write("empty.txt", "");
    scratch.write("empty.csv", "text\n\"\"\n\"\"\n");
    scratch.write("a.txt", "a\n");
    for kind in ["word-piece", "bpe", "unigram", "words"] {
        let flags = ["--kind", kind, "-o", "out"];
        for (data, words) in [
            ("blank.txt", "there is no word in the 3 texts"),
            ("empty.csv", "there is no word in the 2 texts"),
            ("empty.txt", "empty.txt"),
        ] {
            let arguments = [&["tokenizer", "train", data][..], &flags].concat();
            scratch.refuses(&arguments, &[words]);
        }
        train(&scratch, "a.txt", &["--kind", kind], kind).succeeded();
    }
}
