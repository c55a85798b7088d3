//! Words for a line that somebody may type.

use std::path::Path;

use finetune_data::shell_word;

use crate::view::output::printable;

/// `word` as a POSIX shell reads it: as it is where nothing in it is special, else in quotes.
/// Control characters are written as `$'…'`, which bash and zsh know.
pub fn quote(word: &str) -> String {
    if word.contains(char::is_control) || printable(word) != word {
        let escaped = word.chars().map(|c| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
            c if c.is_control() || printable(&c.to_string()) != c.to_string() => {
                format!("\\u{:04x}", u32::from(c))
            }
            c => c.to_string(),
        });
        return format!("$'{}'", escaped.collect::<String>());
    }
    shell_word(word)
}

/// [`quote`] of a path; one that looks like an option gets its folder before it.
pub fn quote_path(path: &Path) -> String {
    let path = path.display().to_string();
    match path.starts_with('-') {
        true => quote(&format!("./{path}")),
        false => quote(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gives_the_word_back() {
        for word in [
            "plain-word_1.csv",
            "runs/größe-1",
            "two words",
            "",
            "it's",
            "train[:80%]",
            "$HOME `ls` \\ \"x\" !",
            "a;b|c&d>e(f)*?",
            "tab\tbell\u{7}'\\",
            "turned \u{202e}round",
        ] {
            let script = format!("printf %s {}", quote(word));
            let output = std::process::Command::new("bash")
                .args(["-c", &script])
                .env("LC_ALL", "C.UTF-8")
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{script}");
            assert_eq!(printable(&script), script);
        }
        assert_eq!(quote_path(Path::new("-x y")), "'./-x y'");
    }
}
