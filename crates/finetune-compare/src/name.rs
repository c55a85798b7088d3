//! Names of variants and runs, which are names of directories.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use toml::Value;

/// Maximum length of a variant's name in characters; grid and seed add to it.
const LONGEST: usize = 60;
/// Maximum length of the name of a run in bytes. File systems allow 255, and files of a run's log need a few.
pub const LONGEST_RUN: usize = 180;
/// Names of our own files in the directory, without their extensions.
const RESERVED: [&str; 1] = ["compare"];

/// Checks the name of a variant.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let expected =
        "expected letters, digits and - _ . +, beginning with a letter or digit, as in lora-8";
    let fits = |c: char| c.is_alphanumeric() || "-_.+".contains(c);
    let problem = match () {
        () if name.is_empty() => "it is empty",
        () if !name.chars().all(fits) => "it is no file name",
        () if !name.starts_with(char::is_alphanumeric) => "it begins with a sign",
        () if name.ends_with('.') => "it ends with a dot",
        () if name.chars().count() > LONGEST => "it is longer than 60 characters",
        () if RESERVED.contains(&name.to_lowercase().as_str()) => {
            "files of the comparison have that name"
        }
        () => return Ok(()),
    };
    Err(format!(
        "the name of the variant {name:?} cannot be used, since {problem}; {expected}"
    ))
}

/// Returns a value as tables show it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => short(*number),
        other => other.to_string(),
    }
}

/// A number in its shortest form.
fn short(number: f64) -> String {
    let (plain, scientific) = (number.to_string(), format!("{number:e}"));
    match scientific.len() < plain.len() {
        true => scientific,
        false => plain,
    }
}

/// Returns a text with what file names cannot hold replaced.
pub fn file_name(text: &str) -> String {
    let kept = |c: char| match c.is_alphanumeric() || "-_.+".contains(c) {
        true => c,
        false => '_',
    };
    text.trim_matches('.').chars().map(kept).collect()
}

/// Returns `name`, or if it is taken (as far as case-insensitive disks can tell) or too long, one with a hash of
/// `whole`, what it stands for. So the name depends on nothing but the variant's own settings and those of the
/// variants before it.
pub(crate) fn unique(name: String, whole: &str, taken: &mut BTreeSet<String>) -> String {
    let name = match name.len() <= LONGEST_RUN && !taken.contains(&name.to_lowercase()) {
        true => name,
        false => with_hash(&name, whole),
    };
    taken.insert(name.to_lowercase());
    name
}

/// Returns a name, shortened if it is too long, with the beginning of a hash of `whole`, what it stands for.
pub fn with_hash(name: &str, whole: &str) -> String {
    let hash = Sha256::digest(whole.as_bytes());
    let hash: String = hash
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut end = name.len().min(LONGEST_RUN);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_file_names() {
        for name in ["full", "lora-8", "Größe", "a.b_c+d", "3e-5"] {
            assert_eq!(check(name), Ok(()));
        }
        let long = "x".repeat(61);
        for name in [
            "", "a/b", "..", ".a", "-a", "a b", "a\n", "a.", "Compare", "a\\b", &long,
        ] {
            let problem = check(name).unwrap_err();
            assert!(problem.contains("expected letters"), "{problem}");
        }
    }

    #[test]
    fn taken_and_long_names_get_a_hash() {
        let mut taken = BTreeSet::new();
        assert_eq!(unique("a_b".into(), "a/b", &mut taken), "a_b");
        let other = unique("A_b".into(), "a:b", &mut taken);
        assert!(other.starts_with("A_b-") && other.len() == 12, "{other}");
        let long = unique("é".repeat(200), "long", &mut taken);
        assert!(long.len() < 200, "{}", long.len());
    }

    #[test]
    fn numbers_are_short() {
        let shown = [1e-5, 0.5, 3e-4, 100.0].map(|number| shown(&Value::Float(number)));
        assert_eq!(shown, ["1e-5", "0.5", "3e-4", "100"]);
    }
}
