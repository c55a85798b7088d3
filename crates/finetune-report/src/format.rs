//! Numbers and texts as the page shows them.

/// Formats a number with four significant digits; `–` if it is not finite.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "–".into(),
        _ if size == 0.0 => "0".into(),
        ..0.001 | 100_000.0.. => format!("{value:.3e}"),
        _ => {
            let digits = (3 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{value:.digits$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').into(),
                false => text,
            }
        }
    }
}

/// Formats a number with four decimals; `–` if it is not finite.
pub(crate) fn decimals(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.4}"),
        false => "–".into(),
    }
}

/// Formats a share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    match share.is_finite() {
        true => format!("{:.1} %", 100.0 * share),
        false => "–".into(),
    }
}

/// Formats a count with commas between thousands.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats seconds as a duration.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        _ if !seconds.is_finite() => "–".into(),
        ..10.0 => format!("{seconds:.2} s"),
        ..120.0 => format!("{seconds:.1} s"),
        ..7200.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Formats a number of bytes.
pub(crate) fn bytes(value: u64) -> String {
    match value {
        ..1_000_000 => format!("{:.1} kB", value as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value as f64 / 1e6),
        _ => format!("{:.2} GB", value as f64 / 1e9),
    }
}

/// Replaces control characters and marks of writing direction, which HTML would not show or would obey, by
/// their escapes. What HTML itself would obey, the template engine escapes.
pub(crate) fn visible(text: &str) -> String {
    let acts = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match acts(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Cuts a text after this many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [
            0.0,
            1.0,
            0.12345,
            12.345,
            1234.5,
            2e-5,
            123_456.0,
            -0.5,
            f64::NAN,
        ];
        let expected = [
            "0", "1", "0.1235", "12.35", "1234", "2.000e-5", "1.235e5", "-0.5", "–",
        ];
        assert_eq!(shown.map(number), expected);
        assert_eq!([7, 1234, 1_234_567].map(count), ["7", "1,234", "1,234,567"]);
        assert_eq!(
            [0.5, 30.0, 600.0, 9000.0].map(duration),
            ["0.50 s", "30.0 s", "10.0 min", "2.5 h"]
        );
        assert_eq!(
            [1500, 2_500_000, 3_000_000_000].map(bytes),
            ["1.5 kB", "2.5 MB", "3.00 GB"]
        );
        assert_eq!(percent(0.1234), "12.3 %");
    }

    #[test]
    fn texts_are_shown_and_not_obeyed() {
        assert_eq!(visible("a\u{202e}b\u{1b}[1m\n"), "a\\u{202e}b\\u{1b}[1m\n");
        assert_eq!(cut("naïve", 3), "naï…");
        assert_eq!(cut("abc", 3), "abc");
    }
}
