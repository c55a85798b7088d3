//! Runs of a tiny model on a few rows, and observers that disturb them.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use finetune_data::{Columns, Dataset, TextTokenizer, infer_task};
use finetune_train::{
    BaseModel, BatchSize, Event, Observer, Observers, Prepared, RunDirectory, RunEnd, RunInputs,
    RunLength, RunResults, Start, Strategy, TrainData, TrainError, TrainPlan, device, lasting,
    prepare,
};
use serde_json::Value;
use tempfile::TempDir;

/// Rows per step, steps per epoch, and number of epochs.
pub const BATCH: usize = 8;
pub const STEPS_PER_EPOCH: u64 = 4;
pub const EPOCHS: u64 = 3;

/// A temporary folder with data files, and a plan to train on them.
pub struct Kit {
    folder: TempDir,
    pub base: PathBuf,
    pub data: TrainData,
    pub plan: TrainPlan,
}

/// Generates rows whose first word determines the class.
fn rows(count: usize) -> String {
    let row = |number: usize| {
        let (word, class) = match number % 2 {
            0 => (["good", "great", "fun"][number % 3], "positive"),
            _ => (["bad", "boring", "dull"][number % 3], "negative"),
        };
        let subject = ["film", "movie", "story", "plot", "acting"][number % 5];
        format!("{word} {subject},{class}\n")
    };
    "text,label\n".to_string() + &(0..count).map(row).collect::<String>()
}

impl Kit {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny_bert");
        let dataset = folder.path().join("data");
        fs::create_dir(&dataset).unwrap();
        let train = BATCH * STEPS_PER_EPOCH as usize;
        for (name, count) in [("train", train), ("validation", 12), ("test", 10)] {
            fs::write(dataset.join(format!("{name}.csv")), rows(count)).unwrap();
        }
        let files = Dataset::open(dataset.to_str().unwrap()).unwrap();
        let tokenizer = TextTokenizer::from_directory(&base).unwrap();
        let tokens = |split: &str| {
            let split = files.split(split).unwrap();
            split.tokenize(&tokenizer, 16).unwrap()
        };
        let train = files.split("train").unwrap();
        let columns = Columns::resolve(&train, &[], &[], true).unwrap();
        let task = infer_task(&[&train], &columns, None, None).unwrap();
        let mut plan = TrainPlan::new(&task, Strategy::Full, "cpu".into());
        plan.data.dataset = dataset.display().to_string();
        plan.data.text_column = columns.text;
        plan.data.label_column = columns.label;
        plan.data.validation_split = Some("validation".into());
        plan.data.test_split = Some("test".into());
        plan.data.max_length = 16;
        plan.optimization.batch = BatchSize::Rows(BATCH);
        plan.optimization.length = RunLength::Epochs(EPOCHS as f64);
        plan.optimization.learning_rate = 2e-3;
        plan.optimization.head_learning_rate = 2e-3;
        let data = TrainData {
            train: tokens("train"),
            validation: tokens("validation"),
            test: Some(tokens("test")),
        };
        Self {
            folder,
            base,
            data,
            plan,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn inputs(&self) -> RunInputs {
        RunInputs::new(&self.base, self.data.clone())
    }

    pub fn prepared(&self) -> Prepared {
        prepare(
            &self.plan,
            &BaseModel::open(&self.base).unwrap(),
            &device(&self.plan.model.device).unwrap(),
        )
        .unwrap()
    }

    /// Begins a run.
    pub fn begin(&self, name: &str, observers: Observers<'_>) -> Result<RunEnd, TrainError> {
        let mut run = RunDirectory::create(&self.path(name))?;
        let start = Start::fresh(self.prepared());
        run.execute(&self.plan, start, &self.inputs(), observers)
    }

    /// Performs a run without interruption.
    pub fn whole(&self, name: &str) -> RunResults {
        complete(self.begin(name, Observers::default()).unwrap())
    }

    /// Resumes a run.
    pub fn resume(&self, name: &str, observers: Observers<'_>) -> Result<RunEnd, TrainError> {
        let (mut run, saved) = RunDirectory::open(&self.path(name))?;
        let plan = saved.written()?;
        let start = Start::newest(
            plan,
            &run,
            &BaseModel::open(&self.base).unwrap(),
            &device(&self.plan.model.device).unwrap(),
        )?;
        run.execute(plan, start, &self.inputs(), observers)
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(path)).unwrap()).unwrap()
    }

    /// The event log, line by line.
    pub fn events(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(run).join("events.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    pub fn weights(&self, run: &str) -> Vec<u8> {
        fs::read(self.path(run).join("model/model.safetensors")).unwrap()
    }

    /// Asserts that two runs agree: weights to the bit, and events and results except for times.
    /// Checkpoint events are ignored, since an interruption adds one.
    #[track_caller]
    pub fn assert_same(&self, one: &str, other: &str) {
        let events = |run: &str| {
            let events = self.events(run).into_iter();
            let events = events.filter(|event| event["event"] != "checkpoint");
            events.map(|event| lasting(&event)).collect::<Vec<_>>()
        };
        assert_eq!(events(one), events(other));
        let results = |run: &str| lasting(&self.json(&format!("{run}/results.json")));
        assert_eq!(results(one), results(other));
        assert!(self.weights(one) == self.weights(other), "weights differ");
    }
}

#[track_caller]
pub fn complete(end: RunEnd) -> RunResults {
    match end {
        RunEnd::Complete(results) => *results,
        RunEnd::Interrupted(interruption) => panic!("{interruption}"),
    }
}

/// Fails at an event, like a process that is killed there.
pub struct KilledAt(pub fn(&Event) -> bool);

impl Observer for KilledAt {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        match (self.0)(event) {
            true => Err(TrainError::Internal("killed".into())),
            false => Ok(()),
        }
    }
}

/// Interrupts the run at an event.
pub struct InterruptAt {
    when: fn(&Event) -> bool,
    seen: bool,
}

impl InterruptAt {
    pub fn new(when: fn(&Event) -> bool) -> Self {
        Self { when, seen: false }
    }
}

impl Observer for InterruptAt {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        self.seen |= (self.when)(event);
        Ok(())
    }

    fn interrupted(&self) -> bool {
        self.seen
    }
}

/// Collects the notes of a run.
#[derive(Clone, Default)]
pub struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    pub fn text(&self) -> String {
        self.0.borrow().join("\n")
    }
}

impl Observer for Notes {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if let Event::Note { message } = event {
            self.0.borrow_mut().push(message.clone());
        }
        Ok(())
    }
}
