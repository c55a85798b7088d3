//! The sections of the page, one file each. A section whose facts are missing is left out.

mod before_after;
mod calibration;
mod classes;
mod confusion;
mod curves;
mod lengths;
mod optimization;
mod overview;
mod ranking;
mod regression;
mod repeat;
mod resources;
mod rows;
mod thresholds;

use maud::Markup;

use crate::{ReportError, RunFacts};

/// A section.
pub(crate) struct Section {
    /// Its name in links.
    pub id: &'static str,
    pub title: &'static str,
    pub body: Markup,
}

type Make = fn(&RunFacts) -> Result<Option<Section>, ReportError>;

/// All sections in the order of the page.
const ALL: [Make; 14] = [
    overview::section,
    curves::section,
    before_after::section,
    confusion::section,
    classes::section,
    thresholds::section,
    ranking::section,
    calibration::section,
    regression::section,
    rows::section,
    lengths::section,
    optimization::section,
    resources::section,
    repeat::section,
];

/// Makes the sections for which there are facts.
pub(crate) fn all(facts: &RunFacts) -> Result<Vec<Section>, ReportError> {
    let made = ALL.iter().map(|make| make(facts));
    made.filter_map(Result::transpose).collect()
}
