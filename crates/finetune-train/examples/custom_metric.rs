//! A custom metric and a custom observer. The best model is the one with the lowest cost, where
//! missing the last class costs five times as much as a false alarm, and the run ends once the cost is
//! low enough:
//! `cargo run --release --example custom_metric -- MODEL_DIR DATA.csv RUN_DIR`.

use std::{env, error::Error, path::Path};

use finetune_data::{Columns, Dataset, TextTokenizer, infer_task};
use finetune_metrics::{CustomMetric, Predictions, Targets, argmax};
use finetune_train::{
    BaseModel, CustomMetrics, Event, Observer, Observers, RunDirectory, RunEnd, RunInputs,
    RunLength, Start, Strategy, TrainData, TrainError, TrainPlan, device, prepare,
};
use serde_json::{Value, json};

/// The mean cost per row.
struct Cost;

impl CustomMetric for Cost {
    fn name(&self) -> &str {
        "cost"
    }

    fn greater_is_better(&self) -> bool {
        false
    }

    fn compute(&self, predictions: &Predictions<'_>) -> f64 {
        let Targets::Classes(targets) = predictions.targets() else {
            return f64::NAN;
        };
        let last = predictions.outputs() - 1;
        let cost = |(row, &target): (&[f32], &u32)| match argmax(row) {
            Some(class) if class == target as usize => 0.0,
            _ if target as usize == last => 5.0,
            _ => 1.0,
        };
        predictions.iter().zip(targets).map(cost).sum::<f64>() / predictions.rows() as f64
    }
}

/// Prints the cost after each evaluation, and ends the run when it falls to `enough`.
struct CostWatch {
    enough: f64,
    evaluations: u64,
    last: f64,
}

impl Observer for CostWatch {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if let Event::Evaluated { epoch, metrics, .. } = event {
            self.evaluations += 1;
            self.last = metrics.get("cost").unwrap_or(f64::NAN);
            println!("after epoch {epoch}: cost {:.3}", self.last);
        }
        Ok(())
    }

    fn stop(&self) -> Option<String> {
        let reached = self.last <= self.enough;
        reached.then(|| format!("the cost is {:.3}", self.last))
    }

    /// Stored in each checkpoint, for programs that resume the run.
    fn checkpoint(&mut self) -> Result<Option<(&'static str, Value)>, TrainError> {
        let state = json!({"evaluations": self.evaluations, "last": self.last});
        Ok(Some(("cost_watch", state)))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, data, run] = arguments.as_slice() else {
        return Err("usage: custom_metric MODEL_DIR DATA.csv RUN_DIR".into());
    };
    let base = Path::new(model);

    let rows = Dataset::open(data)?.split("train")?;
    let columns = Columns::resolve(&rows, &[], &[], true)?;
    let labels = infer_task(&[&rows], &columns, None, None)?;
    let (training, validation) = rows.stratified_split(&columns, Some(&labels), 0.1, 42)?;
    let tokenizer = TextTokenizer::from_directory(base)?;
    let data = TrainData {
        train: training.tokenize(&tokenizer, 64)?,
        validation: validation.tokenize(&tokenizer, 64)?,
        test: None,
    };
    let mut plan = TrainPlan::new(&labels, Strategy::Full, "cpu".into());
    plan.model.name = model.clone();
    plan.data.dataset = arguments[1].clone();
    plan.data.text_column = columns.text.clone();
    plan.data.label_column = columns.label.clone();
    plan.data.max_length = 64;
    plan.optimization.length = RunLength::Epochs(5.0);
    plan.evaluation.metric_for_best_model = "cost".into();
    let metrics = CustomMetrics::default().with(Cost)?;
    plan.check_with(&metrics)?;
    let start = Start::fresh(prepare(
        &plan,
        &BaseModel::open(base)?,
        &device(&plan.model.device)?,
    )?);
    let mut run = RunDirectory::create(Path::new(run))?;
    let watch = CostWatch {
        enough: 0.05,
        evaluations: 0,
        last: f64::NAN,
    };
    let observers = Observers::default().measuring(metrics).with(watch);
    if let RunEnd::Complete(results) =
        run.execute(&plan, start, &RunInputs::new(base, data), observers)?
    {
        let outcome = results.outcome;
        println!("{:?} after {} steps", outcome.reason, outcome.steps);
    }
    Ok(())
}
