//! Calibration, the agreement of a classifier's confidence with its accuracy: reliability bins and
//! their mean gap.

use serde::Serialize;

/// Number of bins of equal width, as in Guo et al.
pub(crate) const RELIABILITY_BINS: usize = 15;

/// The rows whose confidence is in `(lower, upper]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Lower bound of the confidence, exclusive.
    pub lower: f64,
    /// Upper bound of the confidence, inclusive.
    pub upper: f64,
    /// Number of rows.
    pub count: u64,
    /// Mean confidence of the rows; NaN without rows.
    pub confidence: f64,
    /// Share of the rows that are predicted correctly; NaN without rows.
    pub accuracy: f64,
}

/// Sums of confidence and hits per bin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reliability {
    bins: [BinCounts; RELIABILITY_BINS],
}

#[derive(Clone, Copy, Debug, Default)]
struct BinCounts {
    count: u64,
    hits: u64,
    confidence: f64,
}

impl Reliability {
    pub(crate) fn update(&mut self, confidence: f64, hit: bool) {
        let above = (confidence * RELIABILITY_BINS as f64).ceil() as usize;
        let bin = &mut self.bins[above.clamp(1, RELIABILITY_BINS) - 1];
        bin.count += 1;
        bin.hits += u64::from(hit);
        bin.confidence += confidence;
    }

    pub(crate) fn bins(&self) -> Vec<ReliabilityBin> {
        let edge = |index: usize| index as f64 / RELIABILITY_BINS as f64;
        let bins = self.bins.iter().enumerate();
        bins.map(|(index, bin)| ReliabilityBin {
            lower: edge(index),
            upper: edge(index + 1),
            count: bin.count,
            confidence: bin.confidence / bin.count as f64,
            accuracy: bin.hits as f64 / bin.count as f64,
        })
        .collect()
    }

    /// Computes the expected calibration error (Guo et al., "On Calibration of Modern Neural Networks",
    /// 2017): the gap between confidence and accuracy of each bin, averaged over rows. NaN without rows.
    pub(crate) fn expected_calibration_error(&self) -> f64 {
        let rows: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let gaps: f64 = self
            .bins
            .iter()
            .map(|bin| (bin.confidence - bin.hits as f64).abs())
            .sum();
        gaps / rows as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_on_an_edge_belongs_to_the_bin_below() {
        for bin in 1..=RELIABILITY_BINS {
            let mut reliability = Reliability::default();
            let edge = bin as f64 / RELIABILITY_BINS as f64;
            reliability.update(edge, true);
            let bins = reliability.bins();
            assert_eq!((bins[bin - 1].count, bins[bin - 1].upper), (1, edge));
        }
    }
}
