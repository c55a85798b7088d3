//! Runs that pretrain a masked language model: they end, resume and are evaluated like all others.

use std::{fs, ops::ControlFlow, path::PathBuf};

use finetune_data::{Columns, Dataset, TextTokenizer, TokenizeOptions, TokenizedDataset};
use finetune_models::{MaskedLm, SequenceClassifier};
use finetune_train::{
    BaseModel, BatchSize, ErrorKind, Event, Interval, MaskUnit, Observers, OptimizerConfig,
    Prepared, PretrainingPlan, RunDirectory, RunEnd, RunInputs, RunLength, Start, Strategy,
    TrainData, TrainError, TrainPlan, TrainedModel, device, lasting,
};
use tempfile::TempDir;

use crate::kit::{KilledAt, Kit, complete};

const ROWS: usize = 24;
const STEPS_PER_EPOCH: u64 = 3;

/// Texts of the tiny model's words, a plan to pretrain on them, and the files of both.
struct Texts {
    folder: TempDir,
    base: PathBuf,
    data: TrainData,
    plan: TrainPlan,
}

impl Texts {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = Kit::new().base;
        let text = |row: usize| {
            let words = [
                "good", "film", "the", "was", "story", "fun", "acting", "slow",
            ];
            let words = (0..12).map(|word| words[(row * 5 + word * 3) % 8]);
            words.collect::<Vec<_>>().join(" ") + "\n"
        };
        let tokens = |name: &str, rows: std::ops::Range<usize>| {
            let path = folder.path().join(format!("{name}.txt"));
            fs::write(&path, rows.map(text).collect::<String>()).unwrap();
            let files = Dataset::open(path.to_str().unwrap()).unwrap();
            let split = files.split("train").unwrap();
            let columns = Columns::resolve(&split, &[], &[], false).unwrap();
            let tokenizer = TextTokenizer::from_directory(&base).unwrap();
            let options = TokenizeOptions {
                max_length: 16,
                cache_dir: None,
            };
            let keep_going = |_, _| ControlFlow::Continue(());
            TokenizedDataset::build_windows(&split, &columns, &tokenizer, &options, keep_going)
                .unwrap()
        };
        let data = TrainData {
            train: tokens("train", 0..ROWS),
            validation: tokens("validation", 3..11),
            test: Some(tokens("test", 5..9)),
        };
        let mut plan = TrainPlan::pretraining(Strategy::Full, "cpu".into());
        plan.data.dataset = folder.path().display().to_string();
        plan.data.max_length = 16;
        plan.optimization.batch = BatchSize::Rows(4);
        plan.optimization.gradient_accumulation_steps = 2;
        plan.optimization.length = RunLength::Epochs(3.0);
        plan.optimization.learning_rate = 3e-3;
        plan.optimization.head_learning_rate = 3e-3;
        Self {
            folder,
            base,
            data,
            plan,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn inputs(&self) -> RunInputs {
        RunInputs::new(&self.base, self.data.clone())
    }

    fn prepared(&self) -> Prepared<MaskedLm> {
        let base = BaseModel::open(&self.base).unwrap();
        MaskedLm::prepare(&self.plan, &base, &device("cpu").unwrap()).unwrap()
    }

    fn begin(&self, name: &str, observers: Observers<'_>) -> Result<RunEnd, TrainError> {
        let mut run = RunDirectory::create(&self.path(name))?;
        let start = Start::fresh(self.prepared());
        run.pretrain(&self.plan, start, &self.inputs(), observers)
    }

    fn resume(&self, name: &str, observers: Observers<'_>) -> Result<RunEnd, TrainError> {
        let (mut run, saved) = RunDirectory::open(&self.path(name))?;
        let plan = saved.written()?;
        let base = BaseModel::open(&self.base).unwrap();
        let start = Start::newest(plan, &run, &base, &device("cpu").unwrap())?;
        run.pretrain(plan, start, &self.inputs(), observers)
    }

    fn weights(&self, run: &str) -> Vec<u8> {
        fs::read(self.path(run).join("model/model.safetensors")).unwrap()
    }

    fn results(&self, run: &str) -> serde_json::Value {
        let bytes = fs::read(self.path(run).join("results.json")).unwrap();
        lasting(&serde_json::from_slice(&bytes).unwrap())
    }
}

#[test]
fn a_model_learns_and_is_kept() {
    let texts = Texts::new();
    let results = complete(texts.begin("run", Observers::default()).unwrap());
    let outcome = &results.outcome;
    assert_eq!(outcome.steps, 3 * STEPS_PER_EPOCH);
    let before = outcome.before.as_ref().unwrap();
    let after = outcome.kept_evaluation.as_ref().unwrap();
    let (was, is) = (before.get("loss").unwrap(), after.get("loss").unwrap());
    assert!(is < was - 0.1, "{was} {is}");
    let perplexity = after.get("perplexity").unwrap();
    assert!((perplexity - is.exp()).abs() < 1e-9 * perplexity);
    assert_eq!(after.rows(), texts.data.validation.len());
    let json = texts.results("run");
    assert!(json["test"]["perplexity"].as_f64().unwrap() > 1.0, "{json}");
    assert!(texts.path("run/tensorboard").exists());
    // The model opens again as what it is, and its encoder under a new head.
    let (device, model) = (device("cpu").unwrap(), texts.path("run/model"));
    let (_, report) = MaskedLm::load(&model, 0, &device).unwrap();
    assert!(report.fresh.is_empty(), "{:?}", report.fresh);
    let (_, report) = SequenceClassifier::load(&model, None, 0, &device).unwrap();
    assert!(report.fresh.iter().all(|name| !name.contains("encoder")));
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let mut texts = Texts::new();
    texts.plan.optimization.ema_decay = Some(0.9);
    texts.plan.pretraining = Some(PretrainingPlan {
        masking: MaskUnit::Spans,
        ..PretrainingPlan::default()
    });
    texts.plan.saving.save = Interval::Steps(std::num::NonZeroU64::new(2).unwrap());
    texts.plan.evaluation.eval = Interval::Steps(std::num::NonZeroU64::new(2).unwrap());
    complete(texts.begin("whole", Observers::default()).unwrap());
    let moments: [fn(&Event) -> bool; 3] = [
        |event| matches!(event, Event::Progress { step: 3, .. }),
        |event| matches!(event, Event::Progress { step: 5, .. }),
        |event| matches!(event, Event::Evaluated { step: 8, .. }),
    ];
    let killed = |end: Result<RunEnd, TrainError>| {
        assert_eq!(end.unwrap_err().to_string(), "killed");
    };
    let at = |moment| Observers::default().with(KilledAt(moment));
    killed(texts.begin("run", at(moments[0])));
    for moment in &moments[1..] {
        killed(texts.resume("run", at(*moment)));
    }
    complete(texts.resume("run", Observers::default()).unwrap());
    assert!(
        texts.weights("whole") == texts.weights("run"),
        "weights differ"
    );
    assert_eq!(texts.results("whole"), texts.results("run"));
}

/// The loss is a mean over the masked tokens of the step, however the rows are cut into batches.
#[test]
fn accumulated_batches_are_one_large_batch() {
    let mut texts = Texts::new();
    texts.plan.optimization.length = RunLength::Steps(std::num::NonZeroU64::new(3).unwrap());
    texts.plan.optimization.optimizer = OptimizerConfig::Sgd(Default::default());
    // Dropout is drawn for each batch; the tiny model has none.
    complete(texts.begin("accumulated", Observers::default()).unwrap());
    texts.plan.optimization.batch = BatchSize::Rows(8);
    texts.plan.optimization.gradient_accumulation_steps = 1;
    complete(texts.begin("at_once", Observers::default()).unwrap());
    let loss = |run: &str| texts.results(run)["train"]["loss"].as_f64().unwrap();
    let (accumulated, at_once) = (loss("accumulated"), loss("at_once"));
    assert!(
        (accumulated - at_once).abs() < 1e-5,
        "{accumulated} {at_once}"
    );
}

#[test]
fn strategies_train_what_they_name() {
    let mut texts = Texts::new();
    texts.plan.optimization.length = RunLength::Steps(std::num::NonZeroU64::new(2).unwrap());
    let (device, base) = (device("cpu").unwrap(), texts.base.clone());
    let parameters = |directory: &std::path::Path| {
        let mut file =
            finetune_models::SafetensorsFile::open(&directory.join("model.safetensors")).unwrap();
        let names = file.names().into_iter();
        names
            .map(|name| (name.clone(), file.read_f32(&name).unwrap()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let was = parameters(&base);
    for (number, strategy) in ["last:1", "params:layer\\.1\\..*dense"]
        .into_iter()
        .enumerate()
    {
        texts.plan.model.strategy = strategy.parse().unwrap();
        let prepared = texts.prepared();
        assert!(prepared.trainable < prepared.all);
        let run = format!("run{number}");
        complete(texts.begin(&run, Observers::default()).unwrap());
        let is = parameters(&texts.path(&run).join("model"));
        for (name, values) in &was {
            let Some(now) = is.get(name) else { continue };
            let changes = values != now;
            let lower = name.contains("embeddings") || name.contains("layer.0");
            assert!(!(changes && lower), "{strategy} changed {name}");
        }
        let dense = "bert.encoder.layer.1.output.dense.weight";
        assert_ne!(was[dense], is[dense], "{strategy}");
    }
    drop(device);
    texts.plan.model.strategy = Strategy::Lora;
    let error = texts.plan.check().unwrap_err();
    assert!(error.to_string().contains("--strategy full"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Input);
}

#[test]
fn plans_and_runs_must_agree() {
    let texts = Texts::new();
    let kit = Kit::new();
    let mut run = RunDirectory::create(&texts.path("run")).unwrap();
    let start = Start::fresh(texts.prepared());
    let end = run.pretrain(&kit.plan, start, &texts.inputs(), Observers::default());
    assert!(
        end.unwrap_err()
            .to_string()
            .contains("RunDirectory::execute")
    );
    let start = Start::fresh(kit.prepared());
    let end = run.execute(&texts.plan, start, &kit.inputs(), Observers::default());
    assert!(
        end.unwrap_err()
            .to_string()
            .contains("RunDirectory::pretrain")
    );
    drop(run);
    assert!(!texts.path("run").exists(), "nothing is left");
}
