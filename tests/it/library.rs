//! The library used from outside: prediction from several threads, several adapters, and the
//! caller's own metrics and observers.

use std::{cell::Cell, rc::Rc, thread};

use finetune_data::{Columns, Dataset, TextTokenizer, infer_task};
use finetune_metrics::{CustomMetric, Predictions, Targets, argmax};
use finetune_train::{
    BaseModel, Classifier, CustomMetrics, Event, Interruption, Observer, Observers, RunDirectory,
    RunEnd, RunInputs, RunLength, Start, StopReason, Strategy, TrainData, TrainError, TrainPlan,
    device, prepare, resolve_auto,
};
use serde_json::{Value, json};

use crate::{
    command::{Scratch, argument},
    fixtures, samples,
};

const TEXTS: [&str; 3] = ["the film was great .", "a dull, slow plot", "warm"];

#[test]
fn threads_predict_with_one_classifier() {
    fn assert_shared<T: Send + Sync>() {}
    assert_shared::<Classifier>();
    let classifier = Classifier::load(fixtures::path("tiny_bert")).unwrap();
    let expected = classifier.predict(&TEXTS).unwrap();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..25 {
                        assert_eq!(classifier.predict(&TEXTS).unwrap(), expected);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

/// However many, in their order, and the same as tokens that were made elsewhere.
#[test]
fn many_texts_at_once() {
    let classifier = Classifier::load(fixtures::path("tiny_bert")).unwrap();
    let texts: Vec<String> = (0..100)
        .map(|n| "good film ".repeat(1 + n * 7 % 23))
        .collect();
    let all = classifier.predict(&texts).unwrap();
    assert_eq!(all.len(), texts.len());
    for (text, found) in texts.iter().zip(&all) {
        let alone = &classifier.predict(&[text]).unwrap()[0];
        let difference = fixtures::largest_difference(&alone.logits, &found.logits);
        assert!(difference < 1e-5, "{text}: {difference}");
    }
    let encoder = classifier.encoder(usize::MAX, false).unwrap();
    let rows: Vec<_> = texts.iter().map(|text| (text, None::<&str>)).collect();
    assert_eq!(classifier.predict_rows(&rows, &encoder).unwrap(), all);
    let tokens = encoder.encode_batch(&rows).unwrap();
    assert_eq!(classifier.predict_tokens(&tokens, 32).unwrap(), all);
    assert_eq!(classifier.predict::<&str>(&[]).unwrap(), []);
}

/// Two tasks with labels of their own on one base; each call chooses, also from threads at once.
#[test]
fn several_adapters_on_one_base() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let topics = samples::examples(200).into_iter().map(|(text, _)| {
        let topic = match text.contains("acting") {
            true => "people",
            false if text.contains("story") || text.contains("plot") => "text",
            false => "film",
        };
        format!("\"{text}\",{topic}\n")
    });
    scratch.write(
        "topics.csv",
        topics.fold("text,label\n".into(), |all: String, row| all + &row),
    );
    let model = fixtures::path("tiny_bert");
    for (dataset, output) in [("data", "sentiment"), ("topics.csv", "topic")] {
        let arguments = [
            "train",
            "--model",
            argument(&model),
            "--dataset",
            dataset,
            "--strategy",
            "lora",
            "--epochs",
            "2",
            "--learning-rate",
            "1e-2",
            "--output",
            output,
        ];
        scratch.run(&arguments).succeeded();
    }
    let [sentiment, topic] = ["sentiment", "topic"].map(|run| scratch.path(run).join("model"));
    let alone = [&sentiment, &topic].map(|adapter| {
        let classifier = Classifier::load(adapter).unwrap();
        classifier.predict(&TEXTS).unwrap()
    });
    assert_eq!(alone[1][0].probabilities.len(), 3);
    assert_ne!(alone[0][0].logits, alone[1][0].logits[..2]);

    let mut classifier = Classifier::load(&model).unwrap();
    let untouched = classifier.predict(&TEXTS).unwrap();
    classifier.add_adapter("sentiment", &sentiment).unwrap();
    classifier.add_adapter("topic", &topic).unwrap();
    assert_eq!(
        classifier.adapters().collect::<Vec<_>>(),
        ["sentiment", "topic"]
    );
    thread::scope(|scope| {
        for _ in 0..2 {
            for (name, expected) in ["sentiment", "topic"].into_iter().zip(&alone) {
                let classifier = &classifier;
                scope.spawn(move || {
                    for _ in 0..25 {
                        let found = classifier.predict_with(name, &TEXTS).unwrap();
                        assert_eq!(found, *expected);
                    }
                });
            }
        }
    });
    assert_eq!(classifier.predict(&TEXTS).unwrap(), untouched);
    let error = classifier.predict_with("stance", &TEXTS).unwrap_err();
    for part in ["\"stance\"", "sentiment, topic"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    // Onto one that has an adapter already.
    let mut classifier = Classifier::load(&sentiment).unwrap();
    classifier.add_adapter("topic", &topic).unwrap();
    assert_eq!(classifier.predict(&TEXTS).unwrap(), alone[0]);
    assert_eq!(classifier.predict_with("topic", &TEXTS).unwrap(), alone[1]);
    // And of another base.
    let other = fixtures::path("tiny_distilbert");
    let mut other = Classifier::load(other).unwrap();
    assert!(other.add_adapter("topic", &topic).is_err());
}

/// Rows of the last class that were missed.
struct Missed;

impl CustomMetric for Missed {
    fn name(&self) -> &str {
        "missed"
    }

    fn greater_is_better(&self) -> bool {
        false
    }

    fn compute(&self, predictions: &Predictions<'_>) -> f64 {
        let Targets::Classes(targets) = predictions.targets() else {
            return f64::NAN;
        };
        let last = predictions.outputs() as u32 - 1;
        let rows = predictions.iter().zip(targets);
        let missed =
            rows.filter(|(row, target)| **target == last && argmax(row) != Some(last as usize));
        missed.count() as f64
    }
}

/// Ends a run after the second evaluation since its start, and remembers how often it was asked to
/// keep its state.
struct StopAtSecond {
    evaluations: Rc<Cell<u64>>,
    kept: Rc<Cell<u64>>,
}

impl Observer for StopAtSecond {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if let Event::Evaluated { metrics, step, .. } = event
            && *step > 0
        {
            assert!(metrics.get("missed").is_some());
            assert!(metrics.get("accuracy").is_some());
            assert_eq!(metrics.get("nothing"), None);
            self.evaluations.set(self.evaluations.get() + 1);
        }
        Ok(())
    }

    fn stop(&self) -> Option<String> {
        (self.evaluations.get() >= 2).then(|| "seen enough".into())
    }

    fn checkpoint(&mut self) -> Result<Option<(&'static str, Value)>, TrainError> {
        self.kept.set(self.kept.get() + 1);
        Ok(Some(("stop_at_second", json!(self.evaluations.get()))))
    }
}

#[test]
fn a_metric_and_an_observer_of_ones_own() {
    let scratch = Scratch::new();
    samples::write(&scratch.path("rows.csv"), &samples::examples(200));
    let base = fixtures::path("tiny_bert");
    let rows = Dataset::open(argument(&scratch.path("rows.csv"))).unwrap();
    let rows = rows.split("train").unwrap();
    let columns = Columns::resolve(&rows, &[], &[], true).unwrap();
    let labels = infer_task(&[&rows], &columns, None, None).unwrap();
    let (training, validation) = rows
        .stratified_split(&columns, Some(&labels), 0.2, 42)
        .unwrap();
    let tokenizer = TextTokenizer::from_directory(&base).unwrap();
    let data = TrainData {
        train: training.tokenize(&tokenizer, 64).unwrap(),
        validation: validation.tokenize(&tokenizer, 64).unwrap(),
        test: None,
    };
    let output = scratch.path("run");
    let mut plan = TrainPlan::new(&labels, Strategy::Full, "cpu".into());
    plan.model.name = argument(&base).into();
    plan.data.dataset = "rows.csv".into();
    plan.data.text_column = columns.text.clone();
    plan.data.label_column = columns.label.clone();
    plan.data.max_length = 64;
    plan.optimization.length = RunLength::Epochs(5.0);
    plan.evaluation.metric_for_best_model = "eval_missed".into();
    plan.saving.output = argument(&output).into();
    let metrics = CustomMetrics::default().with(Missed).unwrap();
    // Only where it is known.
    assert!(plan.check().is_err());
    plan.check_with(&metrics).unwrap();
    let mut wrong = plan.clone();
    wrong.evaluation.metric_for_best_model = "mised".into();
    let error = wrong.check_with(&metrics).unwrap_err().to_string();
    assert!(
        error.contains("\"mised\"") && error.contains(", missed"),
        "{error}"
    );
    let again = CustomMetrics::default().with(Missed).unwrap().with(Missed);
    assert!(again.unwrap_err().to_string().contains("missed"));

    let start = Start::fresh(
        prepare(
            &plan,
            &BaseModel::open(&base).unwrap(),
            &device("cpu").unwrap(),
        )
        .unwrap(),
    );
    let mut run = RunDirectory::create(&output).unwrap();
    let (evaluations, kept) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let observers = Observers::default().measuring(metrics).with(StopAtSecond {
        evaluations: Rc::clone(&evaluations),
        kept: Rc::clone(&kept),
    });
    let inputs = RunInputs::new(&base, data);
    let RunEnd::Complete(results) = run.execute(&plan, start, &inputs, observers).unwrap() else {
        panic!("nobody interrupts it");
    };
    let outcome = results.outcome;
    assert_eq!(outcome.reason, StopReason::Observer("seen enough".into()));
    assert!(evaluations.get() >= 2 && kept.get() > 0);

    let events = scratch.json_lines("run/events.jsonl");
    let evaluated = events.iter().filter(|event| event["event"] == "evaluated");
    let missed: Vec<_> = evaluated
        .filter(|event| event["step"] != 0)
        .map(|event| event["metrics"]["missed"].as_f64().unwrap())
        .collect();
    let best = outcome.best.unwrap();
    let least = missed.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(best.value, least, "{missed:?}");
    assert_eq!(best.evaluation.get("missed"), Some(least));
    // What is kept predicts as the best evaluation says.
    let classifier = Classifier::load(run.model()).unwrap();
    assert_eq!(classifier.outputs().names(), samples::CLASSES);
}

/// Leaves a run at a step.
struct LeaveAt {
    step: u64,
    came: bool,
}

impl Observer for LeaveAt {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        self.came |= matches!(event, Event::Progress { step, .. } if *step == self.step);
        Ok(())
    }

    fn interrupted(&self) -> bool {
        self.came
    }
}

/// A run of the library alone is a run like any other: the program goes on with it, repeats it to the
/// bit, evaluates it, predicts with it and compares it.
#[test]
fn the_program_takes_a_run_of_the_library() {
    let scratch = Scratch::new();
    scratch.write("rows.csv", samples::csv(&samples::examples(100)));
    let base = fixtures::path("tiny_bert");
    let dataset = scratch.path("rows.csv");
    let rows = Dataset::open(argument(&dataset)).unwrap();
    let rows = rows.split("train").unwrap();
    let columns = Columns::resolve(&rows, &[], &[], true).unwrap();
    let labels = infer_task(&[&rows], &columns, None, None).unwrap();
    let (training, validation) = rows
        .stratified_split(&columns, Some(&labels), 0.1, TrainPlan::SEED)
        .unwrap();
    let tokenizer = TextTokenizer::from_directory(&base).unwrap();
    let data = TrainData {
        train: training.tokenize(&tokenizer, 64).unwrap(),
        validation: validation.tokenize(&tokenizer, 64).unwrap(),
        test: Some(rows.take(20).tokenize(&tokenizer, 64).unwrap()),
    };
    for (strategy, output) in [(Strategy::Full, "full"), (Strategy::Lora, "lora")] {
        let lora = (strategy == Strategy::Lora).then(Default::default);
        let mut plan = TrainPlan::new(&labels, strategy, "cpu".into());
        plan.model.lora = lora;
        plan.data.dataset = argument(&dataset).into();
        plan.data.text_column.clone_from(&columns.text);
        plan.data.label_column.clone_from(&columns.label);
        plan.data.test_split = Some("train[:20]".into());
        plan.data.max_length = 64;
        let inputs = RunInputs::new(&base, data.clone());
        let begin = |name: &str, observers| {
            let mut run = RunDirectory::create(&scratch.path(name)).unwrap();
            let model = BaseModel::open(&base).unwrap();
            let prepared = prepare(&plan, &model, &device("cpu").unwrap()).unwrap();
            run.execute(&plan, Start::fresh(prepared), &inputs, observers)
                .unwrap()
        };
        let end = begin(output, Observers::default());
        assert!(matches!(end, RunEnd::Complete(_)));
        let replay = format!("{output}-again");
        let replayed = scratch.run(&["replay", output, "--output", &replay, "--json"]);
        let replayed = replayed.succeeded().json();
        assert_eq!(replayed["equal"], true, "{replayed}");
        for name in ["plan.toml", "manifest.json", "tensorboard"] {
            assert!(scratch.path(output).join(name).exists(), "{name}");
        }

        let left = format!("{output}-left");
        let leave = LeaveAt {
            step: 8,
            came: false,
        };
        let end = begin(&left, Observers::default().with(leave));
        assert!(matches!(
            end,
            RunEnd::Interrupted(Interruption::AfterStep(8))
        ));
        let resumed = scratch.run(&["resume", &left, "--json"]).succeeded();
        let whole = scratch.json(&format!("{output}/results.json"));
        assert_eq!(resumed.json()["test"], whole["test"]);
        assert_eq!(resumed.json()["validation"], whole["validation"]);
        let manifest = scratch.json(&format!("{left}/manifest.json"));
        assert_eq!(manifest["sessions"].as_array().unwrap().len(), 2);
        let weights = |run: &str| scratch.json(&format!("{run}/manifest.json"))["result"].clone();
        assert_eq!(weights(&left), weights(output));

        let evaluate = [
            "evaluate",
            "--model",
            output,
            "--dataset",
            "rows.csv",
            "--json",
        ];
        let split = ["--split", "train[:20]"];
        let evaluated = scratch.run(&[&evaluate[..], &split].concat()).succeeded();
        assert_eq!(evaluated.json()["accuracy"], whole["test"]["accuracy"]);
        let texts = ["the film was great ."];
        let predict = ["predict", "--model", output];
        scratch.run(&[&predict[..], &texts].concat()).succeeded();
    }
}

/// Whoever sets nothing gets the same run from the library and from the program.
#[test]
fn the_program_and_the_library_have_the_same_defaults() {
    let scratch = Scratch::new();
    scratch.write("rows.csv", samples::csv(&samples::examples(40)));
    for strategy in [Strategy::Full, Strategy::Lora, Strategy::Features] {
        let output = format!("run-{strategy}");
        let mut arguments = vec!["train", "--model"];
        let base = fixtures::path("tiny_bert");
        arguments.extend([
            argument(&base),
            "--dataset",
            "rows.csv",
            "--output",
            &output,
        ]);
        let name = strategy.to_string();
        if strategy != Strategy::default() {
            arguments.extend(["--strategy", &name]);
        }
        scratch.run(&arguments).succeeded();
        let text = String::from_utf8(scratch.read(&format!("{output}/plan.toml"))).unwrap();
        let plan: TrainPlan = toml::from_str(&text).unwrap();
        let mut library = TrainPlan::new(&plan.outputs(), strategy, resolve_auto("auto"));
        // What the data and the model are, and what follows from them.
        library.model.name.clone_from(&plan.model.name);
        library.model.sha256.clone_from(&plan.model.sha256);
        library.model.files.clone_from(&plan.model.files);
        library.model.lora.clone_from(&plan.model.lora);
        let (data, own) = (&mut library.data, &plan.data);
        data.dataset.clone_from(&own.dataset);
        data.dataset_fingerprints
            .clone_from(&own.dataset_fingerprints);
        data.text_column.clone_from(&own.text_column);
        data.label_column.clone_from(&own.label_column);
        data.max_length = own.max_length;
        library.saving.output.clone_from(&plan.saving.output);
        assert_eq!(plan, library);
    }
}
