//! The table as cells of text, which the terminal and Markdown show.

use super::{
    comparison::{Comparison, Row, ScoreInterval},
    group::Failed,
    units::{bytes, count, p_value, seconds, share},
};

/// What stands in a cell without a value.
const ABSENT: &str = "–";

impl Comparison {
    /// Returns the header and a line per variant. Columns without any value are left out.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let header = [
            "",
            "",
            self.metric.as_str(),
            "change",
            "p (seeds)",
            "p (rows)",
            "training",
            "rows/s",
            "memory",
            "trained",
            "saved",
            "per 1,000",
        ];
        let lines: Vec<Vec<String>> = self.rows.iter().map(Row::cells).collect();
        let is_used = |column: usize| column < 3 || lines.iter().any(|line| line[column] != ABSENT);
        let kept: Vec<usize> = (0..header.len())
            .filter(|&column| is_used(column))
            .collect();
        let header: Vec<String> = header.map(str::to_owned).to_vec();
        let pick = |line: &Vec<String>| kept.iter().map(|&column| line[column].clone()).collect();
        std::iter::once(&header).chain(&lines).map(pick).collect()
    }

    /// Says which runs have no results, and why.
    pub fn failures(&self) -> Vec<String> {
        let incomplete = self.rows.iter().flat_map(|row| &row.incomplete);
        let shown = incomplete.map(|run| match &run.reason {
            Failed::Failed { code, message } => {
                format!("{}: failed with exit code {code}: {message}", run.name)
            }
            Failed::Pending => format!("{}: not complete", run.name),
        });
        shown.collect()
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let or_absent = |text: Option<String>| text.unwrap_or_else(|| ABSENT.to_owned());
        let change = self.change.as_ref();
        vec![
            if self.pareto { "*" } else { "" }.to_owned(),
            self.name.clone(),
            or_absent(self.score.map(|score| match score.interval {
                Some(ScoreInterval::Seeds { high, .. }) => {
                    format!("{:.4} ± {:.4}", score.mean, high - score.mean)
                }
                Some(ScoreInterval::Rows { low, high }) => {
                    format!("{:.4} [{low:.4}, {high:.4}]", score.mean)
                }
                None => format!("{:.4}", score.mean),
            })),
            or_absent(change.map(|change| format!("{:+.4}", change.mean))),
            or_absent(
                change
                    .and_then(|change| change.seeds_p_adjusted)
                    .map(p_value),
            ),
            or_absent(
                change
                    .and_then(|change| change.rows_p_adjusted)
                    .map(p_value),
            ),
            or_absent(self.train_seconds.map(seconds)),
            or_absent(self.samples_per_second.map(count)),
            or_absent(self.peak_memory_bytes.map(|peak| bytes(peak as f64))),
            or_absent(
                self.trained_parameters
                    .zip(self.trained_share)
                    .map(|(parameters, part)| {
                        format!("{} ({})", count(parameters as f64), share(part))
                    }),
            ),
            or_absent(self.model_bytes.map(bytes)),
            or_absent(self.seconds_per_1000.map(seconds)),
        ]
    }
}
