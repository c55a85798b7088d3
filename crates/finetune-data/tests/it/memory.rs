//! Neither peak memory nor the time per row grows with the number of rows. The example `memory`
//! does the work in a process of its own, so that the peak is its own. `cargo run --release
//! --example memory 5000000` takes minutes; here the ratio of rows is 30.

use std::path::PathBuf;
use std::process::Command;

/// Returns the path `target/PROFILE/examples/memory`, which `cargo test` builds with the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join("memory")
}

/// The resources that a run of the example used, where this system reports them.
struct Cost {
    peak_megabytes: Option<f64>,
    /// Processor time for sampling and batching one row of an epoch.
    seconds_per_row: Option<f64>,
}

fn cost(rows: u64, format: &str) -> Cost {
    let mut command = Command::new(example());
    command.args([&rows.to_string(), format]);
    // Every thread has buffers of its own, which few rows do not fill.
    command.env("RAYON_NUM_THREADS", "2");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains(&format!("\n{rows} rows in one epoch")),
        "{text}"
    );
    let number = |start: &str, end: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(start))?;
        Some(line.trim_end_matches(end).parse().unwrap())
    };
    let seconds = number("processor time of the epoch: ", " s");
    Cost {
        peak_megabytes: number("peak memory: ", " MB"),
        seconds_per_row: seconds.map(|seconds| seconds / rows as f64),
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
        if let (Some(before), Some(after)) = (few.peak_megabytes, many.peak_megabytes) {
            eprintln!("{format}: {before:.1} MB for 10,000 rows, {after:.1} MB for 300,000 rows");
            assert!(
                after - before < 50.0,
                "{format}: {before} MB against {after} MB"
            );
        }
        // The two are about equal; anything that grows with the rows would give 30. A busy
        // neighbour shares the caches, which costs less than half of that.
        if let (Some(before), Some(after)) = (few.seconds_per_row, many.seconds_per_row) {
            eprintln!("{format}: {before:.2e} s a row against {after:.2e} s");
            assert!(
                after < 10.0 * before,
                "{format}: {before} s a row against {after} s"
            );
        }
    }
}
