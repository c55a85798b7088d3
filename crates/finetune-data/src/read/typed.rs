//! Command-line arguments suggested in messages.

/// Quotes `word` for a POSIX shell, if it contains anything that the shell treats specially.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:,+@%=".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Returns the value of `--labels` that gives these names, or `None` if they cannot be typed:
/// commas separate names, control characters do not print, and leading dashes would begin a flag.
pub fn labels_argument(names: &[String]) -> Option<String> {
    let cannot = |name: &String| name.contains(|c: char| c == ',' || c.is_control());
    if names.iter().any(cannot) || names.iter().any(|name| name.starts_with("--")) {
        return None;
    }
    Some(shell_word(&names.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_as_they_are_typed() {
        let typed = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| name.to_string()).collect();
            labels_argument(&names)
        };
        for (names, expected) in [
            (&["-1", "1"][..], "-1,1"),
            (&["not bad", "good"], "'not bad,good'"),
            (&["it's", "a;b"], r"'it'\''s,a;b'"),
        ] {
            assert_eq!(typed(names).as_deref(), Some(expected));
        }
        for names in [["a,b", "c"], ["a\n", "c"], ["--a", "c"]] {
            assert_eq!(typed(&names), None);
        }
    }
}
