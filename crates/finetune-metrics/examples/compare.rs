//! Compares two classifiers on the same rows with confidence intervals, McNemar's test and a custom
//! metric, and lists the most confident errors of the second.
//!
//! Each line of standard input has the target, the logits of model A and those of model B:
//!
//! ```text
//! printf '0,2.0 -1.0,1.5 0.1\n1,0.4 0.3,-1.0 2.0\n1,0.9 0.2,0.8 0.7\n' |
//!     cargo run -p finetune-metrics --example compare
//! ```

use std::error::Error;
use std::io;

use finetune_metrics::{
    Bootstrap, ClassificationAccumulator, ConfusionMatrix, CustomMetric, Predictions, Targets,
    mcnemar, softmax,
};

/// Mean probability of the correct class.
struct ExpectedAccuracy;

impl CustomMetric for ExpectedAccuracy {
    fn name(&self) -> &str {
        "expected_accuracy"
    }

    fn greater_is_better(&self) -> bool {
        true
    }

    fn compute(&self, predictions: &Predictions<'_>) -> f64 {
        let Targets::Classes(targets) = predictions.targets() else {
            return f64::NAN;
        };
        let rows = predictions.iter().zip(targets);
        let sum: f64 = rows
            .map(|(logits, &target)| f64::from(softmax(logits)[target as usize]))
            .sum();
        sum / predictions.rows() as f64
    }
}

fn numbers(field: &str) -> Result<Vec<f32>, std::num::ParseFloatError> {
    field.split_whitespace().map(str::parse).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut models: Option<[ClassificationAccumulator; 2]> = None;
    for (row, line) in io::stdin().lines().enumerate() {
        let line = line?;
        let fields: Vec<&str> = line.split(',').collect();
        let [target, a, b] = fields[..] else {
            let row = row + 1;
            return Err(
                format!("line {row}: expected `target,logits A,logits B`, found {line:?}").into(),
            );
        };
        let (target, logits) = (target.trim().parse()?, [numbers(a)?, numbers(b)?]);
        let models = models.get_or_insert_with(|| {
            let names: Vec<String> = (0..logits[0].len())
                .map(|class| class.to_string())
                .collect();
            [(); 2].map(|()| ClassificationAccumulator::new(names.clone()))
        });
        for (model, logits) in models.iter_mut().zip(&logits) {
            let loss = -f64::from(softmax(logits).get(target).copied().unwrap_or(0.0)).ln();
            model.update(logits, target, loss)?;
        }
    }
    let [a, b] = models.ok_or("no rows on standard input")?;

    for (name, model) in [("A", &a), ("B", &b)] {
        let summary = model.summary();
        let matrix = model.confusion_matrix();
        let bootstrap = Bootstrap::default();
        let accuracy = bootstrap.interval(matrix, ConfusionMatrix::accuracy)?;
        let f1 = bootstrap.interval(matrix, |matrix| matrix.macro_average().f1)?;
        println!(
            "model {name}: accuracy {:.4} [{:.4}, {:.4}]  macro F1 {:.4} [{:.4}, {:.4}]  {} {:.4}",
            summary.accuracy,
            accuracy.low,
            accuracy.high,
            summary.f1_macro,
            f1.low,
            f1.high,
            ExpectedAccuracy.name(),
            ExpectedAccuracy.compute(&model.predictions()),
        );
    }
    let test = mcnemar(&a.correct(), &b.correct())?;
    println!(
        "only A right: {}  only B right: {}  p = {:.4}",
        test.only_a, test.only_b, test.p_value
    );
    for error in b.most_confident_errors(5) {
        println!(
            "B wrong in line {}: {} instead of {}, confidence {:.3}",
            error.row + 1,
            error.predicted,
            error.target,
            error.confidence
        );
    }
    println!("{}", serde_json::to_string(&b.summary())?);
    Ok(())
}
