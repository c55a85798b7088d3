//! Quotes words for command lines that the user can type.

use std::{env, path::Path};

use finetune_data::shell_word;

use crate::view::output::printable;

/// Quotes `word` for a POSIX shell, if necessary. Control characters are written as `$'…'`, which bash and
/// zsh support.
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

/// Quotes a path as [`quote`] does, with `./` before one that looks like an option.
pub fn quote_path(path: &Path) -> String {
    let path = path.display().to_string();
    match path.starts_with('-') {
        true => quote(&format!("./{path}")),
        false => quote(&path),
    }
}

/// Returns this program as it was called, or by its relative path if that is below the current directory,
/// quoted for a shell.
pub fn program() -> String {
    let name = env::args_os().next().unwrap_or_else(|| "finetune".into());
    let path = Path::new(&name);
    let here = env::current_dir().unwrap_or_default();
    quote_path(path.strip_prefix(here).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_word_back() {
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
