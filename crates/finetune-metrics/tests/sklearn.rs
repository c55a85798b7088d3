//! Compares with scikit-learn and scipy on the fixtures that `fixtures/make.py` wrote.
#![allow(clippy::unwrap_used, clippy::panic)]

use finetune_metrics::{
    Bootstrap, ClassificationAccumulator, ClassificationReport, ConfusionMatrix, Metric,
    MultiLabelAccumulator, ProblemType, Regression, RegressionAccumulator, mcnemar,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The tolerance: absolute for scores in [0, 1], relative for the rest.
const TOLERANCE: f64 = 1e-9;

fn fixtures() -> Value {
    serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap()
}

fn parse<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    parse(value)
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

/// Formats supports as integers. If no row is correct, scikit-learn prints them as floats ("4.0").
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
    assert_eq!(cases.len(), 16);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let evaluation = evaluate(case);
        let summary = evaluation.summary();
        for metric in Metric::of(ProblemType::SingleLabelClassification) {
            let expected = &case[metric.name()];
            match summary.get(metric) {
                Some(found) => check(name, metric.name(), found, expected),
                // Top-k accuracy over at most k classes is absent.
                None => assert!(metric.name().starts_with("top_") && expected.is_null()),
            }
        }
        check(name, "confidence", summary.confidence, &case["confidence"]);
        for (bin, expected) in evaluation
            .reliability_bins()
            .iter()
            .zip(case["reliability"].as_array().unwrap())
        {
            assert_eq!(bin.count, expected["count"], "{name}: {bin:?}");
            check(name, "bin", bin.confidence, &expected["confidence"]);
            check(name, "bin", bin.accuracy, &expected["accuracy"]);
        }
        let errors = evaluation.most_confident_errors(10);
        let expected: Vec<(usize, f64)> = parse(&case["most_confident_errors"]);
        assert_eq!(errors.len(), expected.len(), "{name}");
        for (error, (row, confidence)) in errors.iter().zip(expected) {
            assert_eq!(error.row, row, "{name}");
            assert!((error.confidence - confidence).abs() < TOLERANCE);
            assert_eq!(error.predicted as u64, case["predictions"][row]);
            assert_eq!(error.target as u64, case["targets"][row]);
            assert!(!evaluation.correct()[row]);
        }
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["confusion_matrix"], case["confusion_matrix"], "{name}");
        assert_eq!(
            json["rows"],
            case["targets"].as_array().unwrap().len(),
            "{name}"
        );
        assert_eq!(
            evaluation.correct().iter().filter(|&&hit| hit).count() as f64,
            (summary.accuracy * summary.rows as f64).round(),
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
fn regression_of_several_outputs_is_scikit_learns_uniform_average() {
    let fixtures = fixtures();
    let cases = fixtures["regression_outputs"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        // The fixture's values are f32, in their shortest form.
        let targets: Vec<Vec<f32>> = parse(&case["targets"]);
        let targets: Vec<Vec<f64>> = targets
            .iter()
            .map(|row| row.iter().copied().map(f64::from).collect())
            .collect();
        let predictions: Vec<Vec<f32>> = parse(&case["predictions"]);
        let outputs = targets[0].len();
        let mut evaluation = RegressionAccumulator::new(outputs);
        for (targets, predictions) in targets.iter().zip(&predictions) {
            evaluation.update(predictions, targets, 0.25).unwrap();
        }
        let summary = evaluation.summary();
        assert_eq!((summary.rows, summary.loss), (targets.len() as u64, 0.25));
        for metric in Metric::of(ProblemType::Regression).filter(|&metric| metric != Metric::Loss) {
            let found = summary.get(metric).unwrap();
            check(name, metric.name(), found, &case[metric.name()]);
        }
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json.get("per_output").is_some(), outputs > 1, "{name}");
        for (output, scores) in summary.per_output.iter().enumerate() {
            let expected = &case["per_output"][output];
            check(name, "r2", scores.r2, &expected["r2"]);
            check(name, "spearman", scores.spearman, &expected["spearman"]);
        }
        assert_eq!(evaluation.predictions().rows(), targets.len());
    }
}

fn evaluate_labels(case: &Value) -> MultiLabelAccumulator {
    let logits: Vec<Vec<f32>> = parse(&case["logits"]);
    let targets: Vec<Vec<f32>> = parse(&case["targets"]);
    let mut evaluation = MultiLabelAccumulator::new(strings(&case["class_names"]));
    for (logits, targets) in logits.iter().zip(&targets) {
        let targets: Vec<_> = targets.iter().map(|&target| target == 1.0).collect();
        evaluation.update(logits, &targets, 0.5).unwrap();
    }
    evaluation
}

#[test]
fn multi_label_metrics_are_scikit_learns() {
    let fixtures = fixtures();
    let cases = fixtures["multi_label"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let mut evaluation = evaluate_labels(case);
        let thresholds: Vec<f64> = parse(&case["thresholds"]);
        evaluation.set_thresholds(&thresholds).unwrap();
        let summary = evaluation.summary();
        for metric in Metric::of(ProblemType::MultiLabelClassification)
            .filter(|&metric| metric != Metric::Loss)
        {
            let found = summary.get(metric).unwrap();
            check(name, metric.name(), found, &case[metric.name()]);
        }
        assert_eq!((summary.loss, summary.thresholds), (0.5, thresholds));
        assert_eq!(
            evaluation.report(),
            with_integer_support(case["report"].as_str().unwrap()),
            "{name}"
        );
    }
}

#[test]
fn no_threshold_has_a_better_f1_than_the_best() {
    for case in fixtures()["multi_label"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let mut evaluation = evaluate_labels(case);
        let best = evaluation.best_thresholds();
        for (found, expected) in best
            .f1_per_class
            .iter()
            .zip(case["best_f1"].as_array().unwrap())
        {
            check(name, "best F1", *found, expected);
        }
        check(
            name,
            "best global F1",
            best.f1_micro_global,
            &case["best_global_f1"],
        );
        // The thresholds achieve the stated F1.
        evaluation.set_thresholds(&best.per_class).unwrap();
        let summary = evaluation.summary();
        for (class, (_, scores)) in summary.per_class.0.iter().enumerate() {
            assert_eq!(scores.f1, best.f1_per_class[class], "{name}: class {class}");
            // 0.5 is kept if it is as good.
            evaluation.set_thresholds(&[0.5; 5]).unwrap();
            let at_half = evaluation.summary().per_class.0[class].1.f1;
            assert_eq!(
                at_half == scores.f1,
                best.per_class[class] == 0.5,
                "{name}: class {class}"
            );
        }
        evaluation.set_thresholds(&[best.global; 5]).unwrap();
        assert_eq!(
            evaluation.summary().f1_micro,
            best.f1_micro_global,
            "{name}"
        );
    }
}

#[test]
fn mcnemars_test_is_statsmodels() {
    let fixtures = fixtures();
    let cases = fixtures["mcnemar"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let (only_a, only_b): (usize, usize) = (parse(&case[0]), parse(&case[1]));
        // Some rows are correct in both models, some in neither.
        let rows = 0..only_a + only_b + 30;
        let (a, b): (Vec<bool>, Vec<bool>) = rows
            .map(|row| match row {
                _ if row < only_a => (true, false),
                _ if row < only_a + only_b => (false, true),
                _ => (row % 3 == 0, row % 3 == 0),
            })
            .unzip();
        let test = mcnemar(&a, &b).unwrap();
        assert_eq!(
            (test.only_a, test.only_b, test.both + test.neither),
            (only_a as u64, only_b as u64, 30)
        );
        assert_eq!(test.exact, only_a + only_b < 25);
        let name = format!("{only_a} against {only_b}");
        check(&name, "statistic", test.statistic, &case[2]);
        let expected = case[3].as_f64().unwrap();
        assert!(
            (test.p_value - expected).abs() <= TOLERANCE * expected,
            "{name}: {test:?}"
        );
    }
    let error = mcnemar(&[true], &[]).unwrap_err().to_string();
    assert!(
        error.starts_with("model A was evaluated on 1 rows and model B on 0"),
        "{error}"
    );
}

type Score = fn(&ConfusionMatrix) -> f64;

#[test]
fn bootstrap_intervals_are_scipys_but_for_chance() {
    let fixtures = fixtures();
    let cases = fixtures["bootstrap"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let counts: Vec<Vec<u64>> = parse(&case["matrix"]);
        let mut matrix = ConfusionMatrix::new(counts.len());
        for (target, row) in counts.iter().enumerate() {
            for (prediction, &count) in row.iter().enumerate() {
                for _ in 0..count {
                    matrix.update(target, prediction).unwrap();
                }
            }
        }
        let bootstrap = Bootstrap {
            resamples: 5000,
            ..Bootstrap::default()
        };
        let f1_macro = |matrix: &ConfusionMatrix| matrix.macro_average().f1;
        let scores: [(&str, Score); 2] = [
            ("accuracy", ConfusionMatrix::accuracy),
            ("f1_macro", f1_macro),
        ];
        for (name, score) in scores {
            let interval = bootstrap.interval(&matrix, score).unwrap();
            let (low, high): (f64, f64) = parse(&case[name]);
            // The bounds from 5000 resamples scatter by about a twentieth of the interval's width.
            let scatter = 0.1 * (high - low);
            assert!((interval.low - low).abs() < scatter, "{name}: {interval:?}");
            assert!(
                (interval.high - high).abs() < scatter,
                "{name}: {interval:?}"
            );
            assert_eq!(bootstrap.interval(&matrix, score).unwrap(), interval);
            let other = Bootstrap {
                seed: 1,
                ..bootstrap
            };
            assert_ne!(other.interval(&matrix, score).unwrap(), interval);
        }
    }
}

/// Compares with `brier_score_loss(targets, p[:, 1])` of scikit-learn 1.9 for two classes, and with
/// `brier_score_loss(targets, p)` for three. For two classes this is the binary score, half the sum
/// over both.
#[test]
fn the_brier_score_of_two_classes_is_the_binary_one() {
    let brier = |rows: &[(&[f32], usize)]| {
        let classes = rows[0].0.len();
        let names = (0..classes).map(|class| class.to_string()).collect();
        let mut all = ClassificationAccumulator::new(names);
        for (logits, target) in rows {
            all.update(logits, *target, 0.0).unwrap();
        }
        all.summary().brier
    };
    let two: [(&[f32], usize); 3] = [(&[0.5, -1.0], 0), (&[2.0, 2.0], 1), (&[1.0, 0.0], 1)];
    let three: [(&[f32], usize); 2] = [(&[0.5, -1.0, 0.0], 0), (&[2.0, 2.0, -1.0], 2)];
    for (found, expected) in [
        (brier(&two), 0.27257523904151554),
        (brier(&three), 0.8791997286199622),
    ] {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
}
