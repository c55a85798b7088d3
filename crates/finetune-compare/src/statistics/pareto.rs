//! The Pareto front: what nothing else beats.

/// Returns for each point whether no other is at least as good in every coordinate and better in one; smaller is
/// better. A point with NaN is never on the front.
pub fn pareto_front<const N: usize>(points: &[[f64; N]]) -> Vec<bool> {
    let dominates = |a: &[f64; N], b: &[f64; N]| {
        let mut pairs = a.iter().zip(b);
        pairs.clone().all(|(a, b)| a <= b) && pairs.any(|(a, b)| a < b)
    };
    let on_front = |point: &[f64; N]| {
        let known = point.iter().all(|value| !value.is_nan());
        known && !points.iter().any(|other| dominates(other, point))
    };
    points.iter().map(on_front).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nothing_beats_is_on_the_front() {
        let points = [
            [1.0, 5.0],
            [2.0, 2.0],
            [3.0, 3.0],
            [2.0, 2.0],
            [f64::NAN, 0.0],
            [9.0, 1.0],
        ];
        assert_eq!(
            pareto_front(&points),
            [true, true, false, true, false, true]
        );
        assert!(pareto_front::<2>(&[]).is_empty());
    }
}
