//! Standard output and standard error.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt::{Display, Write as _},
    io::{Error, ErrorKind, Write, stderr, stdout},
    path::Path,
    sync::Mutex,
};

use crate::error::Failure;

/// Writes to standard output, at once.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What became of writing to standard output.
pub fn written(done: Result<(), Error>) -> Result<(), Failure> {
    done.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => cannot_write(Path::new("standard output"), &error),
    })
}

/// Writes text for people to standard output, with control characters shown.
pub fn show(text: &str) -> Result<(), Failure> {
    print(&printable(text))
}

/// Writes JSON to standard output, which is perhaps a terminal.
pub fn print_json(json: impl Display) -> Result<(), Failure> {
    print(&terminal_json(&format!("{json}\n")))
}

/// JSON text with the same content and nothing that a terminal obeys: JSON may have DEL, the C1
/// characters and marks of writing direction as they are, and has an escape for each.
pub fn terminal_json(json: &str) -> Cow<'_, str> {
    escaped(json, |shown, c| write!(shown, "\\u{:04x}", u32::from(c)))
}

/// Writes a line to standard error, arguments as of `format!`.
macro_rules! say {
    ($($argument:tt)*) => {
        $crate::view::output::line(&format!($($argument)*))
    };
}
pub(crate) use say;

/// Writes a line to standard error; [`say!`] is how to call it. Where it cannot be written it is
/// dropped, because what a run has to say must never end the run. A note is said once, however often
/// what it is about is met.
pub fn line(text: &str) {
    static NOTES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if text.starts_with("note: ")
        && let Ok(mut said) = NOTES.lock()
        && !said.insert(text.into())
    {
        return;
    }
    let _ = writeln!(stderr().lock(), "{}", printable(text));
}

/// `text` as it may go to a terminal. Texts, class names and file names come from strangers: a
/// control character in one could move the cursor or retitle the window, and a mark of writing
/// direction could reverse what stands beside it, so all but line feeds and tabs are shown as escapes.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |shown, c| write!(shown, "{}", c.escape_default()))
}

/// `text` with `escape` in place of what acts on a terminal.
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

/// That a file cannot be written, and why.
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
    fn what_acts_on_a_terminal_is_shown() {
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
    fn json_says_the_same_without_acting() {
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
