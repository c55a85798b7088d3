//! Peak memory does not grow with the number of rows, nor does the time that each takes. The work is done by the example `memory` in a
//! process of its own, whose peak is its own. `cargo run --release --example memory 5000000` takes
//! minutes; here the ratio is 30.

use std::path::PathBuf;
use std::process::Command;

/// `target/PROFILE/examples/memory`, which `cargo test` builds with the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join("memory")
}

/// What a run of the example took.
struct Cost {
    peak_megabytes: f64,
    /// Rows of an epoch, sampled and batched, per second.
    rows_per_second: f64,
}

fn cost(rows: u64, format: &str) -> Cost {
    let mut command = Command::new(example());
    let output = command.args([&rows.to_string(), format]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let number = |start: &str, end: &str| -> f64 {
        let after = |line: &'_ str| Some(line.strip_prefix(start)?.to_owned());
        let line = text.lines().find_map(after);
        let line = line.unwrap_or_else(|| panic!("no {start:?} in {text}"));
        line.trim_end_matches(end).parse().unwrap()
    };
    Cost {
        peak_megabytes: number("peak memory: ", " MB"),
        rows_per_second: number(&format!("{rows} rows in one epoch at "), " rows/s"),
    }
}

#[test]
fn memory_and_time_per_row_are_flat() {
    if cfg!(debug_assertions) || !example().exists() {
        eprintln!("skipped: needs `cargo test --release` with the examples built");
        return;
    }
    for format in ["parquet", "csv", "jsonl"] {
        let (few, many) = (cost(10_000, format), cost(300_000, format));
        let (before, after) = (few.peak_megabytes, many.peak_megabytes);
        eprintln!("{format}: {before:.1} MB for 10,000 rows, {after:.1} MB for 300,000 rows");
        assert!(
            after - before < 50.0,
            "{format}: {before} MB against {after} MB"
        );
        // A quiet machine gives a ratio of about 1; what grows with the rows would give 30.
        let (before, after) = (few.rows_per_second, many.rows_per_second);
        assert!(
            3.0 * after > before,
            "{format}: {before} rows/s against {after}"
        );
    }
}
