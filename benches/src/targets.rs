//! Compares the results with the project's targets.

use super::results::{Row, Table, Verdict};
use super::statistics::{largest, median, ratio, smallest};

/// A target.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The fastest of `ours` is at least `times` as fast as the fastest of `theirs`.
    TimesAsFast {
        /// The quantity compared, in words.
        what: &'a str,
        /// Our rows, and the key of their speed.
        ours: (&'a [&'a str], &'a str),
        /// The peer's rows, and the key of their speed.
        theirs: (&'a [&'a str], &'a str),
        /// The aim.
        times: f64,
    },
    /// No row of `rows` has more of `key` than `limit`.
    AtMost {
        /// The limited quantity, in words.
        what: &'a str,
        /// The rows, by their keys.
        rows: &'a [&'a str],
        /// The key of the quantity.
        key: &'a str,
        /// The limit in the unit of the key.
        limit: f64,
        /// The factor for display, and the unit of the result.
        shown: (f64, &'a str),
    },
    /// The share `key` of `row` is at least `limit`.
    AtLeast {
        /// The quantity compared, in words.
        what: &'a str,
        /// The rows, by their keys.
        row: &'a str,
        /// The key of the quantity.
        key: &'a str,
        /// The aim.
        limit: f64,
    },
    /// The largest median of `key` among the `rows`, with each round divided by its mean, is at most
    /// `times` the smallest.
    Flat {
        /// The quantity compared, in words.
        what: &'a str,
        /// The rows, by their keys.
        rows: &'a [&'a str],
        /// The key of the quantity.
        key: &'a str,
        /// The aim.
        times: f64,
    },
}

impl Target<'_> {
    /// Compares the target with a table.
    #[must_use]
    pub fn judge(&self, table: &Table) -> Verdict {
        match *self {
            Self::TimesAsFast {
                what,
                ours,
                theirs,
                times,
            } => {
                let found = fastest(table, ours).zip(fastest(table, theirs));
                let found = found.map(|(ours, theirs)| ratio(ours, theirs));
                Verdict {
                    what: what.to_owned(),
                    aim: format!("≥ {times:.2} ×"),
                    found: found.map(|found| format!("{found:.2} ×")),
                    met: found.map(|found| found >= times),
                }
            }
            Self::AtMost {
                what,
                rows,
                key,
                limit,
                shown: (factor, unit),
            } => {
                let found = medians(table, rows, key);
                let found = (!found.is_empty()).then(|| largest(&found));
                let show = |value: f64| format!("{:.3} {unit}", value * factor);
                Verdict {
                    what: what.to_owned(),
                    aim: format!("≤ {}", show(limit)),
                    found: found.map(show),
                    met: found.map(|found| found <= limit),
                }
            }
            Self::AtLeast {
                what,
                row,
                key,
                limit,
            } => {
                let found = table.row(row).and_then(|row| row.median(key));
                let show = |part: f64| format!("{:.0} %", 100.0 * part);
                Verdict {
                    what: what.to_owned(),
                    aim: format!("≥ {}", show(limit)),
                    found: found.map(show),
                    met: found.map(|found| found >= limit),
                }
            }
            Self::Flat {
                what,
                rows,
                key,
                times,
            } => {
                let rounds = rows.iter().map(|name| table.row(name)?.rounds(key));
                let rounds: Option<Vec<&[f64]>> = rounds.collect();
                let found = rounds.map(|rounds| levelled(&rounds));
                let found = found.map(|found| largest(&found) / smallest(&found));
                Verdict {
                    what: what.to_owned(),
                    aim: format!("≤ {times:.2}"),
                    found: found.map(|found| format!("{found:.2}")),
                    met: found.map(|found| found <= times),
                }
            }
        }
    }
}

/// Returns the values of the row with the highest median.
fn fastest<'a>(table: &'a Table, (rows, key): (&[&str], &str)) -> Option<&'a [f64]> {
    let rows = rows.iter().filter_map(|name| table.row(name));
    let speed = |row: &&Row| row.median(key).unwrap_or(f64::NEG_INFINITY);
    rows.max_by(|a, b| speed(a).total_cmp(&speed(b)))?
        .rounds(key)
}

/// Returns the median of each row after dividing each round by its mean over all rows, so that a slow
/// round cancels out.
fn levelled(rows: &[&[f64]]) -> Vec<f64> {
    let mean = |round: usize| {
        let values = rows.iter().filter_map(|row| row.get(round));
        values.sum::<f64>() / rows.len() as f64
    };
    let row = |row: &&[f64]| {
        let parts = row.iter().enumerate();
        median(
            &parts
                .map(|(round, value)| value / mean(round))
                .collect::<Vec<_>>(),
        )
    };
    rows.iter().map(row).collect()
}

fn medians(table: &Table, rows: &[&str], key: &str) -> Vec<f64> {
    let rows = rows.iter().filter_map(|name| table.row(name));
    rows.filter_map(|row| row.median(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::PEAK_MEMORY;
    use crate::results::tests::table;

    fn speed(times: f64) -> Target<'static> {
        Target::TimesAsFast {
            what: "fastest to fastest",
            ours: (&["f32", "bf16"], "speed"),
            theirs: (&["peer"], "speed"),
            times,
        }
    }

    #[test]
    fn the_fastest_of_a_side_counts() {
        let table = table(&[("f32", &[10.0]), ("bf16", &[34.0]), ("peer", &[20.0])]);
        let verdict = speed(1.7).judge(&table);
        assert_eq!(verdict.found.as_deref(), Some("1.70 ×"));
        assert_eq!(verdict.aim, "≥ 1.70 ×");
        assert_eq!(verdict.met, Some(true));
        assert_eq!(speed(1.71).judge(&table).word(), "not met");
    }

    #[test]
    fn what_is_absent_is_not_zero() {
        let alone = table(&[("f32", &[10.0]), ("bf16", &[]), ("peer", &[])]);
        let verdict = speed(1.7).judge(&alone);
        assert_eq!(
            (verdict.found.clone(), verdict.word()),
            (None, "not measured")
        );
        let one = table(&[("f32", &[10.0]), ("bf16", &[]), ("peer", &[5.0])]);
        assert_eq!(speed(1.7).judge(&one).found.as_deref(), Some("2.00 ×"));
    }

    #[test]
    fn limits_hold_for_all_and_flatness_needs_all() {
        let table = table(&[("a", &[10.0]), ("b", &[11.0]), ("c", &[])]);
        let memory = |limit| Target::AtMost {
            what: "memory",
            rows: &["a", "b"],
            key: PEAK_MEMORY,
            limit,
            shown: (1e-9, "GB"),
        };
        let verdict = memory(1.2e9).judge(&table);
        assert_eq!(verdict.aim, "≤ 1.200 GB");
        assert_eq!(
            (verdict.found.as_deref(), verdict.met),
            (Some("1.250 GB"), Some(false))
        );
        let flat = |rows| Target::Flat {
            what: "flat",
            rows,
            key: "speed",
            times: 1.15,
        };
        assert_eq!(
            flat(&["a", "b"]).judge(&table).found.as_deref(),
            Some("1.10")
        );
        assert_eq!(flat(&["a", "b", "c"]).judge(&table).met, None);
    }
}
