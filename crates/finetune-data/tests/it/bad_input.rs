//! Every mistake in the input gives one clear message that names the file and the place; nothing
//! panics.

use std::fs::File;
use std::sync::Arc;

use finetune_data::arrow::array::{ArrayRef, BinaryArray, Int64Array, ListArray, StringArray};
use finetune_data::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use finetune_data::arrow::ipc::writer::{FileWriter, StreamWriter};
use finetune_data::{Columns, Dataset, LabelDecoder, Task, infer_task, write_parquet};

use crate::common::{
    assert_has, build, everything, folder, message, open, parquet, path, record_batch, tokenizer,
};

#[track_caller]
fn check(name: &str, content: &str, parts: &[&str]) {
    let (_folder, split) = open(name, content);
    let text = message(everything(split));
    assert_has(&text, parts);
    assert!(!text.contains('\n'), "{text}");
}

#[test]
fn files() {
    let folder = folder(&[
        ("reviews.csv", "text\nx\n"),
        ("empty.csv", ""),
        ("x.pdf", "x"),
        ("sub/x.pdf", "x"),
    ]);
    let open = |name: &str| message(Dataset::open(path(&folder, name)));
    assert_has(
        &open("review.csv"),
        &["review.csv: no such file", "did you mean reviews.csv?"],
    );
    assert_has(&open("nowhere/x.csv"), &["nowhere does not exist either"]);
    assert_has(&open("empty.csv"), &["empty.csv: the file is empty"]);
    assert_has(&open("x.pdf"), &["unknown format", ".parquet", ".csv"]);
    assert_has(&open("sub"), &["no data file here", ".jsonl"]);
    assert_has(&open("*.nope"), &["no data file here"]);
    assert_has(&open("a[.csv"), &["not a valid glob"]);
}

#[test]
fn csv() {
    check(
        "x.csv",
        "text,label\n\"ok\",a\n\"broken,b\nmore,a\n",
        &["x.csv, line 3", "never closed"],
    );
    check(
        "x.csv",
        "text,label\n\"a\" b,a\n",
        &["x.csv, line 2", "broken quote", "\"\""],
    );
    check(
        "x.csv",
        "text,label\nx,a\ny\n",
        &[
            "line 3",
            "row 1 is too short: 1 fields",
            "has 2 (text, label)",
        ],
    );
    check(
        "x.csv",
        "text,label\n\"two\nlines\",a\nhello, you,b\n",
        &["line 4", "row 1 is too long: 3 fields", "quotes"],
    );
    check(
        "x.tsv",
        "text\tlabel\nx\ta\tb\n",
        &["too long", "a text with a tab"],
    );
    check("x.csv", "text,text\nx,a\n", &["line 1", "\"text\" twice"]);
    check("x.csv", "text,label\n", &["selects nothing", "has 0 rows"]);
    check("x.csv", "\n\n", &["empty"]);
    check(
        "x.csv",
        "text,label\n,a\nb,b\n",
        &["x.csv, row 0 (line 2)", "`text` is null"],
    );
    check(
        "x.csv",
        "text,label\na,a\nb,\n",
        &["row 1 (line 3)", "`label` is null"],
    );
    check(
        "x.csv",
        "body,stars\na,1\n",
        &["the label", "body (string), stars (string)"],
    );
    check(
        "x.csv",
        "a,label\nx,1\n",
        &["which column holds the text", "a (string), label (string)"],
    );
}

#[test]
fn invalid_utf8() {
    let folder = folder(&[]);
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        message(everything(
            Dataset::open(path(&folder, name)).and_then(|d| d.split("train")),
        ))
    };
    let csv = write(
        "x.csv",
        b"text,label\ncaf\xc3\xa9,a\n\"multi\nline\",b\ncaf\xe9,a\n",
    );
    assert_has(
        &csv,
        &[
            "x.csv, row 2 (line 5): column `text` is not valid UTF-8",
            "convert",
        ],
    );
    // Half a character at the end of one field, the other half at the start of the next.
    let csv = write("x.csv", b"text,label\n\xc3\xa9\xc3\xa9,a\n\xc3,\xa9\n");
    assert_has(&csv, &["row 1 (line 3): column `text`", "--csv-encoding"]);
    let json = write("x.jsonl", b"{\"text\":\"a\"}\n\n{\"text\":\"\xff\"}\n");
    assert_has(
        &json,
        &["x.jsonl, row 1 (line 3): byte 10 of the line is not valid UTF-8"],
    );

    // A Parquet file whose string column holds arbitrary bytes, as careless writers produce it.
    let values: Vec<&[u8]> = (0..3000)
        .map(|i| if i == 2345 { &b"\xff\xfe"[..] } else { b"ok" })
        .collect();
    let batch = record_batch(vec![
        ("text", Arc::new(BinaryArray::from(values)) as ArrayRef),
        (
            "label",
            Arc::new(Int64Array::from_iter_values((0..3000).map(|i| i % 2))),
        ),
    ]);
    let file = folder.path().join("x.parquet");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(File::create(&file).unwrap(), batch.schema(), None)
            .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let split = |name: &str| Dataset::open(path(&folder, name)).and_then(|d| d.split("train"));
    assert_has(
        &message(everything(split("x.parquet"))),
        &["x.parquet, row 2345: column `text`, which holds bytes, is not valid UTF-8"],
    );
    mark_as_string(&file, &batch.schema());
    assert_has(
        &message(everything(split("x.parquet"))),
        &["x.parquet, row 2345: column `text` is not valid UTF-8"],
    );
}

/// Rewrites the binary column as a Parquet string column without checking it.
fn mark_as_string(file: &std::path::Path, schema: &Schema) {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    let definition = "message schema { REQUIRED BYTE_ARRAY text (UTF8); REQUIRED INT64 label; }";
    let parsed = Arc::new(parquet::schema::parser::parse_message_type(definition).unwrap());
    assert_eq!(schema.fields().len(), 2);
    let mut writer =
        SerializedFileWriter::new(File::create(file).unwrap(), parsed, Default::default()).unwrap();
    for start in [0, 1500] {
        let mut group = writer.next_row_group().unwrap();
        let texts: Vec<ByteArray> = (start..start + 1500)
            .map(|i| {
                if i == 2345 {
                    vec![0xff, 0xfe].into()
                } else {
                    b"ok".to_vec().into()
                }
            })
            .collect();
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<ByteArrayType>()
            .write_batch(&texts, None, None)
            .unwrap();
        column.close().unwrap();
        let labels: Vec<i64> = (start..start + 1500).map(|i| i % 2).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<Int64Type>()
            .write_batch(&labels, None, None)
            .unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn json_lines() {
    check(
        "x.jsonl",
        "{\"text\":\"a\"}\n{\"text\":\n",
        &["x.jsonl, row 1 (line 2)", "expected a JSON object"],
    );
    check(
        "x.json",
        "[[\"a\", 1]]",
        &["row 0 (line 1)", "expected an object"],
    );
    check(
        "x.json",
        "{\n \"text\": \"a\"\n}\n",
        &["line 1", "must stand on one line"],
    );
    check(
        "x.jsonl",
        "{\"text\":\"a\"} trailing\n",
        &["line 1", "column 14"],
    );
    check("x.jsonl", "3\n", &["line 1", "expected a JSON object"]);
    check(
        "x.jsonl",
        "{\"text\":\"a\",\"label\":1}\n{\"label\":0}\n",
        &["row 1 (line 2)", "`text` is null"],
    );
    check(
        "x.jsonl",
        "{\"text\":\"a\",\"label\":{\"x\":1}}\n",
        &["`label` has type struct", "integers, strings"],
    );
    check("x.jsonl", &("[".repeat(100_000) + "\n"), &["never closed"]);
    check(
        "x.jsonl",
        &format!("{{\"text\":{}1\n", "[".repeat(100_000)),
        &["line 1", "column 1000"],
    );
}

#[test]
fn parquet_and_ipc() {
    let folder = folder(&[
        ("text.parquet", "this is not parquet"),
        ("text.arrow", "this is not arrow at all"),
    ]);
    let run = |name: &str| {
        message(everything(
            Dataset::open(path(&folder, name)).and_then(|d| d.split("train")),
        ))
    };
    assert_has(
        &run("text.parquet"),
        &[
            "text.parquet: not a readable Parquet file",
            "begins like a text",
        ],
    );
    assert_has(
        &run("text.arrow"),
        &[
            "text.arrow: not a readable Arrow IPC file",
            "begins like a text",
        ],
    );
    let file = folder.path().join("x.parquet");
    parquet(&file, &["a", "b"], &[Some(1), None], &[]);
    assert_has(&run("x.parquet"), &["x.parquet, row 1", "`label` is null"]);
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, &good[..good.len() / 2]).unwrap();
    assert_has(
        &run("x.parquet"),
        &["x.parquet: not a readable Parquet file", "cut short"],
    );

    let texts = Arc::new(StringArray::from(vec![Some("a"), None]));
    let labels = Arc::new(Int64Array::from(vec![0, 1]));
    let batch = record_batch(vec![("text", texts), ("label", labels)]);
    let mut writer = FileWriter::try_new(
        File::create(folder.path().join("x.feather")).unwrap(),
        &batch.schema(),
    )
    .unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    assert_has(&run("x.feather"), &["x.feather, row 1", "`text` is null"]);
    let good = std::fs::read(folder.path().join("x.feather")).unwrap();
    std::fs::write(folder.path().join("x.feather"), &good[..good.len() / 2]).unwrap();
    assert_has(
        &run("x.feather"),
        &["x.feather: not a readable Arrow IPC file"],
    );
}

/// Bytes damaged anywhere give an error or rows, but never a panic.
#[test]
fn damaged_binary_files_do_not_panic() {
    let folder = folder(&[]);
    let texts: Vec<String> = (0..200).map(|i| format!("text {}", i % 13)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let labels: Vec<_> = (0..200).map(|i| Some(i % 2)).collect();
    let lists = (0..200).map(|i| Some((0..i % 3).map(Some)));
    let batch = record_batch(vec![
        ("text", Arc::new(StringArray::from(texts)) as ArrayRef),
        ("label", Arc::new(Int64Array::from(labels))),
        (
            "tags",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists)),
        ),
    ]);
    let file = folder.path().join("x.parquet");
    write_parquet(&file, &batch.schema(), &[], [Ok(batch.clone())]).unwrap();
    let schema = Task::MultiLabel(vec!["a".to_owned(), "b".to_owned()]);
    let columns = Columns {
        text: vec!["text".to_owned()],
        label: vec!["tags".to_owned()],
        ..Columns::default()
    };
    let arrow = folder.path().join("x.ipc");
    let mut writer = FileWriter::try_new(File::create(&arrow).unwrap(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let stream = folder.path().join("x.arrow");
    let mut writer =
        StreamWriter::try_new(File::create(&stream).unwrap(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    for file in [file, arrow, stream] {
        let good = std::fs::read(&file).unwrap();
        let (mut errors, mut step) = (0, 0usize);
        for at in 0..good.len() {
            for flip in [0x01u8, 0x80, 0xff] {
                step += 1;
                if step % 3 != 0 && good.len() > 2000 {
                    continue;
                }
                let mut bytes = good.clone();
                bytes[at] ^= flip;
                std::fs::write(&file, &bytes).unwrap();
                let run = || {
                    let split = Dataset::open_file(&file)?.split("train")?;
                    let decoder = LabelDecoder::new(&schema, &split, &columns)?;
                    let mut rows = split.read(&["text", "label", "tags"])?;
                    rows.try_for_each(|rows| decoder.decode(&rows?).map(drop))
                };
                let outcome = std::panic::catch_unwind(run);
                let outcome =
                    outcome.unwrap_or_else(|_| panic!("{} at {at} ^ {flip}", file.display()));
                errors += usize::from(outcome.is_err());
            }
        }
        assert!(errors > 50, "{errors}");
    }
}

#[test]
fn columns() {
    let resolve = |header: &str, text: &[&str], label: &[&str], required: bool| {
        let values = vec!["x"; header.split(',').count()].join(",");
        let (_folder, split) = open("x.csv", &format!("{header}\n{values}\n"));
        let text: Vec<String> = text.iter().map(|t| (*t).to_owned()).collect();
        let label: Vec<String> = label.iter().map(|l| (*l).to_owned()).collect();
        Columns::resolve(&split.unwrap(), &text, &label, required)
    };
    let found = |header: &str| {
        let columns = resolve(header, &[], &[], false).unwrap();
        (columns.text.join("+"), columns.label.join("+"))
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(found("text,label"), pair("text", "label"));
    assert_eq!(
        found("idx,sentence2,sentence1,labels"),
        pair("sentence1+sentence2", "labels")
    );
    assert_eq!(
        found("premise,hypothesis,label"),
        pair("premise+hypothesis", "label")
    );
    assert_eq!(
        found("question,answer,class"),
        pair("question+answer", "class")
    );
    assert_eq!(found("Text,Label"), pair("Text", "Label"));
    assert_eq!(found("review,sentiment"), pair("review", "sentiment"));
    assert_eq!(found("text,label,target"), pair("text", "label"));
    assert_eq!(found("text"), pair("text", ""));
    let error = |header, text: &[&str], label| message(resolve(header, text, label, true));
    assert_has(
        &error("content,review,label", &[], &[]),
        &["content, review", "--text-column"],
    );
    assert_has(
        &error("text,class,target", &[], &[]),
        &["class, target", "--label-column"],
    );
    assert_has(
        &error("text,stars", &[], &[]),
        &["label, labels, class or target", "text (string), stars"],
    );
    assert_has(
        &error("text,label", &["txt"], &[]),
        &["no column `txt`", "text (string), label (string)"],
    );
    assert_has(
        &error("text,label", &[], &["stars"]),
        &["no column `stars`"],
    );
    assert_has(
        &error("text,label", &["text"], &["text"]),
        &["text and label at once"],
    );
    assert_has(&error("text,label", &["text", "text"], &[]), &["twice"]);
    assert_has(
        &error("a,b,c,label", &["a", "b", "c"], &[]),
        &["3 text columns"],
    );
    assert_has(
        &error("text,x,y", &[], &["x", "y", "x"]),
        &["`x` was named twice as label"],
    );
    let several = resolve("text,x,Y", &[], &["x", "y"], true).unwrap();
    assert_eq!(several.label, ["x", "Y"]);
    // A number is not a text.
    let (_folder, split) = open("x.jsonl", "{\"text\":5,\"label\":1}\n");
    let split = split.unwrap();
    assert_has(
        &message(Columns::resolve(&split, &["text".to_owned()], &[], true)),
        &["column `text` has type int64, but the text needs strings"],
    );
    let schema = Schema::new(vec![Field::new("text", DataType::Utf8, true)]);
    assert_eq!(schema.fields().len(), 1);
    let labels = Task::Classes(vec!["a".to_owned(), "b".to_owned()]);
    let (_folder, split) = open("x.csv", "text\nx\n");
    let split = split.unwrap();
    let columns = Columns::resolve(&split, &[], &[], false).unwrap();
    let error = infer_task(&[&split], &columns, None, None);
    assert_has(&message(error), &["which column holds the label"]);
    assert!(build(&split, None, 8, None).is_ok() && labels.num_labels() == 2);
}

#[test]
fn tokenizers() {
    use finetune_data::TextTokenizer;
    let folder = folder(&[
        ("tokenizer.json", "{\"version\":\"1.0\"}"),
        ("model.json", "no json"),
    ]);
    for name in ["tokenizer.json", "model.json"] {
        let error = message(TextTokenizer::from_file(path(&folder, name)).map(drop));
        assert_has(&error, &[name, "not a usable tokenizer.json"]);
    }
    let missing = message(TextTokenizer::from_file(path(&folder, "none.json")).map(drop));
    assert_has(&missing, &["none.json", "cannot read"]);
    let (_folder, split) = open("x.csv", "text\nx\n");
    assert_has(
        &message(build(&split.unwrap(), None, 2, None)),
        &["leaves no room"],
    );
    assert!(tokenizer().vocab_size() > 100);
}
