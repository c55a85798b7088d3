//! Detects whether other programs disturbed a measurement.

use std::fs;

/// Share of the processors' time from which a disturbance is reported.
const WORTH_TELLING: f64 = 0.05;

/// The processors' time so far, in the system's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    busy: u64,
    all: u64,
}

impl Ticks {
    /// Reads the present value; `None` if the system does not report it (only Linux does).
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Parses the first line: user, nice, system, idle, waiting, interrupts, stolen by other machines.
    fn parse(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = fields
            .split_whitespace()
            .take(8)
            .map(|field| field.parse().ok())
            .collect::<Option<_>>()?;
        let all = ticks.iter().sum();
        let idle = ticks.get(3)? + ticks.get(4)?;
        Some(Self {
            busy: all - idle,
            all,
        })
    }

    /// Returns the share of the processors' time until `after` that went to processes other than one
    /// that took `own` ticks.
    #[must_use]
    pub fn others_until(self, now: Self, own: u64) -> f64 {
        let busy = now.busy.saturating_sub(self.busy);
        let all = now.all.saturating_sub(self.all).max(1);
        busy.saturating_sub(own) as f64 / all as f64
    }
}

/// Returns the ticks that a running process has taken in user and system mode.
#[must_use]
pub fn ticks_of(process: u32) -> Option<u64> {
    own_ticks(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// Parses the ticks of a process; its name, in parentheses, may contain spaces.
fn own_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Returns the note about the largest share that other processes took, if it matters.
#[must_use]
pub fn note(share: f64) -> Option<String> {
    (share >= WORTH_TELLING).then(|| {
        format!(
            "The machine was not quiet: other programs took up to {:.0} % of the processors' time \
             during a run, so these numbers are too low.",
            100.0 * share
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_took_is_told_apart() {
        let before = Ticks::parse("cpu  100 0 20 800 10 0 0 5 0 0\ncpu0 1 1\n").unwrap();
        assert_eq!((before.busy, before.all), (125, 935));
        let after = Ticks::parse("cpu  260 0 30 820 10 0 0 15 0 0\n").unwrap();
        // 180 of 200 ticks were busy, 150 of them ours.
        assert_eq!(before.others_until(after, 150), 0.15);
        assert_eq!(before.others_until(after, 190), 0.0);
        assert_eq!(Ticks::parse("no such line"), None);
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 9 0 0 0 30 12 0 0 20 0 1 0 5";
        assert_eq!(own_ticks(stat), Some(42));
        assert_eq!(own_ticks("7 (x) S 1"), None);
    }

    #[test]
    fn little_is_not_worth_telling() {
        assert_eq!(note(0.04), None);
        assert!(note(0.31).unwrap().contains("31 %"));
    }
}
