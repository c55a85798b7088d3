//! Equal to scikit-learn and scipy on the fixtures that `fixtures/make.py` wrote.
#![allow(clippy::unwrap_used, clippy::panic)]

use finetune_metrics::{
    ClassificationAccumulator, ClassificationReport, Metric, Regression, RegressionAccumulator,
    Task,
};
use serde_json::Value;

/// Absolute for scores in [0, 1], relative for the rest.
const TOLERANCE: f64 = 1e-9;

fn fixtures() -> Value {
    serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn check(case: &str, metric: &str, found: f64, expected: &Value) {
    match expected.as_f64() {
        Some(expected) => assert!(
            (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0),
            "{case}: {metric} is {found}, scikit-learn says {expected}"
        ),
        None => assert!(found.is_nan(), "{case}: {metric} is {found}, expected NaN"),
    }
}

fn evaluate(case: &Value) -> ClassificationAccumulator {
    let mut evaluation = ClassificationAccumulator::new(strings(&case["class_names"]));
    let rows = case["logits"]
        .as_array()
        .unwrap()
        .iter()
        .zip(case["targets"].as_array().unwrap());
    for (row, (logits, target)) in rows.enumerate() {
        let logits: Vec<f32> = serde_json::from_value(logits.clone()).unwrap();
        let loss = case["losses"][row].as_f64().unwrap();
        let prediction = evaluation
            .update(&logits, target.as_u64().unwrap() as usize, loss)
            .unwrap();
        assert_eq!(
            prediction as u64, case["predictions"][row],
            "{}: row {row}",
            case["name"]
        );
    }
    evaluation
}

/// Where not one row is right, scikit-learn prints the support as a float ("4.0").
fn with_integer_support(report: &str) -> String {
    let line = |line: &str| match line.strip_suffix(".0") {
        Some(rest) => {
            let (start, support) = rest.rsplit_once(' ').unwrap();
            format!("{start}   {support}\n")
        }
        None => format!("{line}\n"),
    };
    report.lines().map(line).collect()
}

#[test]
fn classification_metrics_are_scikit_learns() {
    let fixtures = fixtures();
    let cases = fixtures["classification"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let summary = evaluate(case).summary();
        for metric in Metric::ALL
            .into_iter()
            .filter(|m| m.applies_to(Task::Classification))
        {
            check(
                name,
                metric.name(),
                summary.get(metric).unwrap(),
                &case[metric.name()],
            );
        }
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["confusion_matrix"], case["confusion_matrix"], "{name}");
        assert_eq!(
            json["rows"],
            case["targets"].as_array().unwrap().len(),
            "{name}"
        );
        let class_names = strings(&case["class_names"]);
        for (class, expected) in class_names
            .iter()
            .zip(case["per_class"].as_array().unwrap())
        {
            let found = &json["per_class"][class];
            for metric in ["precision", "recall", "f1", "support"] {
                check(
                    name,
                    &format!("{class} {metric}"),
                    found[metric].as_f64().unwrap(),
                    &expected[metric],
                );
            }
        }
    }
}

#[test]
fn the_report_is_scikit_learns_text() {
    for case in fixtures()["classification"].as_array().unwrap() {
        let evaluation = evaluate(case);
        let labels: Vec<usize> = serde_json::from_value(case["labels"].clone()).unwrap();
        for digits in [2, 4] {
            let report =
                ClassificationReport::new(evaluation.confusion_matrix(), evaluation.class_names())
                    .unwrap()
                    .labels(&labels)
                    .unwrap()
                    .digits(digits)
                    .to_string();
            let expected = case["reports"][digits.to_string()].as_str().unwrap();
            let expected = with_integer_support(expected);
            assert_eq!(report, expected, "{}:\n{report}\n{expected}", case["name"]);
        }
        if labels.len() == evaluation.class_names().len() {
            let expected = with_integer_support(case["reports"]["4"].as_str().unwrap());
            assert_eq!(evaluation.report(), expected);
        }
    }
}

#[test]
fn regression_metrics_are_scikit_learns() {
    let fixtures = fixtures();
    let cases = fixtures["regression"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let mut regression = Regression::new();
        let targets = case["targets"].as_array().unwrap();
        for (target, prediction) in targets.iter().zip(case["predictions"].as_array().unwrap()) {
            regression.update(target.as_f64().unwrap(), prediction.as_f64().unwrap());
        }
        check(name, "mse", regression.mse(), &case["mse"]);
        check(name, "rmse", regression.rmse(), &case["rmse"]);
        check(name, "mae", regression.mae(), &case["mae"]);
        check(name, "r2", regression.r2(), &case["r2"]);
        check(name, "pearson", regression.pearson(), &case["pearson"]);
    }
}

#[test]
fn without_rows_scores_are_zero_and_means_nan() {
    let evaluation = ClassificationAccumulator::new(vec!["a".into(), "b".into()]);
    let summary = evaluation.summary();
    assert!(summary.loss.is_nan());
    assert_eq!(
        (summary.accuracy, summary.f1_macro, summary.f1_weighted),
        (0.0, 0.0, 0.0)
    );
    assert!(evaluation.report().contains("accuracy"));
    let json = serde_json::to_string(&summary).unwrap();
    assert!(
        json.starts_with(r#"{"rows":0,"loss":null,"accuracy":0.0,"#),
        "{json}"
    );
    assert_eq!(
        ClassificationAccumulator::new(Vec::new())
            .summary()
            .accuracy,
        0.0
    );

    let summary = RegressionAccumulator::new().summary();
    for metric in Metric::ALL
        .into_iter()
        .filter(|m| m.applies_to(Task::Regression))
    {
        assert!(summary.get(metric).unwrap().is_nan(), "{metric}");
    }
    assert_eq!(summary.get(Metric::Accuracy), None);
}

#[test]
fn rows_that_do_not_fit_are_refused_and_not_counted() {
    let mut evaluation = ClassificationAccumulator::new(vec!["a".into(), "b".into()]);
    let message = |result: Result<usize, _>| -> String {
        let error: finetune_metrics::MetricError = result.unwrap_err();
        error.to_string()
    };
    assert_eq!(
        message(evaluation.update(&[1.0], 0, 0.0)),
        "a row has 1 logits, but there are 2 classes"
    );
    assert!(message(evaluation.update(&[], 0, 0.0)).contains("0 logits"));
    assert!(message(evaluation.update(&[1.0, 0.0], 2, 0.0)).contains("class 2 is out of range"));
    assert!(message(evaluation.update(&[0.0, f32::NAN], 0, 0.0)).contains("class 1 is NaN"));
    assert_eq!(evaluation.summary().rows, 0);
    assert!(evaluation.summary().loss.is_nan());
}

#[test]
fn predictions_in_f32_keep_their_summary() {
    let mut evaluation = RegressionAccumulator::new();
    for (prediction, target) in [(0.5_f32, 1.0_f32), (2.0, 2.0), (2.0, 3.5)] {
        evaluation.update(prediction, target, f64::from((prediction - target).powi(2)));
    }
    let summary = evaluation.summary();
    assert_eq!(summary.rows, 3);
    assert_eq!(summary.loss, summary.mse);
    assert!((summary.mse - 2.5 / 3.0).abs() < 1e-15);
    assert!((summary.mae - 2.0 / 3.0).abs() < 1e-15);
}
