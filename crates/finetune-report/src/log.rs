//! The event log of a run, `events.jsonl`, as far as a report shows it. EVENTS.md of `finetune-train` describes
//! its format.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
};

use serde::Deserialize;
use serde_json::{Map, Value};

/// The events of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunLog {
    /// The first event.
    pub started: Option<Started>,
    /// The log entries of optimizer steps.
    pub steps: Vec<StepPoint>,
    /// The evaluations, of all splits.
    pub evaluations: Vec<EvaluationPoint>,
    /// The last event of a complete session.
    pub finished: Option<Finished>,
    /// Number of the first line that is no event, from 1, unless it is the last line, which a killed process may
    /// leave incomplete.
    pub damaged_line: Option<usize>,
}

/// What was known when training began.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Started {
    /// Number of training rows.
    pub train_rows: u64,
    /// Optimizer steps in the run, if nothing stops it.
    pub total_steps: u64,
    /// Optimizer steps per epoch.
    #[serde(default)]
    pub steps_per_epoch: u64,
    /// Number of parameters.
    #[serde(default)]
    pub parameters: u64,
    /// Number of trained parameters.
    #[serde(default)]
    pub trainable_parameters: u64,
    /// Fraction of the first epoch's tokens that padded batches would have added.
    pub padding_avoided: Option<f64>,
}

/// A log entry of one or several optimizer steps.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct StepPoint {
    /// Steps done.
    pub step: u64,
    /// Mean loss.
    pub loss: Option<f64>,
    /// Learning rate.
    pub learning_rate: Option<f64>,
    /// Learning rate of the head, if it has its own.
    pub head_learning_rate: Option<f64>,
    /// Gradient norm before clipping.
    pub grad_norm: Option<f64>,
    /// Time of the steps.
    pub seconds: Option<f64>,
}

/// An evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationPoint {
    /// Name of the split.
    pub split: String,
    /// Steps done.
    pub step: u64,
    /// The metrics that are single defined numbers.
    pub metrics: BTreeMap<String, f64>,
    /// Whether the model was the best so far.
    pub best: bool,
    /// Duration in seconds.
    pub seconds: f64,
}

/// The end of a run's steps.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Finished {
    /// Steps done.
    pub step: u64,
    /// Why the steps ended: a word, or an object with the reason of an observer.
    #[serde(default)]
    pub reason: Value,
    /// Time of all steps in seconds.
    pub seconds: Option<f64>,
}

/// A line of the log.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Started(Started),
    Step(StepPoint),
    Evaluated {
        split: String,
        step: u64,
        metrics: Map<String, Value>,
        #[serde(default)]
        best: bool,
        seconds: Option<f64>,
    },
    Finished(Finished),
    #[serde(other)]
    Other,
}

impl RunLog {
    /// Reads a log line by line.
    ///
    /// # Errors
    /// Fails if it cannot be read. Lines that are no events are left out.
    pub fn read(mut log: impl BufRead) -> io::Result<Self> {
        let mut all = Self::default();
        let (mut line, mut number, mut bad) = (Vec::new(), 0, None);
        while log.read_until(b'\n', &mut line)? > 0 {
            number += 1;
            all.damaged_line = all.damaged_line.or(bad.take());
            match serde_json::from_slice(&line) {
                Ok(event) => all.add(event),
                Err(_) => bad = Some(number),
            }
            line.clear();
        }
        Ok(all)
    }

    fn add(&mut self, event: Line) {
        match event {
            Line::Started(started) => self.started = Some(started),
            Line::Step(step) => self.steps.push(step),
            Line::Evaluated {
                split,
                step,
                metrics,
                best,
                seconds,
            } => {
                let numbers = metrics.into_iter();
                let numbers = numbers.filter(|(name, _)| name != "rows");
                self.evaluations.push(EvaluationPoint {
                    split,
                    step,
                    metrics: numbers
                        .filter_map(|(name, value)| Some((name, value.as_f64()?)))
                        .collect(),
                    best,
                    seconds: seconds.unwrap_or(0.0),
                });
            }
            Line::Finished(finished) => self.finished = Some(finished),
            Line::Other => {}
        }
    }

    /// Returns the number of steps that the log has.
    pub fn last_step(&self) -> u64 {
        let steps = self.steps.last().map(|step| step.step);
        let evaluated = self.evaluations.iter().map(|point| point.step).max();
        steps.max(evaluated).unwrap_or(0)
    }

    /// Returns the evaluations of the validation rows.
    pub fn validations(&self) -> impl Iterator<Item = &EvaluationPoint> {
        let all = self.evaluations.iter();
        all.filter(|point| point.split == "validation")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"event":"started","version":"1","train_rows":8,"validation_rows":2,"steps_per_epoch":2,"total_steps":4,"warmup_steps":0,"parameters":9,"trainable_parameters":9,"padding_avoided":0.25}
{"event":"evaluated","split":"validation","step":0,"epoch":0.0,"metrics":{"rows":2,"loss":0.7,"roc_auc":null,"per_class":{}},"best":false,"seconds":0.5}
{"event":"something_new","step":1}
{"event":"step","step":1,"epoch":0.5,"loss":null,"learning_rate":0.1,"grad_norm":2.0,"rows":4,"tokens":9,"seconds":0.1}
"#;

    #[test]
    fn a_log_is_read_as_far_as_it_goes() {
        let log = RunLog::read(LOG.as_bytes()).unwrap();
        assert_eq!(log.started.as_ref().unwrap().padding_avoided, Some(0.25));
        assert_eq!((log.steps.len(), log.steps[0].loss), (1, None));
        let [evaluation] = log.evaluations.as_slice() else {
            panic!("{log:?}");
        };
        let metrics: Vec<_> = evaluation.metrics.iter().collect();
        assert_eq!(metrics, [(&"loss".to_string(), &0.7)]);
        assert_eq!((log.last_step(), log.damaged_line), (1, None));
        // The last line of a killed process is incomplete.
        let cut = RunLog::read(&LOG.as_bytes()[..LOG.len() - 9]).unwrap();
        assert_eq!((cut.steps.len(), cut.damaged_line), (0, None));
        let broken = LOG.replace("{\"event\":\"something_new\"", "\u{0}");
        let broken = RunLog::read(broken.as_bytes()).unwrap();
        assert_eq!((broken.steps.len(), broken.damaged_line), (1, Some(3)));
    }
}
