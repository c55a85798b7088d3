//! The times of a training run's steps, in the same form for ours and the peer's.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// The timeline of a training run. Times are in seconds since its process was started.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// When training began: after the set-up, and before features were computed.
    pub begin: f64,
    /// When the first step began.
    pub first_step: f64,
    /// All steps, in order.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Step {
    /// Number of rows.
    pub rows: u64,
    /// Number of their tokens, without padding.
    pub tokens: u64,
    /// When the step ended.
    pub end: f64,
}

/// The speed of a part of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Rows per second.
    pub samples_per_second: f64,
    /// Seconds per token.
    pub seconds_per_token: f64,
    /// Average number of tokens per row.
    pub tokens_per_row: f64,
}

impl Timeline {
    /// Creates a timeline from the lines of our event log and the times at which they were written.
    ///
    /// # Errors
    /// Fails if there is no start or no step.
    pub fn of_events(events: &[(f64, Value)]) -> Result<Self> {
        let named = |name: &str| {
            let name = name.to_owned();
            let events = events.iter().map(|(time, event)| (*time, event));
            events.filter(move |(_, event)| event["event"] == *name)
        };
        let (begin, _) = named("started").next().context("no event `started`")?;
        let step = |(end, event): (f64, &Value)| {
            let number = |name| event[name].as_u64().context("a step without counts");
            anyhow::Ok(Step {
                rows: number("rows")?,
                tokens: number("tokens")?,
                end,
            })
        };
        let steps: Vec<Step> = named("step").map(step).collect::<Result<_>>()?;
        let (end, first) = named("step").next().context("no event `step`")?;
        let seconds = first["seconds"].as_f64().context("a step without a time")?;
        Ok(Self {
            begin,
            first_step: end - seconds,
            steps,
        })
    }

    /// Creates a timeline from the output of the peer's script, whose times are since the epoch, like
    /// `started`.
    ///
    /// # Errors
    /// Fails if something is missing.
    pub fn of_peer(result: &Value, started: f64) -> Result<Self> {
        #[derive(Deserialize)]
        struct Peer {
            begin: f64,
            first_step: f64,
            steps: Vec<Step>,
        }
        let mut peer = Peer::deserialize(result).context("the peer's result is incomplete")?;
        ensure!(!peer.steps.is_empty(), "the peer made no step");
        for step in &mut peer.steps {
            step.end -= started;
        }
        Ok(Self {
            begin: peer.begin - started,
            first_step: peer.first_step - started,
            steps: peer.steps,
        })
    }

    /// Returns the speed without the first `skipped` steps, which fill caches and pools.
    ///
    /// # Errors
    /// Fails unless there are more steps.
    pub fn steady(&self, skipped: usize) -> Result<Pace> {
        let start = match skipped {
            0 => Some(self.first_step),
            _ => self.steps.get(skipped - 1).map(|step| step.end),
        };
        let steps = self.steps.get(skipped..).filter(|steps| !steps.is_empty());
        let (start, steps) = start.zip(steps).with_context(|| {
            let made = self.steps.len();
            format!("the run made {made} steps, of which {skipped} do not count")
        })?;
        pace(steps, start)
    }

    /// Returns the speed from the beginning of the training to the end of its last step.
    ///
    /// # Errors
    /// Fails if there is no step.
    pub fn whole(&self) -> Result<Pace> {
        pace(&self.steps, self.begin)
    }
}

fn pace(steps: &[Step], start: f64) -> Result<Pace> {
    let last = steps.last().context("no steps")?;
    let rows: u64 = steps.iter().map(|step| step.rows).sum();
    let tokens: u64 = steps.iter().map(|step| step.tokens).sum();
    let seconds = last.end - start;
    ensure!(
        rows > 0 && tokens > 0 && seconds > 0.0,
        "steps without rows or time"
    );
    Ok(Pace {
        samples_per_second: rows as f64 / seconds,
        seconds_per_token: seconds / tokens as f64,
        tokens_per_row: tokens as f64 / rows as f64,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn events() -> Vec<(f64, Value)> {
        let step = |end: f64, rows: u64| {
            (
                end,
                json!({"event": "step", "rows": rows, "tokens": 20 * rows, "seconds": 0.5}),
            )
        };
        vec![
            (1.0, json!({"event": "started", "train_rows": 40})),
            (1.5, json!({"event": "evaluated", "rows": 7})),
            step(2.5, 16),
            step(3.0, 16),
            step(3.25, 8),
            (9.0, json!({"event": "finished", "seconds": 1.5})),
        ]
    }

    #[test]
    fn our_events_and_the_peers_result_are_one_timeline() {
        let ours = Timeline::of_events(&events()).unwrap();
        assert_eq!(
            (ours.begin, ours.first_step, ours.steps.len()),
            (1.0, 2.0, 3)
        );
        let peer = json!({
            "begin": 1001.0, "first_step": 1002.0, "threads": 2,
            "steps": [
                {"rows": 16, "tokens": 320, "end": 1002.5},
                {"rows": 16, "tokens": 320, "end": 1003.0},
                {"rows": 8, "tokens": 160, "end": 1003.25},
            ],
        });
        assert_eq!(Timeline::of_peer(&peer, 1000.0).unwrap(), ours);
    }

    #[test]
    fn steady_steps_leave_out_the_first() {
        let timeline = Timeline::of_events(&events()).unwrap();
        let pace = timeline.steady(1).unwrap();
        assert_eq!(pace.samples_per_second, 24.0 / 0.75);
        assert_eq!(pace.seconds_per_token, 0.75 / 480.0);
        assert_eq!(pace.tokens_per_row, 20.0);
        assert_eq!(timeline.steady(0).unwrap().samples_per_second, 40.0 / 1.25);
        assert_eq!(timeline.whole().unwrap().samples_per_second, 40.0 / 2.25);
        let error = timeline.steady(3).unwrap_err().to_string();
        assert!(error.contains("made 3 steps"), "{error}");
    }

    #[test]
    fn an_incomplete_log_is_an_error() {
        for kept in [0, 1, 2] {
            let mut events = events();
            events.truncate(kept);
            Timeline::of_events(&events).unwrap_err();
        }
        Timeline::of_peer(&json!({"begin": 1.0}), 0.0).unwrap_err();
    }
}
