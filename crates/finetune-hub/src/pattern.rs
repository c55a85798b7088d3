//! File name patterns as in `datasets` (fsspec's glob): `*`, `?` and `[…]` within a component of
//! the path, `**` for any number of components.

/// A parsed pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
    /// Number of hidden components (`.x`) that it names explicitly.
    hidden: usize,
    /// Number of special folders (`__x`) that it names explicitly.
    special: usize,
    literal: bool,
}

#[derive(Clone, Debug)]
enum Part {
    /// `**`
    Any,
    One(Vec<Token>),
}

#[derive(Clone, Debug)]
enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    Char(char),
    /// `[a-z]`, or its complement with `!`.
    Class(bool, Vec<(char, char)>),
}

impl Pattern {
    /// Parses a pattern; returns `None` if `**` is not a whole component, which `datasets` rejects
    /// too.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        let names: Vec<&str> = pattern.split('/').collect();
        let mut parts = Vec::new();
        for name in &names {
            match *name {
                "**" => parts.push(Part::Any),
                name if name.contains("**") => return None,
                name => parts.push(Part::One(tokens(name))),
            }
        }
        // At the end, `**` stands for at least one component, the file's name.
        if matches!(parts.last(), Some(Part::Any)) {
            parts.push(Part::One(vec![Token::Any]));
        }
        Some(Self {
            literal: !pattern.contains(['*', '?', '[']),
            hidden: hidden(&names),
            special: special(&names),
            parts,
        })
    }

    /// Returns whether the pattern is the name of a single file.
    pub(crate) fn is_literal(&self) -> bool {
        self.literal
    }

    /// Returns whether the pattern matches the path of a file. Hidden files and folders, and
    /// folders such as `__pycache__`, must be named explicitly.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        let is_any = |part: &Part| matches!(part, Part::Any);
        let fits = |part: &Part, name: &&str| match part {
            Part::Any => true,
            Part::One(tokens) => segment(tokens, name),
        };
        hidden(&names) == self.hidden
            && special(&names) == self.special
            && wildcard(&self.parts, &names, is_any, fits)
    }
}

fn hidden(names: &[&str]) -> usize {
    let names = names.iter();
    names
        .filter(|name| name.starts_with('.') && name.chars().any(|c| c != '.'))
        .count()
}

fn special(names: &[&str]) -> usize {
    let folders = names.iter().rev().skip(1);
    folders.filter(|name| name.starts_with("__")).count()
}

fn tokens(part: &str) -> Vec<Token> {
    let chars: Vec<char> = part.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        tokens.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '[' => match class(&chars[at..]) {
                Some((class, length)) => {
                    at += length;
                    class
                }
                None => Token::Char('['),
            },
            c => Token::Char(c),
        });
    }
    tokens
}

/// Parses the text after a `[` and returns its length including the `]`; `None` if it is not
/// closed.
fn class(chars: &[char]) -> Option<(Token, usize)> {
    let negated = chars.first() == Some(&'!');
    let first = usize::from(negated);
    // A `]` in first position is one of the characters.
    let end = chars.iter().skip(first + 1).position(|&c| c == ']')? + first + 1;
    let inside = &chars[first..end];
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < inside.len() {
        match inside.get(at + 1..at + 3) {
            Some(&['-', last]) => {
                ranges.push((inside[at], last));
                at += 3;
            }
            _ => {
                ranges.push((inside[at], inside[at]));
                at += 1;
            }
        }
    }
    Some((Token::Class(negated, ranges), end + 1))
}

fn segment(tokens: &[Token], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let is_any = |token: &Token| matches!(token, Token::Any);
    let fits = |token: &Token, &c: &char| match token {
        Token::Any | Token::One => true,
        Token::Char(wanted) => *wanted == c,
        Token::Class(negated, ranges) => {
            ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
        }
    };
    // A component of only `*` does not match the empty string, since no component of a path is
    // empty.
    !name.is_empty() && wildcard(tokens, &name, is_any, fits)
}

/// Returns whether `pattern` matches all of `text`, where `is_any` items stand for any number of
/// its items. Backtracking only returns to the last of those, so no pattern takes exponential time.
fn wildcard<P, T>(
    pattern: &[P],
    text: &[T],
    is_any: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(item) if is_any(item) => {
                last_any = Some((p, t));
                p += 1;
            }
            Some(item) if fits(item, &text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match last_any {
                Some((any, from)) => {
                    last_any = Some((any, from + 1));
                    p = any + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(is_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are those of fsspec's `glob_translate`.
    #[test]
    fn patterns_match_as_in_fsspec() {
        for (pattern, path, expected) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "d/a.csv", false),
            ("**", "a.csv", true),
            ("**", "d/e/a.csv", true),
            ("**/*.csv", "a.csv", true),
            ("**/*.csv", "d/e/a.csv", true),
            ("train/**", "train/a/b.csv", true),
            ("train/**", "train", false),
            ("train/*", "train/a/b.csv", false),
            ("**/train/**", "data/train/0.csv", true),
            ("**/train/**", "train/0.csv", true),
            ("**/train/**", "train.csv", false),
            (
                "data/train-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*",
                "data/train-00000-of-00002.parquet",
                true,
            ),
            (
                "data/train-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*",
                "data/train-0000-of-00002.parquet",
                false,
            ),
            ("**/train[-._ 0-9]*", "train.csv", true),
            ("**/train[-._ 0-9]*", "training.csv", false),
            ("**/*[-._ 0-9]train[-._ 0-9]*", "my-train.csv", true),
            ("**/*[-._ 0-9]train[-._ 0-9]*", "mytrain.csv", false),
            ("a?c[!x]", "abcd", true),
            ("a?c[!x]", "abcx", false),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("./data/a.csv", "data/a.csv", true),
            ("**", ".git/config", false),
            ("**", "d/.hidden.csv", false),
            (".hidden/*", ".hidden/a.csv", true),
            ("**", "__pycache__/a.csv", false),
            ("__pycache__/*", "__pycache__/a.csv", true),
            ("**", "__a.csv", true),
        ] {
            let found = Pattern::new(pattern).unwrap().matches(path);
            assert_eq!(found, expected, "{pattern} {path}");
        }
        assert!(Pattern::new("**.csv").is_none());
        assert!(Pattern::new("data/a.csv").unwrap().is_literal());
        assert!(!Pattern::new("data/*.csv").unwrap().is_literal());
    }

    #[test]
    fn no_pattern_takes_for_ever() {
        let pattern = Pattern::new(&"**/a*a*a*a*a*b/".repeat(20)).unwrap();
        assert!(!pattern.matches(&"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/".repeat(40)));
    }
}
