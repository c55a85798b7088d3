//! Parses lists as Python prints them, which is how a data frame's lists end up in a CSV file.

use crate::rows::value::Value;

/// Returns the values of a flat list in Python's notation, such as `['joy', "it's", 3, None]`, or
/// `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Vec<Value<'static>>> {
    let mut rest = text.trim().strip_prefix('[')?.trim_start();
    let mut items = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(']') {
            return end.is_empty().then_some(items);
        }
        let (item, behind) = match rest.chars().next()? {
            quote @ ('\'' | '"') => string(&rest[1..], quote)?,
            _ => word(rest)?,
        };
        items.push(item);
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if behind.starts_with(']') => behind,
            None => return None,
        };
    }
}

/// Parses a string after its opening `quote`, and returns the rest of the text.
fn string(text: &str, quote: char) -> Option<(Value<'static>, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, c) if c == quote => {
                return Some((Value::Text(value.into()), &text[at + 1..]));
            }
            (_, '\\') => value.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                c @ ('\\' | '\'' | '"') => c,
                // Other escapes hardly occur in labels, and must not be misread.
                _ => return None,
            }),
            (_, c) => value.push(c),
        }
    }
}

/// Parses a number, `True`, `False` or `None`, and returns the rest of the text.
fn word(text: &str) -> Option<(Value<'static>, &str)> {
    let end = text.find([',', ']'])?;
    let (word, behind) = text.split_at(end);
    let value = match word.trim() {
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        "None" => Value::Null,
        number => match number.parse() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::Float(number.parse().ok()?),
        },
    };
    Some((value, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'static> {
        Value::Text(text.to_owned().into())
    }

    #[test]
    fn lists_of_python() {
        let list = parse(r#" ['a', "it's", 'it\'s', 1, 0.5, True, None] "#);
        let expected = vec![
            text("a"),
            text("it's"),
            text("it's"),
            Value::Integer(1),
            Value::Float(0.5),
            Value::Bool(true),
            Value::Null,
        ];
        assert_eq!(list, Some(expected));
        assert_eq!(parse("[]"), Some(vec![]));
        assert_eq!(
            parse("['a, b]', 'é',]"),
            Some(vec![text("a, b]"), text("é")])
        );
        for other in [
            "",
            "[",
            "['a'",
            "['a' 'b']",
            "[1 0]",
            "('a',)",
            "[a]",
            "[['a']]",
            "['a'] x",
            r"['\x41']",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
