//! Parses YAML into JSON values. Scalars are strings except for plain `true`, `false` and `null`,
//! because in a card `no` and `1.0` are names.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Maximum nesting depth.
const DEEPEST: usize = 64;
/// Maximum number of values, counting the target of an alias each time it is used.
const MOST: usize = 1_000_000;

/// A list or mapping that is not complete yet.
enum Open {
    List(Vec<Value>),
    /// The key is set while its value is outstanding.
    Map(Map<String, Value>, Option<String>),
}

/// Parses the first document of a text; an error says what is wrong and in which line.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<(Open, usize, usize)> = Vec::new();
    let mut anchors: HashMap<usize, (Value, usize)> = HashMap::new();
    let mut count = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let wrong = |problem: &str| format!("line {}: {problem}", span.start.line());
        count += 1;
        if open.len() > DEEPEST || count > MOST {
            return Err(wrong("too deeply nested, or too much"));
        }
        let (value, anchor, begun) = match event {
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor, count - 1),
            Event::Alias(anchor) => {
                let (value, size) = anchors
                    .get(&anchor)
                    .ok_or_else(|| wrong("an alias inside of what it stands for"))?;
                count += size;
                if count > MOST {
                    return Err(wrong("aliases stand for too much"));
                }
                (value.clone(), 0, count)
            }
            Event::SequenceStart(anchor, _) => {
                open.push((Open::List(Vec::new()), anchor, count));
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push((Open::Map(Map::new(), None), anchor, count));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some((Open::List(list), anchor, begun)) => (Value::Array(list), anchor, begun),
                Some((Open::Map(map, _), anchor, begun)) => (Value::Object(map), anchor, begun),
                None => return Err(wrong("an end without a beginning")),
            },
            Event::DocumentEnd | Event::StreamEnd => break,
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, (value.clone(), count - begun));
        }
        match open.last_mut() {
            None => return Ok(value),
            Some((Open::List(list), ..)) => list.push(value),
            Some((Open::Map(map, key), ..)) => match (key.take(), value) {
                (Some(key), value) => {
                    if map.insert(key.clone(), value).is_some() {
                        return Err(wrong(&format!("{key} occurs twice")));
                    }
                }
                (None, Value::String(name)) => *key = Some(name),
                (None, Value::Bool(name)) => *key = Some(name.to_string()),
                (None, _) => return Err(wrong("expected the name of a key")),
            },
        }
    }
    Ok(Value::Null)
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "true" | "True" | "TRUE") => Value::Bool(true),
        (ScalarStyle::Plain, "false" | "False" | "FALSE") => Value::Bool(false),
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        (_, text) => Value::String(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_texts_lists_and_mappings() {
        let text = "a: 1.0\nb:\n- no\n- 'true'\n- true\n- {c: [x, \"y\"]}\nd:\ne: &x [1, 2]\nf: *x\n'0': |\n  two\n  lines\n";
        let expected = json!({
            "a": "1.0", "b": ["no", "true", true, {"c": ["x", "y"]}], "d": null,
            "e": ["1", "2"], "f": ["1", "2"], "0": "two\nlines\n"
        });
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!(parse("").unwrap(), Value::Null);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, problem) in [
            ("a: 1\nb: [\n", "line 3"),
            ("a: 1\na: 2\n", "twice"),
            ("[a]: 1\n", "name of a key"),
            (&"[".repeat(100), "nested"),
            (&"[".repeat(100_000), "limit"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
