//! Formats an evaluation as tables and intervals.

use finetune_infer::Accumulator;
use finetune_metrics::Metric;

use crate::view::output::printable;

/// Formats the tables of an evaluation. Control characters in names are escaped, so that columns line up.
pub fn tables(accumulator: &Accumulator) -> String {
    accumulator.report(|name| printable(name).into_owned())
}

/// Describes the confidence intervals; empty if there are none.
pub fn describe_intervals(accumulator: &Accumulator) -> String {
    let intervals = accumulator
        .intervals()
        .into_iter()
        .map(|(metric, interval)| {
            let title = match metric {
                Metric::F1Macro => "F1 macro",
                _ => metric.name(),
            };
            format!("{title} {:.4} to {:.4}", interval.low, interval.high)
        });
    let intervals: Vec<_> = intervals.collect();
    match intervals.is_empty() {
        true => String::new(),
        false => format!("95 % bootstrap intervals: {}\n", intervals.join(", ")),
    }
}
