//! The learning rate of each step.

/// Linear warm-up from 0, then linear decay to 0: transformers' `linear`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    learning_rate: f64,
    warmup_steps: u64,
    total_steps: u64,
}

impl Schedule {
    /// A schedule over `total_steps` with the first `warmup_ratio` of them (rounded up) for
    /// warming up to `learning_rate`.
    pub fn linear(learning_rate: f64, warmup_ratio: f64, total_steps: u64) -> Self {
        Self {
            learning_rate,
            warmup_steps: (total_steps as f64 * warmup_ratio).ceil() as u64,
            total_steps,
        }
    }

    /// The learning rate of step `step`, from 0. The first of a warm-up is 0, as in transformers.
    pub fn at(&self, step: u64) -> f64 {
        let factor = if step < self.warmup_steps {
            step as f64 / self.warmup_steps.max(1) as f64
        } else {
            let left = self.total_steps.saturating_sub(step) as f64;
            left / (self.total_steps - self.warmup_steps).max(1) as f64
        };
        self.learning_rate * factor
    }

    /// Number of warm-up steps.
    pub fn warmup_steps(&self) -> u64 {
        self.warmup_steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `transformers.get_linear_schedule_with_warmup(optimizer, 2, 10)`.
    #[test]
    fn matches_transformers() {
        let schedule = Schedule::linear(1.0, 0.2, 10);
        let rates: Vec<_> = (0..10).map(|step| schedule.at(step)).collect();
        assert_eq!(
            rates,
            [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
        );
    }

    #[test]
    fn edges() {
        assert_eq!(Schedule::linear(1.0, 0.0, 4).at(0), 1.0);
        assert_eq!(Schedule::linear(1.0, 0.0, 4).at(4), 0.0);
        assert_eq!(Schedule::linear(1.0, 0.1, 189).warmup_steps(), 19);
        let only_warmup = Schedule::linear(1.0, 1.0, 3);
        assert_eq!(only_warmup.at(2), 2.0 / 3.0);
        assert_eq!(only_warmup.at(3), 0.0);
    }
}
