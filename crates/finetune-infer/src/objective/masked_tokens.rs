//! Masked language modelling: the loss of masked tokens, whose logits are never kept.

use finetune_metrics::{Metric, MetricError, Predictions};
use finetune_task::Labels;
use serde_json::{Value, json};

use super::{RowMetrics, TaskMetrics};
use crate::{Accumulator, Summary, WorstRows};

/// The summed loss of the masked tokens of an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MaskedTokenLosses {
    rows: u64,
    tokens: u64,
    loss: f64,
}

impl MaskedTokenLosses {
    /// Adds `rows` rows with `tokens` masked tokens, whose cross-entropies sum up to `loss`.
    pub fn add(&mut self, rows: u64, tokens: u64, loss: f64) {
        self.rows += rows;
        self.tokens += tokens;
        self.loss += loss;
    }

    /// Returns the mean loss of the masked tokens; NaN if there are none.
    pub fn mean(&self) -> f64 {
        self.loss / self.tokens as f64
    }
}

impl From<MaskedTokenLosses> for Accumulator {
    fn from(losses: MaskedTokenLosses) -> Self {
        Self::new(losses)
    }
}

impl RowMetrics for MaskedTokenLosses {
    /// Takes no logits: the loss of a masked token is computed without keeping them.
    fn update(&mut self, _: &[f32], _: usize, _: &Labels) -> Result<bool, MetricError> {
        Ok(false)
    }

    fn summary(&self) -> Summary {
        Summary::new(*self)
    }

    fn predictions(&self) -> Predictions<'_> {
        Predictions::none()
    }

    fn report(&self, _: &dyn Fn(&str) -> String) -> String {
        let (loss, perplexity) = (self.mean(), self.mean().exp());
        format!(
            "loss {loss:.4} over {} masked tokens, perplexity {perplexity:.2}\n",
            self.tokens
        )
    }

    fn worst_rows(&self, count: usize) -> WorstRows {
        WorstRows::new("loss", Vec::new(), count)
    }
}

impl TaskMetrics for MaskedTokenLosses {
    fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Loss => Some(self.mean()),
            Metric::Perplexity => Some(self.mean().exp()),
            _ => None,
        }
    }

    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![("loss", self.mean()), ("perplexity", self.mean().exp())]
    }

    fn json(&self) -> Value {
        json!({
            "rows": self.rows,
            "loss": self.mean(),
            "perplexity": self.mean().exp(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_tokens_not_rows() {
        let mut losses = MaskedTokenLosses::default();
        losses.add(2, 1, 5.0);
        losses.add(3, 3, 1.0);
        let evaluation = Accumulator::from(losses).evaluation();
        assert_eq!(evaluation.get("loss"), Some(1.5));
        assert_eq!(evaluation.get("perplexity"), Some(1.5_f64.exp()));
        assert_eq!(evaluation.get("accuracy"), None);
        assert_eq!(evaluation.record().rows(), 5);
    }

    #[test]
    fn without_masked_tokens_nothing_is_defined() {
        let mut losses = MaskedTokenLosses::default();
        losses.add(1, 0, 0.0);
        let record = Accumulator::from(losses).evaluation().record();
        assert!(record.has("loss") && record.get("loss").is_none());
    }
}
