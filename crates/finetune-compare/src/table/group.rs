//! What is compared: the runs of each variant.

use serde::Serialize;

use super::facts::RunFacts;

/// The runs that differ by their seed alone.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What distinguishes it, as the table shows it.
    pub settings: Vec<(String, String)>,
    /// Its complete runs, in the order of their seeds.
    pub runs: Vec<RunFacts>,
    /// Its other runs.
    pub incomplete: Vec<Incomplete>,
}

/// A run without results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incomplete {
    /// Its name.
    pub name: String,
    /// Why it has none.
    pub reason: Failed,
}

/// Why a run has no results.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Failed {
    /// It failed.
    Failed {
        /// The exit code.
        code: u8,
        /// The last line of its output.
        message: String,
    },
    /// It has not been done yet.
    Pending,
}
