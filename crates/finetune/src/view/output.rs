//! Writes to standard output and standard error.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt::{Display, Write as _},
    io::{Error, ErrorKind, Write, stderr, stdout},
    path::Path,
    sync::Mutex,
};

use crate::error::Failure;

/// Writes to standard output and flushes it.
///
/// # Errors
/// Fails if standard output is closed or cannot be written to.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Converts the result of writing to standard output.
///
/// # Errors
/// Fails if the write failed.
pub fn written(done: Result<(), Error>) -> Result<(), Failure> {
    done.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => cannot_write(Path::new("standard output"), &error),
    })
}

/// Writes text for people to standard output, with control characters escaped.
///
/// # Errors
/// Fails as [`print()`] does.
pub fn show(text: &str) -> Result<(), Failure> {
    print(&printable(text))
}

/// Writes JSON to standard output, which may be a terminal.
///
/// # Errors
/// Fails as [`print()`] does.
pub fn print_json(json: impl Display) -> Result<(), Failure> {
    print(&terminal_json(&format!("{json}\n")))
}

/// Escapes what a terminal would obey in JSON text, without changing its content: JSON permits raw DEL, C1
/// characters and marks of writing direction, and has an escape for each.
pub fn terminal_json(json: &str) -> Cow<'_, str> {
    escaped(json, |shown, c| write!(shown, "\\u{:04x}", u32::from(c)))
}

/// Writes a line to standard error; takes the arguments of `format!`.
macro_rules! say {
    ($($argument:tt)*) => {
        $crate::view::output::line(&format!($($argument)*))
    };
}
pub(crate) use say;

/// Writes a line to standard error; call it with [`say!`]. A line that cannot be written is dropped, because
/// a message must never end a run. The same note is printed only once.
pub fn line(text: &str) {
    static NOTES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if text.starts_with("note: ")
        && let Ok(mut printed) = NOTES.lock()
        && !printed.insert(text.into())
    {
        return;
    }
    let _ = writeln!(stderr().lock(), "{}", printable(text));
}

/// Escapes `text` for a terminal. Texts, class names and file names are untrusted: a control character could
/// move the cursor or retitle the window, and a mark of writing direction could reverse neighbouring text,
/// so all except line feeds and tabs are escaped.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |shown, c| write!(shown, "{}", c.escape_default()))
}

/// Replaces characters that act on a terminal by `escape`.
fn escaped(text: &str, escape: impl Fn(&mut String, char) -> std::fmt::Result) -> Cow<'_, str> {
    let acts = |c: char| {
        let direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        direction || (c.is_control() && c != '\n' && c != '\t')
    };
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match acts(c) {
            // Writing to a string cannot fail.
            true => drop(escape(&mut shown, c)),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Returns the failure of writing a file.
pub fn cannot_write(path: &Path, error: &Error) -> Failure {
    Failure::of(
        finetune_files::ErrorKind::of(error),
        format!("cannot write {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_act_on_a_terminal_are_escaped() {
        assert_eq!(
            printable("plain\ttext,\ntwo lines, é 漢"),
            "plain\ttext,\ntwo lines, é 漢"
        );
        assert_eq!(
            printable("\u{1b}[2J\u{7}\r\u{9b}1m\u{202e}x"),
            "\\u{1b}[2J\\u{7}\\r\\u{9b}1m\\u{202e}x"
        );
    }

    #[test]
    fn escaped_json_has_the_same_content() {
        let value = serde_json::json!({"a\u{7f}": "\u{9b}2J \u{202e}é\n\u{1b}"});
        let text = value.to_string();
        let shown = terminal_json(&text);
        assert_eq!(shown, r#"{"a\u007f":"\u009b2J \u202eé\n\u001b"}"#);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }
}
