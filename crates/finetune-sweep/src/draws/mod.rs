//! From a description to its trials. Trial `i` is a function of the description and of `i`, whoever computes it.

mod halton;
mod uniform;

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::{
    CompareError, Sweep, Trial,
    description::{Draws, MOST_TRIALS},
};
use halton::Halton;

/// Draws in a row without new settings after which a space is taken to have no others.
const FUTILE: usize = 1_000;

/// The keys that vary with their values.
type Settings = Vec<(String, Value)>;

impl Sweep {
    /// Returns the trials in their order: as many as the description wants, or all of a grid, or as many as a
    /// time could allow. No two have the same settings.
    ///
    /// # Errors
    /// Fails with [`CompareError::Description`] if there are fewer settings than trials.
    pub fn trials(&self) -> Result<Vec<Trial>, CompareError> {
        let trials = match self.draws {
            Draws::Grid => self.distinct((0..).map_while(|number| self.combination(number))),
            Draws::Random => self.distinct((0..).map(|number| {
                self.at(|key| uniform::uniform(self.seed, &self.vary[key].0, number))
            })),
            Draws::Halton => {
                let halton = Halton::new(self.seed, self.vary.len());
                self.distinct((0..).map(|number| self.at(|key| halton.point(number, key))))
            }
        };
        match self.trials {
            Some(wanted) if trials.len() < wanted => Err(CompareError::Description {
                problem: format!(
                    "trials is {wanted}, but [vary] has only {0} different settings; write trials = {0}, or vary \
                     more",
                    trials.len()
                ),
            }),
            _ => Ok(trials),
        }
    }

    /// The first trials of a sequence whose settings are new.
    fn distinct(&self, sequence: impl Iterator<Item = Settings>) -> Vec<Trial> {
        let wanted = self.trials.unwrap_or(MOST_TRIALS);
        let fixed = self.fixed_options();
        let mut taken = BTreeSet::new();
        let mut trials: Vec<Trial> = Vec::new();
        let mut futile = 0;
        for settings in sequence {
            let trial = Trial::new(trials.len(), settings, &fixed);
            match taken.insert(trial.name.clone()) {
                true => {
                    trials.push(trial);
                    futile = 0;
                }
                false => futile += 1,
            }
            if trials.len() == wanted || futile == FUTILE {
                break;
            }
        }
        trials
    }

    /// The settings at a point of the unit cube, whose coordinates are given by the number of the key.
    fn at(&self, coordinate: impl Fn(usize) -> f64) -> Settings {
        let settings = self
            .vary
            .iter()
            .enumerate()
            .filter_map(|(number, (key, values))| {
                Some((key.clone(), values.at(coordinate(number))?))
            });
        settings.collect()
    }

    /// A combination of the grid; the last key changes fastest. `None` after the last one.
    fn combination(&self, number: u64) -> Option<Settings> {
        let mut left = number;
        let mut settings = Vec::new();
        for (key, values) in self.vary.iter().rev() {
            let all = values.all()?;
            let value = all.get((left % all.len() as u64) as usize)?;
            settings.push((key.clone(), value.clone()));
            left /= all.len() as u64;
        }
        settings.reverse();
        (left == 0).then_some(settings)
    }

    /// The options that all trials share: the base, with what the search needs.
    pub(crate) fn fixed_options(&self) -> Table {
        let mut options = self.base.clone();
        if let Some(metric) = self.objective {
            options.insert("metric_for_best_model".into(), metric.name().into());
        }
        if let Some(steps) = self.evaluation_steps() {
            options.insert("eval_strategy".into(), "steps".into());
            options.insert("eval_steps".into(), steps.into());
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: &str = "[vary]\nlearning_rate = { min = 1e-5, max = 1e-2, log = true }\n\
                         batch_size = [8, 16]\nlora.r = { min = 1, max = 64 }\n";

    fn sweep(text: &str) -> Sweep {
        Sweep::parse(text, &|table| Ok(table)).unwrap()
    }

    fn names(text: &str) -> Vec<String> {
        let trials = sweep(text).trials().unwrap();
        trials.into_iter().map(|trial| trial.name).collect()
    }

    #[test]
    fn a_trial_depends_on_description_and_number_alone() {
        for method in ["random", "halton"] {
            let of = |trials: usize, more: &str| {
                names(&format!(
                    "method = '{method}'\ntrials = {trials}\n{more}\n{SPACE}"
                ))
            };
            let many = of(50, "");
            assert_eq!(of(7, ""), many[..7]);
            assert_eq!(of(50, ""), many);
            assert_ne!(of(7, "seed = 2"), many[..7]);
            let different: BTreeSet<_> = many.iter().collect();
            assert_eq!(different.len(), 50);
        }
    }

    #[test]
    fn a_grid_has_every_combination() {
        let text =
            "method = 'grid'\n[vary]\nx = [1, 2]\ny = { min = 0.0, max = 0.5, step = 0.25 }\n";
        let expected = [
            "x-1-y-0",
            "x-1-y-0.25",
            "x-1-y-0.5",
            "x-2-y-0",
            "x-2-y-0.25",
            "x-2-y-0.5",
        ];
        assert_eq!(names(text), expected);
        assert_eq!(names(&format!("trials = 2\n{text}")), expected[..2]);
    }

    #[test]
    fn a_small_space_is_exhausted() {
        let small = "method = 'random'\ntrials = 6\n[vary]\nx = [1, 2, 3]\ny = [1, 2]\n";
        assert_eq!(names(small).len(), 6);
        let error = sweep(&small.replace("= 6", "= 7")).trials().unwrap_err();
        assert!(
            error.to_string().contains("only 6 different settings"),
            "{error}"
        );
        assert_eq!(names(&small.replace("trials = 6", "time = '1h'")).len(), 6);
    }
}
