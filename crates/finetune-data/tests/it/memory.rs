//! Peak memory does not grow with the number of rows. The work is done by the example `memory` in a
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

fn peak_megabytes(rows: u64, format: &str) -> f64 {
    let mut command = Command::new(example());
    let output = command.args([&rows.to_string(), format]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains(&format!("{rows} rows in one epoch")),
        "{text}"
    );
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("peak memory: "))
        .unwrap();
    line.trim_end_matches(" MB").parse().unwrap()
}

#[test]
fn peak_memory_is_flat() {
    if cfg!(debug_assertions) || !example().exists() {
        eprintln!("skipped: needs `cargo test --release` with the examples built");
        return;
    }
    for format in ["parquet", "csv", "jsonl"] {
        let (few, many) = (
            peak_megabytes(10_000, format),
            peak_megabytes(300_000, format),
        );
        eprintln!("{format}: {few:.1} MB for 10,000 rows, {many:.1} MB for 300,000 rows");
        assert!(many - few < 50.0, "{format}: {few} MB against {many} MB");
    }
}
