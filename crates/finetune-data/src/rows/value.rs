//! One value of a row, independent of the file's format.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::labels::python_list;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    /// The contents of an object are never needed and are not kept.
    Object,
}

impl Value<'_> {
    /// Returns the items of a list, or of a list inside a string, which is how CSV holds lists: as
    /// a JSON array or as Python prints it.
    pub(crate) fn items(&self) -> Option<Cow<'_, [Value<'_>]>> {
        match self {
            Value::List(items) => Some(Cow::Borrowed(items)),
            Value::Text(text) if text.trim_start().starts_with('[') => {
                match serde_json::from_str(text) {
                    Ok(Value::List(items)) => Some(Cow::Owned(items)),
                    Ok(_) => None,
                    Err(_) => python_list::parse(text).map(Cow::Owned),
                }
            }
            _ => None,
        }
    }

    /// Returns whether the value looks like a list, well-formed or not.
    pub(crate) fn is_list_like(&self) -> bool {
        match self {
            Value::List(_) => true,
            Value::Text(text) => text.trim().starts_with('[') && text.trim().ends_with(']'),
            _ => false,
        }
    }

    /// Returns the value as a regression target. A model must be able to reach it, so it has to be
    /// finite as an `f32` too.
    pub(crate) fn number(&self) -> Option<f64> {
        let value: f64 = match self {
            Value::Integer(value) => *value as f64,
            Value::Float(value) => *value,
            Value::Text(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        (value as f32).is_finite().then_some(value)
    }

    /// Returns the value as an integer if it is one; `1.0` counts, and so does text that reads as
    /// an integer.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Value::Integer(value) => Some(*value),
            Value::Float(value) => whole(*value),
            Value::Text(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| whole(text.parse().ok()?))
            }
            _ => None,
        }
    }

    /// Returns whether the value means yes or no, if it means either.
    pub(crate) fn indicator(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            other => match other.number() {
                Some(0.0) => Some(false),
                Some(1.0) => Some(true),
                _ => None,
            },
        }
    }
}

/// Converts a float that is a whole number to an integer, if that is exact.
pub(crate) fn whole(value: f64) -> Option<i64> {
    let exact = value.fract() == 0.0 && value.abs() <= (1i64 << 53) as f64;
    exact.then_some(value as i64)
}

/// Shows the value in shortened form, for messages.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => value.fmt(f),
            Value::Integer(value) => value.fmt(f),
            // Shown with a decimal point, so that it does not look like an integer.
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(text) => match text.char_indices().nth(SHOWN_CHARS) {
                Some((end, _)) => write!(f, "{}…", &text[..end]),
                None => f.write_str(text),
            },
            Value::List(items) => {
                let shown: Vec<_> = items.iter().map(Value::to_string).collect();
                write!(f, "[{}]", crate::error::listed(&shown, 12))
            }
            Value::Object => f.write_str("an object"),
        }
    }
}

/// Number of characters of a text that messages show.
const SHOWN_CHARS: usize = 80;

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueVisitor { in_list: false }.deserialize(deserializer)
    }
}

/// Skips the contents of nested lists, which are never needed, however deep they are.
#[derive(Clone, Copy)]
struct ValueVisitor {
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(value))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        if self.in_list {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::List(items));
        }
        while let Some(item) = seq.next_element_seed(ValueVisitor { in_list: true })? {
            items.push(item);
        }
        Ok(Value::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::Text(Cow::Borrowed(text))
    }

    #[test]
    fn json_arrays_in_text() {
        let list = text(" [1, 0.5, \"a\\n\", true, null]");
        let expected = [
            Value::Integer(1),
            Value::Float(0.5),
            text("a\n"),
            Value::Bool(true),
            Value::Null,
        ];
        assert_eq!(list.items().as_deref(), Some(&expected[..]));
        assert_eq!(text("['a']").items().as_deref(), Some(&[text("a")][..]));
        for other in ["1, 2", "['a'", "[1 2]", "{}", "[1", ""] {
            assert_eq!(text(other).items(), None, "{other}");
        }
        assert!(text("['a']").is_list_like() && !text("[1").is_list_like());
    }

    #[test]
    fn numbers_and_indicators() {
        assert_eq!(text(" 2.5 ").number(), Some(2.5));
        for not_finite in ["nan", "inf", "1e39", "", "x"] {
            assert_eq!(text(not_finite).number(), None, "{not_finite}");
        }
        assert_eq!(Value::Bool(true).number(), None);
        for (value, expected) in [
            ("0", false),
            ("1.0", true),
            ("True", true),
            ("false", false),
        ] {
            assert_eq!(text(value).indicator(), Some(expected));
        }
        for other in ["2", "0.5", "yes", "nan"] {
            assert_eq!(text(other).indicator(), None, "{other}");
        }
    }

    #[test]
    fn shown_short() {
        assert_eq!(text(&"é".repeat(200)).to_string().chars().count(), 81);
        let list = Value::List(vec![Value::Integer(1), Value::Null]);
        assert_eq!(list.to_string(), "[1, null]");
    }
}
