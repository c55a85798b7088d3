#![doc = include_str!("../README.md")]

mod check;
mod checks;
mod clean;
mod data;
mod duplicates;
mod error;
mod finding;
mod html;
mod mislabelled;
mod report;
mod scan;
mod suggestions;
mod tokens;

pub use check::{Checked, Options, SIMILARITY, Watch};
pub use clean::{CLEANED_BY_DEFAULT, CleanedSplit, LOG, REMOVABLE};
pub use data::{CheckedSplit, Data, Role};
pub use error::{CheckError, Result};
pub use finding::{Example, Location, ReportedFinding, Severity};
pub use html::page;
pub use report::{Report, ReportedSplit};
pub use suggestions::Suggestion;
