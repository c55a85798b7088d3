//! What is searched, as a TOML file says it.

mod parse;
mod values;

use std::{num::NonZeroU64, time::Duration};

use finetune_metrics::Metric;
use toml::Table;

pub use values::{Range, Values};

use crate::Budget;

/// Maximum number of trials. A longer list is more likely a mistake than months of training.
pub const MOST_TRIALS: usize = 10_000;

/// A description whose options have been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// Options of all trials.
    pub base: Table,
    /// The keys that vary, in the order of the file. Dots separate the tables of a key.
    pub vary: Vec<(String, Values)>,
    /// How settings are chosen.
    pub draws: Draws,
    /// Which trials are trained to the end.
    pub search: Search,
    /// Number of trials.
    pub trials: Option<usize>,
    /// How long a command may go on.
    pub time: Option<Duration>,
    /// Seed of the draws.
    pub seed: u64,
    /// The objective; `None` for the metric that chooses the best model by default.
    pub objective: Option<Metric>,
}

/// How settings are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draws {
    /// Every combination, the last key changing fastest.
    Grid,
    /// Independent draws.
    Random,
    /// A scrambled Halton sequence, whose points cover the space more evenly.
    Halton,
}

/// Which trials are trained to the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Search {
    /// All of them.
    All,
    /// Successive halving: at each rung the best `1 / factor` go on.
    Halving {
        /// The lowest rung, of which the others are multiples.
        first: Part,
        /// How many times fewer trials, each trained as many times longer, are on the next rung.
        factor: u64,
        /// Length of a whole run, in the unit of the rungs.
        whole: f64,
    },
    /// The median rule: the first trials are trained to the end, and each other one stops where it is worse than
    /// their median.
    Median {
        /// Distance of the points where trials are compared.
        every: Part,
        /// Number of trials that are trained to the end in any case.
        startup: usize,
        /// Length of a whole run, in the unit of `every`.
        whole: f64,
    },
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Optimizer steps.
    Steps(NonZeroU64),
    /// Epochs.
    Epochs(NonZeroU64),
}

impl Part {
    /// Returns `times` this part, or everything if that is `whole` or more.
    pub fn times(self, times: u64, whole: f64) -> Budget {
        let number = match self {
            Self::Steps(number) | Self::Epochs(number) => number.get().saturating_mul(times),
        };
        match self {
            _ if number as f64 >= whole => Budget::Full,
            Self::Steps(_) => Budget::Steps(number),
            Self::Epochs(_) => Budget::Epochs(number),
        }
    }
}

impl Sweep {
    /// Returns the first point at which trials are compared: the end, unless some stop before.
    pub fn first_budget(&self) -> Budget {
        match self.search {
            Search::All => Budget::Full,
            Search::Halving { first, whole, .. } => first.times(1, whole),
            Search::Median { every, whole, .. } => every.times(1, whole),
        }
    }
}
