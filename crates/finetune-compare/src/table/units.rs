//! Numbers as people read them.

/// A time.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        ..0.0995 => format!("{:.1} ms", 1000.0 * seconds),
        ..9.95 => format!("{seconds:.2} s"),
        ..99.5 => format!("{seconds:.0} s"),
        ..3600.0 => format!(
            "{:.0} min {:02.0} s",
            (seconds / 60.0).floor(),
            (seconds % 60.0).floor()
        ),
        _ => format!(
            "{:.0} h {:02.0} min",
            (seconds / 3600.0).floor(),
            (seconds % 3600.0 / 60.0).floor()
        ),
    }
}

/// An amount of memory.
pub fn bytes(bytes: f64) -> String {
    let (unit, name) = match bytes {
        ..1e6 => (1e3, "kB"),
        ..1e9 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    let amount = bytes / unit;
    match amount {
        ..9.95 => format!("{amount:.1} {name}"),
        _ => format!("{amount:.0} {name}"),
    }
}

/// A number of things.
pub fn count(number: f64) -> String {
    match number {
        ..1e4 => format!("{number:.0}"),
        ..1e6 => format!("{:.1}k", number / 1e3),
        ..1e9 => format!("{:.1}M", number / 1e6),
        _ => format!("{:.1}G", number / 1e9),
    }
}

/// A share in percent, with two digits that mean something.
pub fn share(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        ..0.1 => format!("{percent:.3} %"),
        ..10.0 => format!("{percent:.2} %"),
        _ => format!("{percent:.0} %"),
    }
}

/// A p-value.
pub(super) fn p_value(p: f64) -> String {
    match p {
        ..1e-4 => format!("{p:.0e}"),
        ..0.01 => format!("{p:.4}"),
        _ => format!("{p:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let times = [0.0123, 0.4, 9.9, 99.4, 225.9, 7322.0].map(seconds);
        assert_eq!(
            times,
            [
                "12.3 ms",
                "0.40 s",
                "9.90 s",
                "99 s",
                "3 min 45 s",
                "2 h 02 min"
            ]
        );
        assert_eq!(
            [512.0, 90_867_952.0, 1.5e9].map(bytes),
            ["0.5 kB", "91 MB", "1.5 GB"]
        );
        assert_eq!(
            [9999.0, 22_713_986.0, 12_345.0].map(count),
            ["9999", "22.7M", "12.3k"]
        );
        assert_eq!(
            [1.0, 0.0243, 0.000_1].map(share),
            ["100 %", "2.43 %", "0.010 %"]
        );
        assert_eq!(
            [0.5, 0.004_56, 1e-7].map(p_value),
            ["0.500", "0.0046", "1e-7"]
        );
    }
}
