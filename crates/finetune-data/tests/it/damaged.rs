//! Small files of every format, damaged in thousands of ways, give rows or an error, but never a
//! panic, an endless loop, or an allocation of whatever size the file claims.
//!
//! `FINETUNE_DAMAGED=100000` tries that many variants of each format.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use finetune_data::arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use finetune_data::arrow::datatypes::Int64Type;
use finetune_data::arrow::ipc::CompressionType;
use finetune_data::arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use finetune_data::{Columns, Dataset, Result, Task, infer_task};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::common::{assert_has, build, folder, message, path, record_batch};

const ROWS: usize = 60;
/// No damaged file of a few kilobytes may claim this many rows.
const MOST_ROWS: u64 = 100_000_000;

fn rows() -> RecordBatch {
    let texts: Vec<String> = (0..ROWS).map(|i| format!("text é {}", i % 13)).collect();
    let labels: Vec<i64> = (0..ROWS as i64).map(|i| i % 2).collect();
    let lists = (0..ROWS).map(|i| Some((0..i as i64 % 3).map(Some)));
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
    record_batch(vec![
        ("text", Arc::new(StringArray::from(texts)) as ArrayRef),
        ("label", Arc::new(Int64Array::from(labels))),
        ("tags", Arc::new(lists)),
    ])
}

fn arrow(path: &Path, stream: bool, compression: Option<CompressionType>) {
    let (file, batch) = (File::create(path).unwrap(), rows());
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    if stream {
        let mut writer =
            StreamWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
        writer.write(&batch.slice(0, 20)).unwrap();
        writer.write(&batch.slice(20, 40)).unwrap();
        writer.finish().unwrap();
    } else {
        let mut writer = FileWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    }
}

fn parquet_file(path: &Path, compression: Compression) {
    let batch = rows();
    let properties = WriterProperties::builder().set_compression(compression);
    let properties = properties.set_max_row_group_row_count(Some(25)).build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Writes files of every format with the same rows into this folder.
fn files(folder: &Path) -> Vec<String> {
    let (mut csv, mut json, mut fast) = ("text,label\n".to_owned(), Vec::new(), String::new());
    for i in 0..ROWS {
        csv += &format!("\"text \"\"é\"\", {}\",{}\n", i % 13, i % 2);
        json.push(format!(
            "{{\"text\": \"é \\\" {i}\", \"label\": {}}}",
            i % 2
        ));
        fast += &format!("__label__{} text é {i}\n", i % 2);
    }
    let lines = json.join("\n");
    let utf16: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(csv.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(csv.as_bytes()).unwrap();
    let texts: [(&str, Vec<u8>); 8] = [
        ("a.csv", csv.clone().into()),
        ("a.tsv", csv.replace(',', "\t").into()),
        ("a.jsonl", lines.clone().into()),
        ("b.json", format!("[{}]", json.join(",\n")).into()),
        ("a.txt", fast.into()),
        ("b.csv", utf16),
        ("c.csv.gz", gzip.finish().unwrap()),
        (
            "d.jsonl.zst",
            zstd::encode_all(lines.as_bytes(), 0).unwrap(),
        ),
    ];
    for (name, bytes) in texts {
        fs::write(folder.join(name), bytes).unwrap();
    }
    arrow(&folder.join("a.arrow"), true, None);
    arrow(&folder.join("b.arrow"), true, Some(CompressionType::ZSTD));
    arrow(
        &folder.join("c.feather"),
        false,
        Some(CompressionType::LZ4_FRAME),
    );
    arrow(&folder.join("d.ipc"), false, None);
    let codecs = [
        ("a", Compression::UNCOMPRESSED),
        ("b", Compression::SNAPPY),
        ("c", Compression::GZIP(GzipLevel::default())),
        ("d", Compression::BROTLI(BrotliLevel::default())),
        ("e", Compression::ZSTD(ZstdLevel::default())),
        ("f", Compression::LZ4_RAW),
        ("g", Compression::LZ4),
    ];
    for (name, codec) in codecs {
        parquet_file(&folder.join(format!("{name}.parquet")), codec);
    }
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Reads everything that a run reads of a file and returns the number of rows.
fn read(path: &str) -> Result<u64> {
    let split = Dataset::open(path)?.split("train")?;
    assert!(split.len() < MOST_ROWS, "{path}: {} rows", split.len());
    for batch in split.batches()? {
        batch?;
    }
    let columns = Columns::resolve(&split, &[], &[], true)?;
    infer_task(&[&split], &columns, None, None)?;
    split
        .texts(&columns)?
        .try_fold(0, |count, row| row.map(|_| count + 1))
}

/// Generates numbers that look random but are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Changes one or more bytes, truncates, duplicates, or overwrites eight bytes with a large number.
fn damage(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    match numbers.below(6) {
        0 => bytes.truncate(at.max(1)),
        1 => bytes[at] ^= 1 << numbers.below(8),
        2 => bytes[at] = numbers.below(256) as u8,
        3 => {
            for byte in bytes[at..].iter_mut().take(4 + numbers.below(12)) {
                *byte = numbers.below(256) as u8;
            }
        }
        4 => {
            let large = [u64::MAX, 1 << 62, 1 << 40, 1 << 31, u32::MAX.into()];
            let large = large[numbers.below(large.len())].to_le_bytes();
            for (byte, new) in bytes[at / 8 * 8..].iter_mut().zip(large) {
                *byte = new;
            }
        }
        _ => {
            let end = (at + 1 + numbers.below(64)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
    }
}

/// Runs in a process of its own with two threads, so that its peak memory does not depend on other
/// tests or on the number of cores.
#[test]
fn damaged_files_of_every_format() {
    const ALONE: &str = "FINETUNE_DAMAGED_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "damaged::damaged_files_of_every_format";
        let alone = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--test-threads=1"])
            .envs([(ALONE, "1"), ("RAYON_NUM_THREADS", "2")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(alone.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    let folder = folder(&[]);
    let names = files(folder.path());
    let asked = std::env::var("FINETUNE_DAMAGED").ok();
    let times: usize = asked.and_then(|n| n.parse().ok()).unwrap_or(150);
    let (mut refused, mut all) = (0, 0);
    for (seed, name) in names.iter().enumerate() {
        let good = fs::read(folder.path().join(name)).unwrap();
        assert_eq!(read(&path(&folder, name)).unwrap(), ROWS as u64, "{name}");
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1));
        let bad = folder.path().join(format!("bad-{name}"));
        for _ in 0..times {
            let mut bytes = good.clone();
            (0..1 + numbers.below(2)).for_each(|_| damage(&mut bytes, &mut numbers));
            fs::write(&bad, &bytes).unwrap();
            refused += usize::from(read(bad.to_str().unwrap()).is_err());
            all += 1;
        }
    }
    assert_eq!(names.len(), 19);
    assert!(refused > all / 4, "{refused} of {all} refused");
    // Believing a claimed size would take gigabytes.
    if let Some(peak) = peak_megabytes() {
        assert!(peak < 1500.0, "{peak} MB");
    }
}

/// Returns the peak resident memory of this process (Linux).
fn peak_megabytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// A compressed buffer claims its decompressed length, and a batch its number of rows.
#[test]
fn sizes_that_cannot_be_true() {
    let folder = folder(&[]);
    let file = folder.path().join("x.arrow");
    for compression in [CompressionType::ZSTD, CompressionType::LZ4_FRAME] {
        arrow(&file, true, Some(compression));
        let good = fs::read(&file).unwrap();
        // The uncompressed length of the texts precedes a compressed frame.
        let magic: &[u8] = match compression {
            CompressionType::ZSTD => &[0x28, 0xb5, 0x2f, 0xfd],
            _ => &[0x04, 0x22, 0x4d, 0x18],
        };
        let frame = good.windows(4).position(|bytes| bytes == magic).unwrap();
        let mut bad = good.clone();
        bad[frame - 8..frame].copy_from_slice(&(1u64 << 48).to_le_bytes());
        fs::write(&file, &bad).unwrap();
        let text = message(read(file.to_str().unwrap()));
        assert_has(
            &text,
            &["x.arrow: not a readable Arrow IPC file", "claims to hold"],
        );
    }
    // The first batch has twenty rows, which gives its length and those of its nodes.
    arrow(&file, true, None);
    let good = fs::read(&file).unwrap();
    let twenty = 20u64.to_le_bytes();
    for huge in [1u64 << 50, 1_000_000_000] {
        let mut bad = good.clone();
        let at = |bytes: &[u8]| bytes.windows(8).position(|found| found == twenty);
        let mut changed = 0;
        while let Some(place) = at(&bad) {
            bad[place..place + 8].copy_from_slice(&huge.to_le_bytes());
            changed += 1;
        }
        assert!(changed > 0);
        fs::write(&file, &bad).unwrap();
        let text = message(read(file.to_str().unwrap()));
        assert_has(&text, &["x.arrow: not a readable Arrow IPC file"]);
    }
    // The batch has rows but no columns.
    let classes = Task::Classes(vec!["0".to_owned(), "1".to_owned()]);
    fs::write(&file, &good).unwrap();
    let split = Dataset::open_file(&file).unwrap().split("train").unwrap();
    assert_eq!(build(&split, Some(&classes), 8, None).unwrap().len(), 60);
}
