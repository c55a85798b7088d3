//! What is compared, as a TOML file says it.
//!
//! A description has a base, which holds options that all runs share, and up to three lists that multiply:
//! variants by name, a grid of options with several values each, and numbers of training rows. Each combination
//! is trained once per seed.

mod expand;
mod parse;

use toml::{Table, Value};

/// A description whose options have been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Options of all runs.
    pub base: Table,
    /// Named sets of options, in the order of the file. Each overrides the base.
    pub variants: Vec<(String, Table)>,
    /// Options with several values each, in the order of the file. Dots separate the tables of a key.
    pub grid: Vec<(String, Vec<Value>)>,
    /// Numbers of training rows; empty for all.
    pub rows: Vec<u64>,
    /// Seeds; empty for the one in the options, or the program's default.
    pub seeds: Vec<u64>,
    /// The metric to compare, if the description names one.
    pub metric: Option<String>,
}

/// What a row of the table is about: the runs that differ by their seed alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name, which no other variant has and which is a file name.
    pub name: String,
    /// What distinguishes it besides its name in the file: key and value as the table shows them.
    pub settings: Vec<(String, String)>,
    /// Number of training rows, if the description varies it.
    pub rows: Option<u64>,
    /// Its runs, in the order of the seeds.
    pub runs: Vec<PlannedRun>,
}

/// A run to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRun {
    /// The name of its directory.
    pub name: String,
    /// All of its options.
    pub options: Table,
}

/// Checks a table of options and returns it with the canonical names of its keys, or says what is wrong.
pub type CheckOptions<'a> = &'a dyn Fn(Table) -> Result<Table, String>;
