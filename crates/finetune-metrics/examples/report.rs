//! Reads `target,prediction` lines from standard input and prints scikit-learn's report.
//!
//! ```text
//! printf 'cat,cat\ndog,cat\ndog,dog\n' | cargo run -p finetune-metrics --example report
//! ```

use std::collections::BTreeSet;
use std::error::Error;
use std::io;

use finetune_metrics::{ClassificationReport, ConfusionMatrix};

fn main() -> Result<(), Box<dyn Error>> {
    let mut pairs = Vec::new();
    for (row, line) in io::stdin().lines().enumerate() {
        let line = line?;
        let Some((target, prediction)) = line.split_once(',') else {
            return Err(format!(
                "line {}: expected `target,prediction`, found {line:?}",
                row + 1
            )
            .into());
        };
        pairs.push((target.trim().to_string(), prediction.trim().to_string()));
    }
    let names: BTreeSet<&String> = pairs.iter().flat_map(|(t, p)| [t, p]).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let mut matrix = ConfusionMatrix::new(names.len());
    for (target, prediction) in &pairs {
        matrix.update(
            names.binary_search(target).unwrap_or(0),
            names.binary_search(prediction).unwrap_or(0),
        )?;
    }
    println!("{}", ClassificationReport::new(&matrix, &names)?.digits(4));
    print!("{}", matrix.named(&names)?);
    Ok(())
}
