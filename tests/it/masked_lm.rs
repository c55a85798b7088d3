//! Masked language models equal those of transformers: logits, gradients, training steps, files, and the
//! words that fill masks.

use std::{collections::BTreeMap, fs, path::Path};

use burn::{Tensor, module::Module, tensor::Device};
use finetune_kernels::{DropoutSource, MaskedTokens, Precision};
use finetune_models::{MaskedLm, SavedModel, SequenceClassifier, to_file_layout};
use finetune_train::{
    Ema, Optimizer, OptimizerConfig, ParameterGradients, ParameterGroups, Schedule, ScheduleConfig,
    clip_factor,
};
use serde_json::{Value, json};

use crate::{
    command::Scratch,
    fixtures::{self, Fixture, devices, largest_difference, relative_norm, values},
    tolerance,
};

/// The models of `masked_lm/`.
const MODELS: [&str; 4] = ["bert", "distilbert", "roberta", "electra"];

fn load(directory: &Path, device: &Device) -> MaskedLm {
    let (model, report) = MaskedLm::load(directory, 0, device).unwrap();
    assert_eq!(report.fresh, [""; 0]);
    assert_eq!(report.unexpected, [""; 0]);
    model
}

fn masked(fixture: &mut Fixture, prefix: &str) -> MaskedTokens {
    MaskedTokens {
        places: fixture.integers(&format!("{prefix}places")).into(),
        ids: fixture.integers(&format!("{prefix}masked_ids")).into(),
    }
}

/// The loss per masked token, as transformers has it.
fn loss(model: &MaskedLm, fixture: &mut Fixture, prefix: &str) -> Tensor<1> {
    let masked = masked(fixture, prefix);
    let (tokens, count) = (fixture.tokens(prefix), masked.ids.len() as f64);
    model
        .loss(&tokens, &masked, count, DropoutSource::OFF)
        .unwrap()
}

/// Parameters whose gradient is zero in exact arithmetic: key biases, which the softmax cancels.
fn zero_gradients(model: &str) -> Vec<String> {
    let manifest = fixtures::json("masked_lm/masked_lm.json");
    let names = manifest["models"][model]["zero_gradient_parameters"].as_array();
    let names = names.unwrap().iter();
    names.map(|name| name.as_str().unwrap().into()).collect()
}

#[test]
fn logits_and_gradients() {
    for name in MODELS {
        let zero_gradients = zero_gradients(name);
        for device in devices() {
            let directory = format!("masked_lm/{name}");
            let model = load(&fixtures::path(&directory), &device);
            let mut case = Fixture::open(&format!("{directory}/case.safetensors"));
            let places = masked(&mut case, "").places;
            let logits = values(model.logits(&case.tokens(""), &places).unwrap());
            let difference = largest_difference(&logits, &case.floats("logits"));
            assert!(
                difference < tolerance::LOGITS,
                "{name}: logits: {difference}"
            );

            // Without and with gradients.
            let expected = case.floats("loss");
            let untrained = values(loss(&model, &mut case, ""));
            let model = model.train();
            let loss = loss(&model, &mut case, "");
            for found in [untrained, values(loss.clone())] {
                let difference = largest_difference(&found, &expected);
                assert!(difference < tolerance::LOGITS, "{name}: loss: {difference}");
            }
            let gradients: BTreeMap<_, _> =
                ParameterGradients::backward(&loss, &model).iter().collect();
            for (parameter, _) in model.named_tensors() {
                let gradient = values(gradients[&parameter.path].clone());
                let gradient = to_file_layout(&parameter, gradient);
                let expected = case.floats(&format!("grad.{}", parameter.name));
                let is_zero = zero_gradients.contains(&parameter.name);
                let (difference, most) = match is_zero {
                    true => (
                        largest_difference(&gradient, &expected),
                        tolerance::ZERO_GRADIENT,
                    ),
                    false => (relative_norm(&gradient, &expected), tolerance::GRADIENT),
                };
                assert!(
                    difference < most,
                    "{name}: {}: {difference}",
                    parameter.name
                );
            }
        }
    }
}

/// Ten steps of transformers' Trainer with its AdamW, warm-up, decay and clipping.
#[test]
fn ten_steps_of_training() {
    for name in MODELS {
        let zero_gradients = zero_gradients(name);
        for device in devices() {
            let directory = format!("masked_lm/{name}");
            let mut model = load(&fixtures::path(&directory), &device).train();
            let mut fixture = Fixture::open(&format!("{directory}/trajectory.safetensors"));
            let losses = fixture.floats("losses");
            let norms = fixture.floats("grad_norms");
            let rates = fixture.doubles("learning_rates");
            let schedule = Schedule::new(&ScheduleConfig::default(), 1e-3, 2, 10).unwrap();
            let mut optimizer =
                Optimizer::new(OptimizerConfig::default(), ParameterGroups::new(0.01, 2));
            for step in 0..10 {
                let loss = loss(&model, &mut fixture, &format!("step{step}."));
                let difference = largest_difference(&values(loss.clone()), &losses[step..=step]);
                assert!(
                    difference < tolerance::TRAJECTORY_LOSS,
                    "{name}: step {step}: {difference}"
                );
                let gradients = ParameterGradients::backward(&loss, &model);
                let norm = gradients.global_norm();
                let difference = (norm / f64::from(norms[step]) - 1.0).abs();
                assert!(difference < tolerance::GRADIENT, "{name}: {difference}");
                let rate = schedule.at(step as u64);
                assert!((rate - rates[step]).abs() < 1e-15);
                model = optimizer.step(model, gradients, rate, None, clip_factor(norm, 1.0));
            }
            for (parameter, tensor) in model.named_tensors() {
                let found = to_file_layout(&parameter, values(tensor));
                let expected = fixture.floats(&format!("final.{}", parameter.name));
                // See parity.rs.
                let most = match zero_gradients.contains(&parameter.name) {
                    true => rates.iter().sum(),
                    false => tolerance::TRAJECTORY_WEIGHT,
                };
                let difference = largest_difference(&found, &expected);
                assert!(
                    difference < most,
                    "{name}: {}: {difference}",
                    parameter.name
                );
            }
        }
    }
}

/// The head's parameters have their places in optimizer states and averages.
#[test]
fn optimizer_states_and_averages_are_restored() {
    let mut fixture = Fixture::open("masked_lm/bert/trajectory.safetensors");
    let start = load(&fixtures::path("masked_lm/bert"), &devices()[0]).train();
    let new = || Optimizer::new(OptimizerConfig::default(), ParameterGroups::new(0.01, 2));
    let mut run = |mut model: MaskedLm, optimizer: &mut Optimizer, average: &mut Ema, steps| {
        for step in steps {
            let loss = loss(&model, &mut fixture, &format!("step{step}."));
            let gradients = ParameterGradients::backward(&loss, &model);
            model = optimizer.step(model, gradients, 1e-3, None, 1.0);
            average.update(&model);
        }
        model
    };
    let (mut optimizer, mut average) = (new(), Ema::new(0.9).unwrap());
    let half = run(start, &mut optimizer, &mut average, 0..3);
    let (state, averages) = (optimizer.state(), average.state());
    let whole = run(half.clone(), &mut optimizer, &mut average, 3..6);
    let (mut again, mut averaged) = (new(), Ema::new(0.9).unwrap());
    again.restore(&half, state).unwrap();
    averaged.restore(&half, averages).unwrap();
    let resumed = run(half, &mut again, &mut averaged, 3..6);
    let bits = |model: &MaskedLm| -> Vec<Vec<f32>> {
        let tensors = model.named_tensors().into_iter();
        tensors.map(|(_, tensor)| values(tensor)).collect()
    };
    assert_eq!(bits(&resumed), bits(&whole));
    let (one, two) = (average.averaged(whole.clone()), averaged.averaged(resumed));
    assert_eq!(bits(&one), bits(&two));
    assert_ne!(bits(&one), bits(&whole));
}

/// The encoder and the head are as near to f32 as operands of 8 bits permit, and not the same.
#[test]
fn bf16_is_near_f32() {
    let mut model = load(&fixtures::path("masked_lm/bert"), &devices()[0]);
    let mut case = Fixture::open("masked_lm/bert/case.safetensors");
    let exact = values(loss(&model, &mut case, ""))[0];
    model.set_precision(Precision::Bf16);
    let rounded = values(loss(&model, &mut case, ""))[0];
    assert_ne!(rounded, exact);
    assert!((rounded - exact).abs() < 0.02 * exact, "{rounded} {exact}");
}

/// Saving and loading gives the same bits, and a directory that is no classifier's.
#[test]
fn saved_directories_come_back() {
    for name in MODELS {
        let source = fixtures::path(&format!("masked_lm/{name}"));
        let model = load(&source, &devices()[0]);
        let parent = tempfile::tempdir().unwrap();
        let saved = parent.path().join("saved");
        model.save(&saved, &source).unwrap();
        let again = load(&saved, &devices()[0]);
        for ((a, left), (b, right)) in model.named_tensors().into_iter().zip(again.named_tensors())
        {
            assert_eq!(a, b);
            assert_eq!(values(left), values(right), "{}", a.name);
        }
        let of = |directory: &Path| -> Value {
            let text = fs::read_to_string(directory.join("config.json")).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let (config, own) = (of(&saved), of(&source));
        assert_eq!(config["architectures"], own["architectures"], "{name}");
        assert!(config.get("id2label").is_none(), "{config}");
        assert!(saved.join("tokenizer.json").exists());

        // A classifier takes the encoder, and is silent about the other head.
        let (classifier, report) =
            SequenceClassifier::load(&saved, None, 0, &devices()[0]).unwrap();
        assert!(report.fresh_classifier);
        assert_eq!(report.unexpected, [""; 0], "{name}");
        let table = |model: &MaskedLm| values(model.encoder.embeddings.word.val());
        assert_eq!(
            values(classifier.encoder.embeddings.word.val()),
            table(&model)
        );
    }
}

/// What `finetune fill-mask MODEL TEXT --json` prints about a text.
fn filled(scratch: &Scratch, arguments: &[&str]) -> Value {
    scratch.run(arguments).succeeded().json()
}

/// transformers' pipeline with several masks too: the ids, the words, the texts and the probabilities.
#[test]
fn masks_are_filled_as_by_transformers() {
    let scratch = Scratch::new();
    for name in MODELS {
        let directory = fixtures::path(&format!("masked_lm/{name}"));
        let model = directory.to_str().unwrap();
        let cases = fs::read_to_string(directory.join("filled.jsonl")).unwrap();
        for case in cases.lines() {
            let expected: Value = serde_json::from_str(case).unwrap();
            let text = expected["text"].as_str().unwrap();
            let found = filled(&scratch, &["fill-mask", model, text, "--json"]);
            assert_eq!(found["text"], expected["text"]);
            let masks = |value: &Value| value["masks"].as_array().unwrap().clone();
            let (found, expected) = (masks(&found), masks(&expected));
            assert_eq!(found.len(), expected.len(), "{text}");
            for (found, expected) in found.iter().zip(&expected) {
                let lines = found.as_array().unwrap().iter();
                let pairs = lines.zip(expected.as_array().unwrap());
                assert_eq!(pairs.len(), 5);
                for (found, expected) in pairs {
                    for key in ["token", "token_str", "sequence"] {
                        assert_eq!(found[key], expected[key], "{name}: {text}");
                    }
                    let score = |value: &Value| value["score"].as_f64().unwrap();
                    assert!((score(found) - score(expected)).abs() < 1e-5);
                }
            }
        }
    }
}

#[test]
fn texts_with_masks_come_from_arguments_lines_and_files() {
    let scratch = Scratch::new();
    let model = fixtures::path("masked_lm/bert");
    let model = model.to_str().unwrap();
    scratch.write("texts.csv", "id,text\n1,a [MASK] film\n2,the [MASK]\n");
    scratch.write("texts.txt", "a [MASK] film\nthe [MASK]\n");
    let typed = ["fill-mask", model, "a [MASK] film", "the [MASK]"];
    let json = ["--json", "--top-k", "2"];
    let one = scratch.run(&[&typed[..], &json].concat()).succeeded();
    assert_eq!(one.stdout.lines().count(), 2);
    for file in ["texts.csv", "texts.txt"] {
        let other = [&["fill-mask", model, "--file", file][..], &json].concat();
        assert_eq!(scratch.run(&other).stdout, one.stdout, "{file}");
    }
    let piped = [&["fill-mask", model][..], &json].concat();
    let piped = scratch.run_with_input(&piped, b"a [MASK] film\nthe [MASK]\n");
    assert_eq!(piped.stdout, one.stdout);
    let column = |name| {
        let file = ["fill-mask", model, "--file", "pairs.csv", "--text-column"];
        [&file[..], &[name]].concat()
    };
    scratch.write("pairs.csv", "first,second\na [MASK] film,no\n");
    scratch.refuses(&column("first,second"), &["single texts", "--text-column"]);
    assert!(
        scratch
            .run(&column("first"))
            .succeeded()
            .stdout
            .starts_with("a [MASK] film\n")
    );
    let shown = scratch.run(&typed).succeeded();
    assert_eq!(shown.stdout.lines().count(), 2 * 6, "{shown}");
    assert!(shown.stdout.starts_with("a [MASK] film\n  0."), "{shown}");
}

/// The mask token of another tokenizer counts where it cannot mean anything else, and is announced.
#[test]
fn other_mask_tokens_are_understood() {
    let scratch = Scratch::new();
    for (name, own, other) in [
        ("bert", "[MASK]", "<mask>"),
        ("roberta", "<mask>", "[MASK]"),
    ] {
        let directory = fixtures::path(&format!("masked_lm/{name}"));
        let model = directory.to_str().unwrap();
        let run = |text: &str| scratch.run(&["fill-mask", model, text, "--json"]);
        let with_own = run(&format!("a {own} film")).succeeded();
        let with_other = run(&format!("a {other} film")).succeeded();
        assert_eq!(with_other.json()["masks"], with_own.json()["masks"]);
        let note = format!("note: {other} in the texts is read as {own}");
        assert!(with_other.stderr.contains(&note), "{with_other}");
        assert!(!with_own.stderr.contains("note"), "{with_own}");
        // With both, the other one is a text.
        let both = run(&format!("a {own} film {other}")).succeeded();
        assert!(!both.stderr.contains("note"), "{both}");
        assert_eq!(both.json()["masks"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn what_cannot_be_filled_is_refused() {
    let scratch = Scratch::new();
    let bert = fixtures::path("masked_lm/bert");
    let classifier = fixtures::path("tiny_bert");
    let (bert, classifier) = (bert.to_str().unwrap(), classifier.to_str().unwrap());
    let no_mask = ["\"a film\"", "no [MASK] in the text"];
    scratch.refuses(&["fill-mask", bert, "a film"], &no_mask);
    let long = "film ".repeat(100) + "[MASK]";
    scratch.refuses(&["fill-mask", bert, &long], &["first 64 tokens"]);
    // Of several masks, none is left out.
    let both = format!("a [MASK] {}", long);
    let words = ["mask 2 of 2", "first 64 tokens", "shorten"];
    scratch.refuses(&["fill-mask", bert, &both], &words);
    scratch.refuses(
        &["fill-mask", bert, &both.replace("[MASK]", "<mask>")],
        &words,
    );
    let end = "a [MASK] [MASK]".to_owned() + &" film".repeat(100);
    let run = scratch
        .run(&["fill-mask", bert, &end, "--json"])
        .succeeded();
    assert_eq!(run.json()["masks"].as_array().unwrap().len(), 2);
    assert!(
        run.stderr
            .contains("note: the text is truncated to 64 tokens"),
        "{run}"
    );
    scratch.write("texts.txt", "a film\n");
    let file = ["fill-mask", bert, "--file", "texts.txt"];
    scratch.refuses(&file, &["texts.txt, row 0 (line 1)", "no [MASK]"]);
    let text = "a [MASK] film";
    let no_head = [
        "no masked language model",
        "cls.predictions.transform.dense.weight",
    ];
    scratch.refuses(&["fill-mask", classifier, text], &no_head);
    scratch.refuses(&["fill-mask", bert, text, "--top-k", "0"], &["--top-k"]);

    // A tokenizer without a mask token: the same tokens under other names.
    let copy = scratch.path("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(Path::new(bert).join(name), copy.join(name)).unwrap();
    }
    let json = fs::read_to_string(Path::new(bert).join("tokenizer.json")).unwrap();
    let mut json: Value = serde_json::from_str(&json.replace("[MASK]", "[M]")).unwrap();
    json["truncation"] = json!(null);
    scratch.write("copy/tokenizer.json", json.to_string());
    scratch.write(
        "copy/tokenizer_config.json",
        r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#,
    );
    scratch.refuses(&["fill-mask", "copy", text], &["no mask token", "copy"]);
}
