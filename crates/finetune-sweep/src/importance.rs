//! How much of the differences between trials a key explains by itself.
//!
//! The trials are put into groups by the values of the key, and the importance is epsilon squared of the
//! Kruskal-Wallis test: the share of the variance of the objective's ranks that lies between the groups, corrected
//! for what chance would explain. Unlike a rank correlation it sees that the best value lies in the middle, as that
//! of a learning rate does; unlike a random forest on a few dozen trials it has no settings and no seed, and says
//! 0 where there is nothing. It does not see interactions.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use toml::Value;

use crate::verdict::better_first;
use finetune_compare::name::shown;

/// Maximum number of groups of a number's values.
const MOST_GROUPS: usize = 4;
/// Number of trials per group of a number's values.
const PER_GROUP: usize = 3;

/// The importance of a key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The key.
    pub key: String,
    /// Share of the variance of the objective's ranks that the key explains, from 0 to 1; `None` with too few
    /// trials to tell.
    pub share: Option<f64>,
    /// How likely a share as great is by chance.
    pub p_value: Option<f64>,
    /// The values of the group with the best ranks, in words.
    pub best: Option<String>,
}

/// A group of trials with similar values.
struct Group {
    name: String,
    /// Ranks of their objectives, 1 for the best.
    ranks: Vec<f64>,
}

impl Importance {
    /// Computes the importance of a key from its values and the objectives of the trials.
    pub fn of(key: &str, trials: &[(&Value, f64)], greater_is_better: bool) -> Self {
        let objectives: Vec<f64> = trials.iter().map(|(_, objective)| *objective).collect();
        let ranks = ranks(&objectives, greater_is_better);
        let values: Vec<&Value> = trials.iter().map(|(value, _)| *value).collect();
        let groups = groups(&values, &ranks);
        let found = kruskal_wallis(&groups);
        let mean = |group: &Group| group.ranks.iter().sum::<f64>() / group.ranks.len() as f64;
        let best = groups.iter().min_by(|a, b| mean(a).total_cmp(&mean(b)));
        Self {
            key: key.to_owned(),
            share: found.map(|(share, _)| share),
            p_value: found.map(|(_, p_value)| p_value),
            best: best
                .filter(|_| found.is_some())
                .map(|group| group.name.clone()),
        }
    }
}

/// Ranks from 1 for the best; equal values share their mean rank.
fn ranks(values: &[f64], greater_is_better: bool) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| better_first(greater_is_better, Some(values[*a]), Some(values[*b])));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let mean = start as f64 + (equal.len() as f64 + 1.0) / 2.0;
        for number in equal {
            ranks[*number] = mean;
        }
        start += equal.len();
    }
    ranks
}

/// Groups trials by their values: by each value, or by neighbouring ones if they are many numbers.
fn groups(values: &[&Value], ranks: &[f64]) -> Vec<Group> {
    let mut distinct: Vec<&Value> = Vec::new();
    for value in values {
        if !distinct.contains(value) {
            distinct.push(value);
        }
    }
    let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
    let most = (values.len() / PER_GROUP).clamp(2, MOST_GROUPS);
    if let Some(numbers) = numbers
        && distinct.len() > most
    {
        return neighbours(&numbers, ranks, most);
    }
    let of = |value: &&Value| Group {
        name: shown(value),
        ranks: values
            .iter()
            .zip(ranks)
            .filter(|(other, _)| other == &value)
            .map(|(_, rank)| *rank)
            .collect(),
    };
    distinct.iter().map(of).collect()
}

/// Groups of neighbouring numbers, as equal in size as equal numbers in one group allow.
fn neighbours(numbers: &[f64], ranks: &[f64], count: usize) -> Vec<Group> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut done = 0;
    for equal in order.chunk_by(|a, b| numbers[*a] == numbers[*b]) {
        let group = (done * count / numbers.len()).min(count - 1);
        groups[group].extend(equal);
        done += equal.len();
    }
    groups.retain(|group| !group.is_empty());
    let named = groups.into_iter().map(|members| {
        let ends =
            [members.first(), members.last()].map(|end| end.map_or(f64::NAN, |end| numbers[*end]));
        let [low, high] = ends.map(|end| shown(&Value::Float(end)));
        Group {
            name: if low == high {
                low
            } else {
                format!("{low} to {high}")
            },
            ranks: members.iter().map(|number| ranks[*number]).collect(),
        }
    });
    named.collect()
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        .or(value.as_integer().map(|number| number as f64))
}

/// Epsilon squared and the p-value; `None` for fewer than two groups, for groups of one trial each, or if all
/// objectives are equal.
fn kruskal_wallis(groups: &[Group]) -> Option<(f64, f64)> {
    let count = groups.iter().map(|group| group.ranks.len()).sum::<usize>() as f64;
    let freedom = groups.len() as f64 - 1.0;
    let within = count - groups.len() as f64;
    let mean = (count + 1.0) / 2.0;
    let total: f64 = groups
        .iter()
        .flat_map(|group| &group.ranks)
        .map(|rank| (rank - mean).powi(2))
        .sum();
    if freedom < 1.0 || within < 1.0 || total == 0.0 {
        return None;
    }
    let between: f64 = groups
        .iter()
        .map(|group| {
            let size = group.ranks.len() as f64;
            size * (group.ranks.iter().sum::<f64>() / size - mean).powi(2)
        })
        .sum();
    // With this form of the statistic, ties need no correction.
    let statistic = (count - 1.0) * between / total;
    let share = ((statistic - freedom) / within).clamp(0.0, 1.0);
    let chi_squared = ChiSquared::new(freedom).ok()?;
    Some((share, chi_squared.sf(statistic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.kruskal([1, 3, 5, 7, 9], [2, 4, 6, 8, 10], [11, 12, 13, 14, 15]) is 9.5, p 0.008652.
    #[test]
    fn the_test_is_that_of_kruskal_and_wallis() {
        let group = |ranks: &[f64]| Group {
            name: String::new(),
            ranks: ranks.to_vec(),
        };
        let groups = [
            group(&[1.0, 3.0, 5.0, 7.0, 9.0]),
            group(&[2.0, 4.0, 6.0, 8.0, 10.0]),
            group(&[11.0, 12.0, 13.0, 14.0, 15.0]),
        ];
        let (share, p_value) = kruskal_wallis(&groups).unwrap();
        assert!((share - (9.5 - 2.0) / 12.0).abs() < 1e-3, "{share}");
        assert!((p_value - 0.008652).abs() < 1e-5, "{p_value}");
    }

    #[test]
    fn a_best_value_in_the_middle_is_seen_and_chance_is_not() {
        let rates: Vec<Value> = (0..24)
            .map(|number| Value::Float(f64::from(number)))
            .collect();
        let objective = |number: usize| -(number as f64 - 11.0).powi(2);
        let trials: Vec<_> = rates
            .iter()
            .enumerate()
            .map(|(n, rate)| (rate, objective(n)))
            .collect();
        let found = Importance::of("learning_rate", &trials, true);
        assert!(found.share.unwrap() > 0.7, "{found:?}");
        assert_eq!(found.best.as_deref(), Some("6 to 11"));
        let sizes = [Value::Integer(8), Value::Integer(16)];
        let trials: Vec<_> = (0..24).map(|n| (&sizes[n % 2], objective(n))).collect();
        let found = Importance::of("batch_size", &trials, true);
        assert!(found.share.unwrap() < 0.05, "{found:?}");
        let few = Importance::of("x", &[(&sizes[0], 0.5), (&sizes[1], 0.6)], true);
        assert_eq!((few.share, few.best), (None, None));
    }

    #[test]
    fn equal_values_share_a_rank() {
        assert_eq!(ranks(&[0.5, 0.9, 0.5, 0.1], true), [2.5, 1.0, 2.5, 4.0]);
        assert_eq!(ranks(&[0.5, 0.9, 0.1], false), [2.0, 3.0, 1.0]);
    }
}
