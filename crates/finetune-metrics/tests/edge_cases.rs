//! Tests of empty data, undefined scores, and rows that do not fit.
#![allow(clippy::unwrap_used, clippy::panic)]

use finetune_metrics::{
    Bootstrap, ClassificationAccumulator, ConfusionMatrix, CustomMetric, Metric, MetricError,
    MultiLabelAccumulator, Predictions, ProblemType, RegressionAccumulator, Targets,
};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn message<T: std::fmt::Debug>(result: Result<T, MetricError>) -> String {
    result.unwrap_err().to_string()
}

/// Returns whether a metric follows from counts alone.
fn is_count(metric: Metric) -> bool {
    let name = metric.name();
    let counts = ["precision_", "recall_", "f1_"];
    counts.iter().any(|start| name.starts_with(start))
        || ["accuracy", "subset_accuracy", "mcc"].contains(&name)
}

#[test]
fn without_rows_scores_of_counts_are_zero_and_all_others_nan() {
    let evaluation = ClassificationAccumulator::new(names(&["a", "b", "c"]));
    let summary = evaluation.summary();
    for metric in Metric::of(ProblemType::SingleLabelClassification) {
        match summary.get(metric) {
            Some(value) if is_count(metric) => assert_eq!(value, 0.0, "{metric}"),
            Some(value) => assert!(value.is_nan(), "{metric} is {value}"),
            None => assert!(metric.name() > "top_2_accuracy", "{metric}"),
        }
    }
    assert!(summary.confidence.is_nan());
    assert!(evaluation.report().contains("accuracy"));
    assert!(evaluation.most_confident_errors(5).is_empty());
    assert_eq!(evaluation.reliability_bins().len(), 15);
    let json = serde_json::to_string(&summary).unwrap();
    assert!(
        json.starts_with(r#"{"rows":0,"loss":null,"accuracy":0.0,"balanced_accuracy":null,"#),
        "{json}"
    );
    let summary = ClassificationAccumulator::new(Vec::new()).summary();
    assert_eq!(summary.accuracy, 0.0);

    let evaluation = MultiLabelAccumulator::new(names(&["a", "b"]));
    let summary = evaluation.summary();
    for metric in Metric::of(ProblemType::MultiLabelClassification) {
        let value = summary.get(metric).unwrap();
        match is_count(metric) {
            true => assert_eq!(value, 0.0, "{metric}"),
            false => assert!(value.is_nan(), "{metric} is {value}"),
        }
    }
    assert_eq!(evaluation.best_thresholds().per_class, [0.5, 0.5]);
    let evaluation = MultiLabelAccumulator::new(Vec::new());
    assert_eq!(evaluation.summary().rows, 0);
    assert_eq!(evaluation.best_thresholds().global, 0.5);

    for outputs in [0, 1, 3] {
        let summary = RegressionAccumulator::new(outputs).summary();
        for metric in Metric::of(ProblemType::Regression) {
            assert!(summary.get(metric).unwrap().is_nan(), "{metric}");
        }
        assert_eq!(summary.get(Metric::Accuracy), None);
    }

    let nan = Bootstrap::default()
        .interval(&ConfusionMatrix::new(2), ConfusionMatrix::accuracy)
        .unwrap();
    assert!(nan.low.is_nan() && nan.high.is_nan());
}

#[test]
fn rows_of_a_classifier_that_do_not_fit_are_refused_and_not_counted() {
    let mut evaluation = ClassificationAccumulator::new(names(&["a", "b"]));
    assert_eq!(
        message(evaluation.update(&[1.0], 0, 0.0)),
        "a row has 1 logits, but there are 2 classes"
    );
    assert!(message(evaluation.update(&[], 0, 0.0)).contains("0 logits"));
    assert!(message(evaluation.update(&[1.0, 0.0], 2, 0.0)).contains("class 2 is out of range"));
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let message = message(evaluation.update(&[0.0, value], 0, 0.0));
        let expected = format!("a row's logit for class 1 is {value}: the model diverged");
        assert!(message.starts_with(&expected), "{message}");
    }
    assert_eq!(evaluation.summary().rows, 0);
    assert_eq!(evaluation.predictions().rows(), 0);
    assert!(evaluation.summary().loss.is_nan());
}

#[test]
fn label_sets_that_do_not_fit_are_refused_and_not_counted() {
    let mut evaluation = MultiLabelAccumulator::new(names(&["a", "b"]));
    assert!(message(evaluation.update(&[1.0], &[true, false], 0.0)).contains("1 logits"));
    assert_eq!(
        message(evaluation.update(&[1.0, 0.0], &[true], 0.0)),
        "a row has 1 targets, but the model has 2 outputs"
    );
    assert!(message(evaluation.update(&[1.0, f32::NAN], &[true, false], 0.0)).contains("is NaN"));
    assert_eq!(evaluation.summary().rows, 0);

    assert_eq!(
        message(evaluation.set_thresholds(&[0.5])),
        "1 thresholds given for 2 classes: give one per class"
    );
    assert!(message(evaluation.set_thresholds(&[0.5, f64::NAN])).contains("class 1 is NaN"));
    assert!(message(evaluation.set_thresholds(&[1.5, 0.5])).contains("class 0 is 1.5"));
    assert_eq!(evaluation.thresholds(), [0.5, 0.5]);
}

#[test]
fn rows_of_a_regressor_that_do_not_fit_are_refused() {
    let mut evaluation = RegressionAccumulator::new(2);
    assert_eq!(
        message(evaluation.update(&[1.0], &[1.0, 2.0], 0.0)),
        "a row has 1 predictions, but the model has 2 outputs"
    );
    assert!(message(evaluation.update(&[1.0, 2.0], &[1.0], 0.0)).contains("1 targets"));
    assert_eq!(evaluation.summary().rows, 0);
    // A diverged model shows in every metric.
    evaluation.update(&[0.0, 1.0], &[1.0, 2.0], 1.0).unwrap();
    evaluation
        .update(&[f32::NAN, 0.0], &[2.0, 1.0], f64::NAN)
        .unwrap();
    let summary = evaluation.summary();
    for metric in Metric::of(ProblemType::Regression) {
        assert!(summary.get(metric).unwrap().is_nan(), "{metric}");
    }
    assert!((summary.per_output[1].spearman - 1.0).abs() < 1e-12);
}

/// The targets have more digits than an `f32`: if they were rounded, both errors would be 0.
#[test]
fn targets_of_a_regressor_keep_all_digits() {
    let mut evaluation = RegressionAccumulator::new(1);
    evaluation
        .update(&[16_777_216.0], &[16_777_217.0], 1.0)
        .unwrap();
    evaluation.update(&[1e9], &[1e9 + 0.5], 0.25).unwrap();
    let summary = evaluation.summary();
    assert_eq!((summary.mae, summary.mse), (0.75, 0.625));
    let targets = Targets::Values(&[16_777_217.0, 1e9 + 0.5]);
    assert_eq!(evaluation.predictions().targets(), targets);
}

#[test]
fn bootstrap_options_are_checked() {
    let matrix = ConfusionMatrix::new(2);
    for (resamples, level) in [(0, 0.95), (10, 0.0), (10, 1.0), (10, f64::NAN)] {
        let bootstrap = Bootstrap {
            resamples,
            level,
            seed: 0,
        };
        let message = message(bootstrap.interval(&matrix, ConfusionMatrix::accuracy));
        assert!(message.contains("at least 1 resample"), "{message}");
    }
}

#[test]
fn a_resample_of_equal_rows_is_the_rows() {
    let mut matrix = ConfusionMatrix::new(3);
    for _ in 0..7 {
        matrix.update(1, 1).unwrap();
    }
    let rows = |matrix: &ConfusionMatrix| matrix.count(1, 1) as f64;
    let interval = Bootstrap::default().interval(&matrix, rows).unwrap();
    assert_eq!((interval.low, interval.high), (7.0, 7.0));
    matrix.update(2, 0).unwrap();
    let rows = |matrix: &ConfusionMatrix| matrix.rows() as f64;
    let interval = Bootstrap::default().interval(&matrix, rows).unwrap();
    assert_eq!((interval.low, interval.high), (8.0, 8.0));
}

/// The share of rows whose first target is above the first logit, for any task.
struct Underestimates;

impl CustomMetric for Underestimates {
    fn name(&self) -> &str {
        "underestimates"
    }

    fn greater_is_better(&self) -> bool {
        false
    }

    fn compute(&self, predictions: &Predictions<'_>) -> f64 {
        let width = predictions.outputs();
        let target = |row: usize| match predictions.targets() {
            Targets::Classes(targets) => targets[row] as f32,
            Targets::MultiLabel(targets) => f32::from(u8::from(targets[row * width])),
            Targets::Values(targets) => targets[row * width] as f32,
        };
        let logits = predictions.iter().enumerate();
        let below = logits.filter(|(row, logits)| logits[0] < target(*row));
        below.count() as f64 / predictions.rows() as f64
    }
}

#[test]
fn a_custom_metric_sees_the_rows_of_every_task_in_order() {
    let mut classes = ClassificationAccumulator::new(names(&["a", "b"]));
    classes.reserve(3);
    let mut labels = MultiLabelAccumulator::new(names(&["a", "b"]));
    labels.reserve(3);
    let mut values = RegressionAccumulator::new(2);
    values.reserve(3);
    for (row, target) in [([0.5, 0.0], 1), ([2.0, 0.0], 1), ([-1.0, 0.0], 0)] {
        classes.update(&row, target, 0.0).unwrap();
        labels.update(&row, &[target == 1, false], 0.0).unwrap();
        values.update(&row, &[target as f64, 0.0], 0.0).unwrap();
    }
    let metric: Box<dyn CustomMetric> = Box::new(Underestimates);
    for predictions in [
        classes.predictions(),
        labels.predictions(),
        values.predictions(),
    ] {
        assert_eq!(metric.compute(&predictions), 2.0 / 3.0);
        assert_eq!(predictions.logits(), [0.5, 0.0, 2.0, 0.0, -1.0, 0.0]);
    }
}
