//! The similarity of two texts, by their words in order.

/// Returns the share of the words that two texts have in common, in order: 1 less the fewest words to
/// insert, delete or replace, divided by the number of words of the longer one. `None` if it is below
/// `at_least`.
pub(crate) fn similarity(a: &[u32], b: &[u32], at_least: f64) -> Option<f64> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let most = ((1.0 - at_least) * long.len() as f64 + 1e-9).floor() as usize;
    let distance = distance(short, long, most)?;
    Some(1.0 - distance as f64 / long.len().max(1) as f64)
}

/// Returns the edit distance, unless it is more than `most`. Only cells of the table that are no further
/// from the diagonal than that are computed.
fn distance(short: &[u32], long: &[u32], most: usize) -> Option<usize> {
    if long.len() - short.len() > most {
        return None;
    }
    const FAR: usize = usize::MAX / 2;
    let mut row: Vec<usize> = (0..=long.len())
        .map(|at| if at <= most { at } else { FAR })
        .collect();
    for (i, word) in short.iter().enumerate() {
        let from = (i + 1).saturating_sub(most);
        let to = (i + 1 + most).min(long.len());
        let mut diagonal = row[from.saturating_sub(1)];
        let mut left = FAR;
        if from == 0 {
            diagonal = row[0];
            row[0] = i + 1;
            left = i + 1;
        }
        let mut least = left;
        for j in from.max(1)..=to {
            let above = if j == i + 1 + most { FAR } else { row[j] };
            let replaced = diagonal + usize::from(*word != long[j - 1]);
            let best = replaced.min(above + 1).min(left + 1);
            diagonal = row[j];
            row[j] = best;
            left = best;
            least = least.min(best);
        }
        if least > most {
            return None;
        }
    }
    Some(row[long.len()]).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::words::mix;

    /// The whole table.
    fn plain(a: &[u32], b: &[u32]) -> usize {
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, word) in a.iter().enumerate() {
            let mut diagonal = row[0];
            row[0] = i + 1;
            for j in 1..=b.len() {
                let best = (diagonal + usize::from(*word != b[j - 1]))
                    .min(row[j] + 1)
                    .min(row[j - 1] + 1);
                diagonal = row[j];
                row[j] = best;
            }
        }
        row[b.len()]
    }

    #[test]
    fn the_band_gives_what_the_whole_table_gives() {
        let mut state = 7;
        let mut draw = |below: u64| {
            state = mix(state + 1);
            state % below
        };
        for _ in 0..3000 {
            let a: Vec<u32> = (0..draw(12)).map(|_| draw(4) as u32).collect();
            let mut b = a.clone();
            for _ in 0..draw(5) {
                let at = draw(b.len() as u64 + 1) as usize;
                match draw(2) {
                    0 => b.insert(at, draw(4) as u32),
                    _ if at < b.len() => drop(b.remove(at)),
                    _ => {}
                }
            }
            let expected = plain(&a, &b);
            let (short, long) = if a.len() <= b.len() {
                (&a, &b)
            } else {
                (&b, &a)
            };
            for most in 0..8 {
                let found = distance(short, long, most);
                assert_eq!(
                    found,
                    Some(expected).filter(|d| *d <= most),
                    "{a:?} {b:?} {most}"
                );
            }
        }
    }

    #[test]
    fn a_tenth_of_the_words_changed_is_nine_tenths_alike() {
        let a: Vec<u32> = (0..20).collect();
        let mut b = a.clone();
        b[3] = 99;
        b[17] = 98;
        assert_eq!(similarity(&a, &b, 0.8), Some(0.9));
        assert_eq!(similarity(&a, &b, 0.95), None);
    }
}
