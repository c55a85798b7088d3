//! CSV as people write it, text in other encodings, compressed files, JSON arrays and fastText
//! files.

use std::io::Write as _;

use finetune_data::{
    Columns, CsvOptions, Dataset, Labels, ReadOptions, Result, Split, Stop, Task, infer_task,
};
use tempfile::TempDir;

use crate::common::{assert_has, build, everything, folder, message, path, texts};

const PLAIN: &str = "text,label\nnot bad,a\n\"hello, world\",b\n\"all \"\"at all\"\"\",a\n";
const TEXTS: [&str; 3] = ["not bad", "hello, world", "all \"at all\""];

/// Writes a file of these bytes and returns its rows and notes.
fn opened(name: &str, bytes: &[u8], csv: CsvOptions) -> (TempDir, Result<(Split, String)>) {
    let folder = folder(&[]);
    std::fs::write(folder.path().join(name), bytes).unwrap();
    let options = ReadOptions {
        csv,
        ..ReadOptions::default()
    };
    let rows = Dataset::open_with(path(&folder, name), &options).and_then(|dataset| {
        let split = dataset.split("train")?;
        let notes: Vec<_> = dataset.notes().iter().map(ToString::to_string).collect();
        Ok((split, notes.join("\n")))
    });
    (folder, rows)
}

/// Asserts that the file has the rows of `PLAIN` and is noted with these words, or not at all if
/// there are none.
#[track_caller]
fn reads(name: &str, bytes: &[u8], csv: CsvOptions, words: &[&str]) {
    let (_folder, rows) = opened(name, bytes, csv);
    let (split, notes) = rows.unwrap();
    assert_eq!(texts(&split), TEXTS, "{name}");
    assert_eq!(notes.is_empty(), words.is_empty(), "{notes}");
    assert_has(&notes, words);
    let data = everything(Ok(split)).unwrap();
    assert_eq!(data.class_counts(), Some(vec![2, 1]));
}

#[track_caller]
fn refused(name: &str, bytes: &[u8], csv: CsvOptions, words: &[&str]) {
    let (_folder, rows) = opened(name, bytes, csv);
    assert_has(
        &message(rows.and_then(|(split, _)| everything(Ok(split)))),
        words,
    );
}

fn csv(change: impl FnOnce(&mut CsvOptions)) -> CsvOptions {
    let mut options = CsvOptions::default();
    change(&mut options);
    options
}

fn auto() -> CsvOptions {
    CsvOptions::default()
}

#[test]
fn clean_csv_needs_no_note() {
    reads("x.csv", PLAIN.as_bytes(), auto(), &[]);
    let marked = [b"\xef\xbb\xbf", PLAIN.as_bytes()].concat();
    reads("x.csv", &marked, auto(), &[]);
    reads("x.csv", PLAIN.replace('\n', "\r\n").as_bytes(), auto(), &[]);
}

#[test]
fn delimiters() {
    for (delimiter, shown) in [(';', "';'"), ('\t', "tabs"), ('|', "'|'")] {
        let text = PLAIN.replace("text,label", &format!("text{delimiter}label"));
        let text = text.replace(",a", &format!("{delimiter}a"));
        let text = text.replace(",b", &format!("{delimiter}b"));
        let words = [shown, "--csv-delimiter", "2 each"];
        reads("x.csv", text.as_bytes(), auto(), &words);
        let named = csv(|csv| csv.delimiter = Some(delimiter.to_string().parse().unwrap()));
        reads("x.csv", text.as_bytes(), named, &[]);
    }
    let wrong = csv(|csv| csv.delimiter = Some(";".parse().unwrap()));
    let words = ["text,label (string)"];
    refused("x.csv", b"text,label\na,b\n", wrong, &words);
}

#[test]
fn comments() {
    let above = format!("# exported, of course\n#\n{PLAIN}");
    let words = ["lines above the header", "--csv-comment '#'"];
    reads("x.csv", above.as_bytes(), auto(), &words);
    let within = above.replace("\"hello", "# said\n\"hello");
    refused(
        "x.csv",
        within.as_bytes(),
        auto(),
        &["line 5", "--csv-comment '#'"],
    );
    let named = csv(|csv| csv.comment = Some("#".parse().unwrap()));
    reads("x.csv", within.as_bytes(), named, &[]);
    // A text may begin with the comment character.
    let (_folder, rows) = opened("x.csv", b"# x\ntext,label\na,b\n#c,d\n", auto());
    let (split, notes) = rows.unwrap();
    assert_eq!(texts(&split), ["a", "#c"]);
    assert_has(&notes, &["line 4", "1 of the rows begins with #"]);
}

#[test]
fn quotes() {
    let slashed = PLAIN.replace("\"\"at all\"\"", "\\\"at all\\\"");
    let words = ["line 4", "backslash", "--csv-escape backslash"];
    reads("x.csv", slashed.as_bytes(), auto(), &words);
    let named = csv(|csv| csv.escape = Some("backslash".parse().unwrap()));
    reads("x.csv", slashed.as_bytes(), named, &[]);
    let doubled = csv(|csv| csv.escape = Some("doubled".parse().unwrap()));
    refused(
        "x.csv",
        slashed.as_bytes(),
        doubled,
        &["line 4", "--csv-escape backslash"],
    );
    let single = "'text','label'\n'not bad','a'\n'hello, world','b'\n'all \"at all\"','a'\n";
    reads(
        "x.csv",
        single.as_bytes(),
        auto(),
        &["quoted by '", "--csv-quoting"],
    );
    // Every line is kept as it stands.
    let tabs = "text\tlabel\n\"not\ta\nbad\"\tb\n";
    let none = csv(|csv| csv.quoting = Some("none".parse().unwrap()));
    let (_folder, rows) = opened("x.tsv", tabs.as_bytes(), none);
    assert_eq!(texts(&rows.unwrap().0), ["\"not", "bad\""]);
    refused(
        "x.tsv",
        b"text\tlabel\n\"a\" b\tx\n",
        auto(),
        &["line 2", "--csv-quoting none"],
    );
    refused(
        "x.tsv",
        b"text\tlabel\n\"a b\tx\n",
        auto(),
        &["line 2", "--csv-quoting none"],
    );
}

#[test]
fn a_quote_that_swallows_lines() {
    let mut lines: Vec<_> = (0..60).map(|i| format!("row {i},{}", i % 2)).collect();
    lines[20] = "\"row 20,0".to_owned();
    lines[23] = "row 23\",1".to_owned();
    let text = format!("text,label\n{}\n", lines.join("\n"));
    let (_folder, rows) = opened("x.csv", text.as_bytes(), auto());
    let (split, notes) = rows.unwrap();
    assert_eq!(split.len(), 57);
    assert_has(
        &notes,
        &[
            "x.csv, line 22",
            "to line 25",
            "1 of 57 rows",
            "--csv-quoting none",
        ],
    );
    let none = csv(|csv| csv.quoting = Some("none".parse().unwrap()));
    let (_folder, rows) = opened("x.csv", text.as_bytes(), none);
    let (split, notes) = rows.unwrap();
    assert_eq!((split.len(), notes.as_str()), (60, ""));
    // Texts with several lines are nothing unusual where many have them.
    let many: String = (0..20).map(|i| format!("\"a\nb\",{i}\n")).collect();
    let (_folder, rows) = opened("x.csv", format!("text,label\n{many}").as_bytes(), auto());
    assert_eq!(rows.unwrap().1, "");
}

#[test]
fn encodings() {
    let little: Vec<u8> = PLAIN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = PLAIN.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
    let by_mark = ["byte order mark"];
    reads("x.csv", &marked(b"\xff\xfe", &little), auto(), &by_mark);
    reads("x.csv", &marked(b"\xfe\xff", &big), auto(), &by_mark);
    reads("x.csv", &little, auto(), &["UTF-16LE", "zero"]);
    reads("x.csv", &big, auto(), &["UTF-16BE", "zero"]);
    let named = csv(|csv| csv.encoding = Some("utf-16be".parse().unwrap()));
    reads("x.csv", &big, named, &[]);
    // A lone surrogate is an error in its row.
    let text = PLAIN.replace("not bad", "not X bad");
    let mut bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = bytes.iter().position(|&b| b == b'X').unwrap();
    bytes[at + 1] = 0xd8;
    let words = ["row 0 (line 2)", "`text`", "UTF-16LE"];
    refused("x.csv", &marked(b"\xff\xfe", &bytes), auto(), &words);
}

#[test]
fn legacy_encodings_are_guessed_from_the_whole_file() {
    let rows: String = (0..3000).map(|i| format!("row {i},{}\n", i % 2)).collect();
    let mut bytes = format!("text,label\n{rows}").into_bytes();
    bytes.extend(b"un caf\xe9 tr\xe8s bon,1\n");
    let (_folder, opened_rows) = opened("x.csv", &bytes, auto());
    let (split, notes) = opened_rows.unwrap();
    assert_eq!(texts(&split)[3000], "un café très bon");
    assert_has(
        &notes,
        &["line 3002", "windows-1252", "\"café\"", "--csv-encoding"],
    );
    let named = csv(|csv| csv.encoding = Some("latin-1".parse().unwrap()));
    let (_folder, named_rows) = opened("x.csv", &bytes, named);
    let (split, notes) = named_rows.unwrap();
    assert_eq!(
        (texts(&split)[3000].as_str(), notes.as_str()),
        ("un café très bon", "")
    );
    let utf8 = csv(|csv| csv.encoding = Some("utf-8".parse().unwrap()));
    refused("x.csv", &bytes, utf8, &["row 3000 (line 3002)", "UTF-8"]);
    // Russian in a legacy encoding.
    let (text, _, _) =
        encoding_rs::WINDOWS_1251.encode("хороший фильм, и актёры тоже\nплохой фильм\n");
    let (_folder, rows) = opened("x.txt", &text, auto());
    let (split, notes) = rows.unwrap();
    assert_eq!(texts(&split)[1], "плохой фильм");
    assert_has(&notes, &["windows-1251"]);
}

#[test]
fn carriage_returns_alone() {
    let text = PLAIN.replace('\n', "\r");
    reads("x.csv", text.as_bytes(), auto(), &["carriage returns"]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 0).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_files() {
    let bytes = PLAIN.as_bytes();
    let (first, second) = bytes.split_at(30);
    for (extension, whole, parts) in [
        ("gz", gzip(bytes), [gzip(first), gzip(second)].concat()),
        (
            "zst",
            zstandard(bytes),
            [zstandard(first), zstandard(second)].concat(),
        ),
    ] {
        let name = format!("train.csv.{extension}");
        reads(&name, &whole, auto(), &[]);
        reads(&name, &parts, auto(), &[]);
        reads("x.csv", &whole, auto(), &["its name does not say so"]);
        refused(
            &name,
            bytes,
            auto(),
            &[&name, "does not begin as such a file does"],
        );
        let cut = &whole[..whole.len() - 3];
        refused(&name, cut, auto(), &[&name, "ends too early"]);
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        refused(&name, &damaged, auto(), &[&name, "not a readable"]);
    }
    let utf16: Vec<u8> = PLAIN.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf16 = gzip(&[b"\xfe\xff", &utf16[..]].concat());
    reads("x.csv.gz", &utf16, auto(), &["UTF-16BE"]);
    let short = gzip(b"text,label\nx,a\ny\n");
    refused(
        "x.csv.gz",
        &short,
        auto(),
        &["x.csv.gz, line 3", "row 1 is too short"],
    );
    refused(
        "x.csv.bz2",
        b"BZh91AY&SY1234",
        auto(),
        &["bzip2", "bunzip2"],
    );
    refused("x.csv", b"PK\x03\x04rest", auto(), &["zip archive"]);
    refused("x.parquet.gz", &gzip(b"x"), auto(), &["gunzip"]);
}

/// A file of a few kilobytes that would decompress to gigabytes is rejected before it does.
#[test]
fn a_bomb() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(b"text,label\n").unwrap();
    for _ in 0..80 {
        encoder.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    refused("x.csv.gz", &bomb, auto(), &["line 2", "longer than 64 MiB"]);
}

#[test]
fn json_arrays() {
    let text = "[ {\"text\": \"not bad\", \"label\": \"a\"},\n {\"label\": \"b\",\n  \"text\": \"hello, world\"} ,{\"text\": \"all \\\"at all\\\"\", \"label\":\"a\"}]\n";
    reads("x.json", text.as_bytes(), auto(), &[]);
    reads(
        "x.jsonl",
        &[b"\xef\xbb\xbf\n", text.as_bytes()].concat(),
        auto(),
        &[],
    );
    reads("x.json.gz", &gzip(text.as_bytes()), auto(), &[]);
    let null = text.replace("\"hello, world\"", "null");
    refused(
        "x.json",
        null.as_bytes(),
        auto(),
        &["row 1 (line 2)", "`text` is null"],
    );
    let broken = text.replace("\"hello, world\"", "hello");
    refused(
        "x.json",
        broken.as_bytes(),
        auto(),
        &["row 1 (line 3)", "expected value"],
    );
    let end = "[{\"text\": \"a\", \"label\": 1},]";
    refused("x.json", end.as_bytes(), auto(), &["line 1", "comma"]);
    refused(
        "x.json",
        &text.as_bytes()[..60],
        auto(),
        &["line 3", "never closed"],
    );
}

#[test]
fn json_that_is_something_else_is_named() {
    let columns = "{\"text\":{\"0\":\"a\",\"1\":\"b\"},\"label\":{\"0\":1,\"1\":0}}";
    refused(
        "x.json",
        columns.as_bytes(),
        auto(),
        &["pandas", "orient='records', lines=True"],
    );
    let lists = "{\"text\":[\"a\",\"b\"],\"label\":[1,0]}";
    refused(
        "x.json",
        lists.as_bytes(),
        auto(),
        &["pandas", "orient='records'"],
    );
    let nested = "{\"version\": 1, \"data\": [{\"text\": \"a\"}]}";
    refused(
        "x.json",
        nested.as_bytes(),
        auto(),
        &["\"data\"", "that list alone"],
    );
    let nan = "{\"text\":\"a\",\"label\":1.5}\n{\"text\":\"NaN\",\"label\": NaN}\n";
    refused(
        "x.jsonl",
        nan.as_bytes(),
        auto(),
        &["row 1 (line 2)", "no NaN"],
    );
    let comma = "{\"text\":\"a\",\"label\":1},\n{\"text\":\"b\",\"label\":0},\n";
    refused(
        "x.jsonl",
        comma.as_bytes(),
        auto(),
        &["row 0 (line 1)", "comma behind the object"],
    );
}

#[test]
fn fasttext() {
    let text = "__label__a not bad\n\n__label__b hello, world\n__label__a all \"at all\"\n";
    reads("train.txt", text.as_bytes(), auto(), &["fastText"]);
    let several = "__label__a __label__b not bad\n__label__b hello\n";
    let (_folder, rows) = opened("train.txt", several.as_bytes(), auto());
    let (split, notes) = rows.unwrap();
    assert_has(&notes, &["several a row (first on line 1)"]);
    let names = Task::MultiLabel(vec!["a".to_owned(), "b".to_owned()]);
    let data = build(&split, Some(&names), 8, None).unwrap();
    assert_eq!(
        data.labels(&[0, 1]).unwrap(),
        Labels::MultiLabel {
            width: 2,
            values: vec![true, true, false, true]
        }
    );
    // As in files to predict: the missing label is only an error where it is needed.
    for without in [
        "__label__a x\nno label\n",
        "__label__a __label__b x\nno label\n",
    ] {
        let (_folder, rows) = opened("x.txt", without.as_bytes(), auto());
        let (split, notes) = rows.unwrap();
        assert_has(&notes, &["some without one (first on line 2)"]);
        assert_eq!(texts(&split), ["x", "no label"]);
        let columns = Columns::resolve(&split, &[], &[], true).unwrap();
        let error = infer_task(&[&split], &columns, None, None).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("x.txt, row 1 (line 2)"), "{error}");
    }
    let (_folder, rows) = opened("x.txt", b"text\n__label__a x\n", auto());
    assert_eq!(texts(&rows.unwrap().0), ["text", "__label__a x"]);
}

/// Rows in the middle of a file are found by reading it from the start.
#[test]
fn slices_of_every_kind() {
    let rows: Vec<String> = (0..3000).map(|i| format!("row {i}")).collect();
    let csv = format!(
        "text;label\n{}",
        rows.iter().map(|r| format!("{r};x\n")).collect::<String>()
    );
    let array: Vec<_> = rows
        .iter()
        .map(|r| format!("{{\"text\":\"{r}\"}}"))
        .collect();
    let array = format!("[{}]", array.join(",\n"));
    let fast: String = rows.iter().map(|r| format!("__label__x {r}\n")).collect();
    let folder = folder(&[("b.json", &array), ("c.txt", &fast)]);
    std::fs::write(folder.path().join("a.csv.gz"), gzip(csv.as_bytes())).unwrap();
    for name in ["a.csv.gz", "b.json", "c.txt"] {
        let split = Dataset::open(path(&folder, name)).and_then(|d| d.split("train[1500:2600]"));
        let split = split.unwrap();
        assert_eq!(texts(&split), rows[1500..2600], "{name}");
        let places = split.read(&["text"]).unwrap().next().unwrap().unwrap();
        assert_eq!(places.place(0).unwrap().row, 1500);
        let line = if name == "a.csv.gz" { 1502 } else { 1501 };
        assert_eq!(places.place(0).unwrap().line, Some(line), "{name}");
    }
}

/// The same bytes read in two ways are different rows, also for the token cache.
#[test]
fn content_hashes_know_how_a_file_was_read() {
    let text = "text,label\n\"a\",x\nb;c,y\n";
    let hash = |csv: CsvOptions| {
        let (_folder, rows) = opened("x.csv", text.as_bytes(), csv);
        rows.unwrap().0.content_hash().unwrap()
    };
    let none = csv(|csv| csv.quoting = Some("none".parse().unwrap()));
    assert_ne!(hash(none), hash(auto()));
    assert_eq!(
        hash(auto()),
        hash(csv(|csv| csv.delimiter = Some(",".parse().unwrap())))
    );
}

#[test]
fn scans_stop_when_asked() {
    let folder = folder(&[("x.csv", PLAIN), ("x.jsonl", "{\"text\":\"a\"}\n")]);
    for name in ["x.csv", "x.jsonl"] {
        let options = ReadOptions {
            stop: Stop::when(|| true),
            ..ReadOptions::default()
        };
        let stopped = Dataset::open_with(path(&folder, name), &options)
            .and_then(|dataset| dataset.split("train"));
        assert_has(&message(stopped), &["stopped on request"]);
    }
}

/// Forty thousand columns are no more work than the same number of fields in rows.
#[test]
fn many_columns() {
    let names: Vec<_> = (0..40_000).map(|i| format!("c{i}")).collect();
    let row = |n: usize| vec![n.to_string(); 40_000].join(",");
    let text = format!(
        "text,{}\nhello,{}\nworld,{}\n",
        names.join(","),
        row(1),
        row(2)
    );
    let (_folder, rows) = opened("x.csv", text.as_bytes(), auto());
    let split = rows.unwrap().0;
    assert_eq!(texts(&split), ["hello", "world"]);
    let batch = split.batches().unwrap().next().unwrap().unwrap();
    assert_eq!((batch.num_columns(), batch.num_rows()), (40_001, 2));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_said_at_once() {
    let folder = folder(&[]);
    std::fs::create_dir(folder.path().join("d.csv")).unwrap();
    let socket = path(&folder, "s.csv");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let open = |path: &str| message(Dataset::open(path));
    assert_has(&open(&socket), &["s.csv: this is a socket"]);
    assert_has(
        &open("/dev/null"),
        &["/dev/null: this is a device", "into a file first"],
    );
    let file = message(Dataset::open_file(&folder.path().join("d.csv")));
    assert_has(&file, &["d.csv: this is a directory", "name a file in it"]);
    let made = std::process::Command::new("mkfifo")
        .arg(path(&folder, "p.csv"))
        .status();
    if made.is_ok_and(|status| status.success()) {
        assert_has(&open(&path(&folder, "p.csv")), &["p.csv: this is a pipe"]);
    }
}
