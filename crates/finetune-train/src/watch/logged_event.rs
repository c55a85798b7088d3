//! A line of the event log, read back.

use serde::Deserialize;

use crate::{EvaluationRecord, Event, StopReason};

/// The part of an [`Event`] that views of a run show, as the log has it. Undefined values are `None`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum LoggedEvent {
    Started {
        trainable_parameters: Option<f64>,
    },
    Unfrozen {
        step: u64,
        trainable_parameters: Option<f64>,
    },
    Step {
        step: u64,
        epoch: Option<f64>,
        loss: Option<f64>,
        learning_rate: Option<f64>,
        head_learning_rate: Option<f64>,
        grad_norm: Option<f64>,
        rows: Option<f64>,
        pairs: Option<f64>,
        seconds: Option<f64>,
    },
    Evaluated {
        step: u64,
        split: String,
        metrics: EvaluationRecord,
    },
    Finished {
        step: u64,
        loss: Option<f64>,
        seconds: Option<f64>,
        reason: StopReason,
    },
    /// An event that only the log shows.
    #[serde(other)]
    Other,
}

impl LoggedEvent {
    /// Returns an event as the log will have it.
    pub fn of(event: &Event) -> serde_json::Result<Self> {
        serde_json::from_value(serde_json::to_value(event)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_round_trip() {
        let step = Event::Step {
            step: 3,
            epoch: 0.5,
            loss: f64::NAN,
            learning_rate: 1e-3,
            head_learning_rate: None,
            grad_norm: 2.0,
            rows: 16,
            pairs: Some(8),
            tokens: 99,
            seconds: 0.25,
        };
        let expected = LoggedEvent::Step {
            step: 3,
            epoch: Some(0.5),
            loss: None,
            learning_rate: Some(1e-3),
            head_learning_rate: None,
            grad_norm: Some(2.0),
            rows: Some(16.0),
            pairs: Some(8.0),
            seconds: Some(0.25),
        };
        assert_eq!(LoggedEvent::of(&step).unwrap(), expected);
        let unfrozen = Event::Unfrozen {
            step: 2,
            lowest_layer: 1,
            trainable_parameters: 7,
        };
        let expected = LoggedEvent::Unfrozen {
            step: 2,
            trainable_parameters: Some(7.0),
        };
        assert_eq!(LoggedEvent::of(&unfrozen).unwrap(), expected);
        for reason in [
            StopReason::Completed,
            StopReason::Interrupted,
            StopReason::Observer("enough".into()),
        ] {
            let finished = Event::Finished {
                step: 9,
                loss: 0.5,
                reason: reason.clone(),
                best_step: 9,
                lost_best: None,
                seconds: 1.0,
            };
            let expected = LoggedEvent::Finished {
                step: 9,
                loss: Some(0.5),
                seconds: Some(1.0),
                reason,
            };
            assert_eq!(LoggedEvent::of(&finished).unwrap(), expected);
        }
        let checkpoint = Event::Checkpoint {
            step: 1,
            best: true,
        };
        assert_eq!(LoggedEvent::of(&checkpoint).unwrap(), LoggedEvent::Other);
    }
}
