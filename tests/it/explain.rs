//! Explanations of predictions: integrated gradients as torch computes them, what they add up to, and the
//! command.

use finetune_infer::{Baseline, Classifier, Explaining, Explanation};
use serde_json::Value;

use crate::{
    command::{Scratch, argument},
    fixtures::{self, devices},
};

fn floats(json: &Value) -> Vec<f64> {
    let values = json.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn attributions_are_those_of_torch() {
    let fixture = fixtures::json("explain.json");
    let steps = fixture["steps"].as_u64().unwrap() as usize;
    let mut compared = 0;
    for case in fixture["cases"].as_array().unwrap() {
        let name = case["model"].as_str().unwrap();
        for device in devices() {
            let classifier = Classifier::load_on(fixtures::path(name), &device).unwrap();
            let texts: Vec<_> = case["texts"].as_array().unwrap().iter().collect();
            let text = |index: usize| texts.get(index).map(|text| text.as_str().unwrap());
            let longest = classifier.default_max_length();
            let encoder = classifier.encoder(longest, texts.len() == 2).unwrap();
            for (target, expected) in case["attributions"].as_array().unwrap().iter().enumerate() {
                let explaining = Explaining {
                    class: Some(classifier.outputs().names()[target].clone()),
                    baseline: case["baseline"].as_str().unwrap().parse().unwrap(),
                    steps: Some(steps),
                };
                let found = classifier
                    .explain(text(0).unwrap(), text(1), &encoder, &explaining)
                    .unwrap();
                let expected = floats(expected);
                assert_eq!(found.tokens.len(), expected.len(), "{name}");
                let largest = expected
                    .iter()
                    .fold(0.0, |most: f64, value| most.max(value.abs()));
                for (found, expected) in found.tokens.iter().zip(&expected) {
                    let difference = (found - expected).abs() / largest;
                    assert!(difference < 1e-3, "{name}: {found} for {expected}");
                }
                for (found, expected) in [
                    (found.output, &case["outputs"][target]),
                    (found.baseline_output, &case["baseline_outputs"][target]),
                ] {
                    let expected = expected.as_f64().unwrap();
                    assert!(
                        (found - expected).abs() < 1e-4,
                        "{name}: {found}, {expected}"
                    );
                }
                // Words have all that tokens have.
                let of_words: f64 = found.words.iter().map(|word| word.attribution).sum();
                let of_tokens: f64 = found.tokens.iter().sum();
                assert!((of_words - of_tokens).abs() < 1e-9, "{name}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 60, "{compared}");
}

/// The points are doubled until the words explain the difference, and more of them explain more of it.
#[test]
fn words_add_up_to_the_difference() {
    let texts = [
        "A quietly moving film about two brothers and a boat.",
        "good",
        "It's not bad... but I hated the ending",
    ];
    for name in ["tiny_bert", "tiny_distilbert", "families/roberta"] {
        let classifier = Classifier::load(fixtures::path(name)).unwrap();
        let encoder = classifier
            .encoder(classifier.default_max_length(), false)
            .unwrap();
        for text in texts {
            for baseline in [Baseline::Padding, Baseline::Mask] {
                let explained = |steps| {
                    let explaining = Explaining {
                        baseline,
                        steps,
                        ..Explaining::default()
                    };
                    classifier
                        .explain(text, None, &encoder, &explaining)
                        .unwrap()
                };
                let many = explained(Some(512));
                // A difference near 0 is compared with what the words add and take away.
                let scale = |found: &Explanation| {
                    let moved: f64 = found.tokens.iter().map(|value| value.abs()).sum();
                    found.difference().abs().max(0.02 * moved)
                };
                assert!(
                    many.completeness_error().abs() < 0.02 * scale(&many),
                    "{name}, {text}: {} of {}",
                    many.completeness_error(),
                    many.difference()
                );
                let default = explained(None);
                assert!(default.steps >= 32);
                assert!(
                    default.completeness_error().abs() <= 0.05 * scale(&default),
                    "{name}, {text}: {} points",
                    default.steps
                );
            }
        }
    }
}

/// Every word is in its place, and special tokens have nothing.
#[test]
fn words_have_their_bytes() {
    let model = fixtures::path("tiny_bert");
    let classifier = Classifier::load(&model).unwrap();
    let encoder = classifier.encoder(12, true).unwrap();
    let texts = ["The acting, très GOOD", "and the plot was not so"];
    let found = classifier
        .explain(texts[0], Some(texts[1]), &encoder, &Explaining::default())
        .unwrap();
    let words: Vec<_> = found
        .words
        .iter()
        .map(|word| &texts[word.text][word.start..word.end])
        .collect();
    assert_eq!(found.truncated, Some(12));
    assert!(words.iter().take(2).eq(&["The", "acting"]), "{words:?}");
    assert_eq!(found.tokens.len(), 12);
    assert_eq!(found.tokens[0], 0.0);
    assert_eq!(found.tokens[11], 0.0);
}

#[test]
fn the_command_explains_texts_from_anywhere() {
    let scratch = Scratch::new();
    let model = fixtures::path("tiny_bert");
    let model = argument(&model);
    let typed = scratch.run(&["explain", model, "the film was good", "a dull story"]);
    let shown = typed.succeeded().stdout;
    for part in ["of padding", "unexplained", "film", "dull", "+", "-"] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown}");

    let lines = "the film was good\n\na dull story\n";
    let read = scratch.run_with_input(&["explain", model, "--json"], lines.as_bytes());
    let objects = read.succeeded().json_lines();
    assert_eq!(objects.len(), 2);
    let object = &objects[0];
    assert_eq!(object["words"][1]["word"], "film");
    assert_eq!(object["words"][1]["start"], 4);
    assert_eq!(object["label"], object["prediction"]["label"]);

    scratch.write("texts.csv", "text\nthe film was good\na dull story\n");
    let of_file = scratch.run(&["explain", model, "--file", "texts.csv", "--json"]);
    assert_eq!(of_file.succeeded().json_lines(), objects);

    let masks = scratch.run(&["explain", model, "--baseline", "mask", "--json", "good"]);
    assert_eq!(masks.succeeded().json()["baseline"], "mask");
    let of_class = |class: &str| {
        let found = scratch.run(&["explain", model, "--class", class, "--json", "good"]);
        found.succeeded().json()
    };
    assert_eq!(of_class("neutral")["target"], 1);

    let regression = fixtures::path("tiny_bert_regression");
    let number = scratch.run(&["explain", argument(&regression), "a good film"]);
    let shown = number.succeeded().stdout;
    assert!(
        shown.contains("of the words") && !shown.contains("logit"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_explained_is_said() {
    let scratch = Scratch::new();
    let model = fixtures::path("tiny_bert");
    let model = argument(&model);
    let masked = fixtures::path("masked_lm/bert");
    let cases: [(&[&str], &[&str]); 5] = [
        (
            &["explain", model, "--class", "god", "x"],
            &["--class", "`god`", "negative, neutral, positive"],
        ),
        (&["explain", model, ""], &["text 1", "no words"]),
        (
            &["explain", model, "--baseline", "zero", "x"],
            &["--baseline", "padding or mask"],
        ),
        (&["explain", model, "--steps", "0", "x"], &["--steps"]),
        (
            &["explain", argument(&masked), "x"],
            &["without a trained classifier"],
        ),
    ];
    for (arguments, parts) in cases {
        scratch.run(arguments).failed(2, parts);
    }
    let long = "good ".repeat(200);
    let run = scratch.run(&["explain", model, &long]);
    let said = run.succeeded().stderr;
    assert!(said.contains("truncated to 64 tokens"), "{said}");
}
