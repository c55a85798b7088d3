//! The ways in which people lay out the files of a data set.

use finetune_data::{Columns, Dataset, infer_task};

use crate::common::{assert_has, everything, folder, message, path, texts};

const ROWS: &str = "text,label\na,x\nb,y\n";

fn notes(dataset: &Dataset) -> String {
    let notes: Vec<_> = dataset.notes().iter().map(ToString::to_string).collect();
    notes.join("\n")
}

#[test]
fn several_validation_files() {
    let folder = folder(&[
        ("train.csv", ROWS),
        ("validation_matched.csv", "text,label\nm,x\n"),
        ("validation_mismatched.csv", "text,label\nn,y\n"),
    ]);
    let dataset = Dataset::open(path(&folder, "")).unwrap();
    let names = ["train", "validation_matched", "validation_mismatched"];
    assert_eq!(dataset.split_names(), names);
    let both = dataset.split("validation_mismatched+validation_matched");
    assert_eq!(texts(&both.unwrap()), ["n", "m"]);
    let (name, note) = dataset.default_split("validation").unwrap();
    assert_eq!(name, "validation_matched");
    let note = note.unwrap().to_string();
    assert_has(&note, &["validation_mismatched", "--validation-split"]);
    assert_eq!(dataset.default_split("train").unwrap().0, "train");
    assert!(dataset.default_split("test").is_none());
}

#[test]
fn part_files_of_spark() {
    let folder = folder(&[
        ("_SUCCESS", ""),
        (".part-00000-6f1c.csv.crc", "x"),
        ("part-00000-6f1c2a7e-11aa-c000.csv", ROWS),
        ("part-00001-6f1c2a7e-11aa-c000.csv", "text,label\nc,x\n"),
        ("~$part.csv", "x"),
    ]);
    let dataset = Dataset::open(path(&folder, "")).unwrap();
    assert_eq!(dataset.split_names(), ["train"]);
    assert_eq!(texts(&dataset.split("train").unwrap()), ["a", "b", "c"]);
    assert_has(&notes(&dataset), &["part-00000", "1 other part"]);
}

#[test]
fn folders_of_splits_and_deeper_ones() {
    let nested = folder(&[
        ("export/train.csv/part-00000.csv", ROWS),
        ("export/train.csv/more/part-00001.csv", "text,label\nc,x\n"),
        ("export/test/x.csv", ROWS),
        ("other/readme.md", "x"),
    ]);
    let dataset = Dataset::open(path(&nested, "")).unwrap();
    assert_eq!(dataset.split_names(), ["train", "test"]);
    assert_eq!(dataset.split("train").unwrap().len(), 3);
    assert_has(&notes(&dataset), &["export"]);
    let two = folder(&[("a/train.csv", ROWS), ("b/train.csv", ROWS)]);
    assert_has(
        &message(Dataset::open(path(&two, ""))),
        &["several of its folders hold data", "name one"],
    );
    let hive = folder(&[("train/label=x/part-0.csv", "text\na\n")]);
    assert_has(&message(Dataset::open(path(&hive, ""))), &["partition"]);
}

#[test]
fn a_folder_for_each_class() {
    let folder = folder(&[
        ("README", "reviews"),
        ("imdbEr.txt", "0.1"),
        ("train/urls_pos.txt", "http"),
        ("train/pos/10_8.txt", "good\nfilm"),
        ("train/pos/2_9.txt", "great"),
        ("train/neg/1_1.txt", "bad"),
        ("train/unsup/1_0.txt", "who knows"),
        ("test/pos/1.txt", "fine"),
        ("test/neg/1.txt", "dull"),
    ]);
    let dataset = Dataset::open(path(&folder, "")).unwrap();
    assert_eq!(dataset.split_names(), ["train", "test"]);
    let train = dataset.split("train").unwrap();
    assert_eq!(texts(&train), ["bad", "great", "good\nfilm"]);
    let words = ["labels: neg, pos", "train/unsup: left out"];
    assert_has(&notes(&dataset), &words);
    let columns = Columns::resolve(&train, &[], &[], true).unwrap();
    let labels = infer_task(&[&train], &columns, None, None).unwrap();
    assert_eq!(labels.names(), ["neg", "pos"]);
    let last = dataset.split("train[2:]").unwrap();
    assert_eq!(texts(&last), ["good\nfilm"]);
    let hashes = train.file_hashes().unwrap();
    assert_eq!((hashes.len(), hashes[0].1), (1, 17));
    let alone = Dataset::open(path(&folder, "train")).unwrap();
    assert_eq!(texts(&alone.split("train").unwrap()).len(), 3);
    std::fs::write(folder.path().join("test/neg/1.txt"), b"\xff\xfe").unwrap();
    let dataset = Dataset::open(path(&folder, "")).unwrap();
    let bad = message(everything(dataset.split("test")));
    assert_has(&bad, &["test/neg/1.txt", "not valid UTF-8"]);
}
