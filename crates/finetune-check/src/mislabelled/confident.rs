//! Confident learning (Northcutt et al., 2021): rows whose label is another than the class of which a
//! classifier that did not see them is confident.

/// A row whose label is probably wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Suspect {
    /// Index among the rows that were looked at.
    pub(crate) index: usize,
    /// The class that the classifier is confident of.
    pub(crate) instead: u32,
    /// Probability of the label less that of the likeliest other class: the normalized margin.
    pub(crate) margin: f32,
}

/// Finds the suspects among rows with these probabilities `[rows, classes]`, the worst first.
///
/// A classifier is confident of a class from the mean of its probability among the rows with that label on.
/// A row is suspect if, of the classes that it is confident of, the likeliest is not the label, as in
/// cleanlab's `find_label_issues(filter_by="confident_learning", return_indices_ranked_by="normalized_margin")`.
pub(crate) fn suspects(probabilities: &[f32], labels: &[u32], classes: usize) -> Vec<Suspect> {
    let mut sums = vec![(0.0_f64, 0_u64); classes];
    for (row, label) in probabilities.chunks_exact(classes).zip(labels) {
        let sum = &mut sums[*label as usize];
        sum.0 += f64::from(row[*label as usize]);
        sum.1 += 1;
    }
    // Nothing is confident of a class without rows.
    let threshold = |(sum, rows): &(f64, u64)| match rows {
        0 => f64::INFINITY,
        rows => sum / *rows as f64 - 1e-6,
    };
    let thresholds: Vec<f64> = sums.iter().map(threshold).collect();
    let mut suspects = Vec::new();
    for (index, (row, label)) in probabilities.chunks_exact(classes).zip(labels).enumerate() {
        let confident = (0_u32..)
            .zip(row)
            .filter(|(class, probability)| f64::from(**probability) >= thresholds[*class as usize]);
        let likeliest =
            confident.fold(
                None,
                |best: Option<(u32, f32)>, (class, probability)| match best {
                    Some((_, most)) if most >= *probability => best,
                    _ => Some((class, *probability)),
                },
            );
        let Some((instead, _)) = likeliest.filter(|(class, _)| class != label) else {
            continue;
        };
        suspects.push(Suspect {
            index,
            instead,
            margin: margin(row, *label),
        });
    }
    suspects.sort_by(|a, b| a.margin.total_cmp(&b.margin).then(a.index.cmp(&b.index)));
    suspects
}

fn margin(row: &[f32], label: u32) -> f32 {
    let others = row
        .iter()
        .enumerate()
        .filter(|(class, _)| *class != label as usize);
    let most = others
        .map(|(_, probability)| *probability)
        .fold(0.0, f32::max);
    row[label as usize] - most
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked by hand: the thresholds are 0.7 and 0.6.
    #[test]
    fn a_class_is_confident_from_the_mean_of_its_own_rows_on() {
        let probabilities = [
            0.9, 0.1, // 0
            0.9, 0.1, // 0
            0.3, 0.7, // 0, confident of 1
            0.2, 0.8, // 1
            0.35, 0.65, // 1
            0.65, 0.35, // 1, but not confident of 0
        ];
        let found = suspects(&probabilities, &[0, 0, 0, 1, 1, 1], 2);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].index, found[0].instead), (2, 1));
        assert!((found[0].margin + 0.4).abs() < 1e-6);
    }

    #[test]
    fn the_worst_come_first_and_ties_in_order() {
        let probabilities = [0.1, 0.9, 0.0, 1.0, 0.1, 0.9, 0.9, 0.1, 0.9, 0.1, 0.2, 0.8];
        let found = suspects(&probabilities, &[0, 0, 0, 0, 0, 1], 2);
        let order: Vec<usize> = found.iter().map(|suspect| suspect.index).collect();
        assert_eq!(order, [1, 0, 2]);
    }
}
