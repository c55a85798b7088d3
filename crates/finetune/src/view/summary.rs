//! What a command prints when it is done.

use finetune_infer::Accumulator;
use finetune_metrics::Metric;

use crate::view::output::printable;

/// The tables of an evaluation. Control characters in names are shown, so that columns line up.
pub fn tables(accumulator: &Accumulator) -> String {
    accumulator.report(|name| printable(name).into_owned())
}

/// The intervals in words; empty where there are none.
pub fn describe_intervals(all: &Accumulator) -> String {
    let intervals = all.intervals().into_iter().map(|(metric, interval)| {
        let title = match metric {
            Metric::F1Macro => "F1 macro",
            _ => metric.name(),
        };
        format!("{title} {:.4} to {:.4}", interval.low, interval.high)
    });
    let intervals: Vec<_> = intervals.collect();
    match intervals.is_empty() {
        true => String::new(),
        false => format!(
            "95 % intervals of the bootstrap: {}\n",
            intervals.join(", ")
        ),
    }
}
