//! Compares two runs of the same plan and finds where they first differ.

use std::{collections::BTreeMap, fs, path::Path};

use finetune_files::IoContext;
use finetune_models::{SafetensorsFile, WEIGHTS};
use finetune_peft::ADAPTER_WEIGHTS;
use finetune_train::{lasting, layout};
use serde_json::Value;

use crate::error::Failure;

/// The result of comparing one aspect of two runs.
pub struct Compared {
    /// The aspect.
    pub what: &'static str,
    /// The amount of it, in words.
    pub extent: String,
    /// The first difference; `None` if they are equal.
    pub difference: Option<String>,
}

/// Compares the events, metrics and weights of two run directories.
///
/// # Errors
/// Fails if a file cannot be read or is damaged.
pub fn compare(first: &Path, second: &Path) -> Result<Vec<Compared>, Failure> {
    Ok(vec![
        events(first, second)?,
        metrics(first, second)?,
        weights(first, second)?,
    ])
}

/// Finds the first place where two values differ, as `path: this, that`.
fn first_difference(path: &str, this: &Value, that: &Value) -> Option<String> {
    let at = |key: &str| match path {
        "" => key.to_string(),
        _ => format!("{path}.{key}"),
    };
    match (this, that) {
        (Value::Object(these), Value::Object(those)) => {
            let mut keys: Vec<_> = these.keys().chain(those.keys()).collect();
            keys.dedup();
            keys.into_iter().find_map(|key| {
                first_difference(&at(key), &this[key.as_str()], &that[key.as_str()])
            })
        }
        (Value::Array(these), Value::Array(those)) if these.len() == those.len() => {
            let mut pairs = these.iter().zip(those).enumerate();
            pairs.find_map(|(index, (this, that))| {
                first_difference(&at(&index.to_string()), this, that)
            })
        }
        _ if this == that => None,
        _ => Some(format!("{path}: {this}, {that}")),
    }
}

/// Compares the event logs, without checkpoints, because an interruption adds one.
fn events(first: &Path, second: &Path) -> Result<Compared, Failure> {
    let read = |run: &Path| -> Result<Vec<Value>, Failure> {
        let path = run.join(layout::EVENTS);
        let text = read_text(&path)?;
        let events = text
            .lines()
            .map(|line| json(&path, line).map(|event| lasting(&event)));
        events
            .filter(|event| {
                !event
                    .as_ref()
                    .is_ok_and(|event| event["event"] == "checkpoint")
            })
            .collect()
    };
    let (these, those) = (read(first)?, read(second)?);
    let name = |event: &Value| match (event["event"].as_str(), event["step"].as_u64()) {
        (Some(kind), Some(step)) => format!("event {kind} of step {step}"),
        (kind, _) => format!("event {}", kind.unwrap_or("without a name")),
    };
    let differs = these.iter().zip(&those).find_map(|(this, that)| {
        first_difference("", this, that).map(|place| format!("{}: {place}", name(this)))
    });
    let count = (these.len() != those.len()).then(|| {
        format!(
            "there are {} events, and {} in the other",
            these.len(),
            those.len()
        )
    });
    Ok(Compared {
        what: "events",
        extent: format!("{} events", these.len()),
        difference: differs.or(count),
    })
}

/// Compares the files with the results.
fn metrics(first: &Path, second: &Path) -> Result<Compared, Failure> {
    let read = |run: &Path| -> Result<Value, Failure> {
        let path = run.join(layout::RESULTS);
        Ok(lasting(&json(&path, &read_text(&path)?)?))
    };
    let (this, that) = (read(first)?, read(second)?);
    let splits = ["before", "validation", "test"];
    let splits: Vec<_> = splits
        .into_iter()
        .filter(|split| this[*split].is_object())
        .collect();
    Ok(Compared {
        what: "metrics",
        extent: splits.join(", "),
        difference: first_difference("", &this, &that),
    })
}

/// Compares the weights bit for bit.
fn weights(first: &Path, second: &Path) -> Result<Compared, Failure> {
    let [first, second] = [first, second].map(|run| run.join(layout::MODEL));
    let name = match first.join(ADAPTER_WEIGHTS).exists() {
        true => ADAPTER_WEIGHTS,
        false => WEIGHTS,
    };
    let (these, those) = (tensors(&first.join(name))?, tensors(&second.join(name))?);
    let elements: usize = these.values().map(Vec::len).sum();
    let names: Vec<_> = these
        .keys()
        .chain(those.keys().filter(|name| !these.contains_key(*name)))
        .collect();
    let differing = names
        .into_iter()
        .find_map(|name| match (these.get(name), those.get(name)) {
            (Some(this), Some(that)) if this.len() == that.len() => {
                let bits = this
                    .iter()
                    .zip(that)
                    .filter(|(a, b)| a.to_bits() != b.to_bits());
                let largest = bits
                    .map(|(a, b)| (a - b).abs())
                    .fold(None, |most: Option<f32>, next| {
                        Some(most.map_or(next, |most| most.max(next)))
                    });
                largest.map(|most| format!("{name}: values differ by up to {most:e}"))
            }
            (Some(this), Some(that)) => {
                Some(format!("{name}: {} values, {}", this.len(), that.len()))
            }
            _ => Some(format!("{name}: only in one of the two runs")),
        });
    Ok(Compared {
        what: "weights",
        extent: format!("{elements} values in {} tensors", these.len()),
        difference: differing,
    })
}

fn tensors(path: &Path) -> Result<BTreeMap<String, Vec<f32>>, Failure> {
    let mut file = SafetensorsFile::open(path)?;
    let names = file.names();
    let read = |name: String| Ok((name.clone(), file.read_f32(&name)?));
    names.into_iter().map(read).collect()
}

fn read_text(path: &Path) -> Result<String, Failure> {
    Ok(fs::read_to_string(path).context("read", path)?)
}

fn json(path: &Path, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::User(format!("{} is damaged: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_named_by_its_path() {
        let difference = |this, that| first_difference("", &this, &that);
        assert_eq!(difference(json!({"a": [1, 2]}), json!({"a": [1, 2]})), None);
        assert_eq!(
            difference(json!({"a": {"b": [1, 2]}}), json!({"a": {"b": [1, 3]}})),
            Some("a.b.1: 2, 3".into())
        );
        assert_eq!(
            difference(json!({"a": 1}), json!({"a": 1, "b": 2})),
            Some("b: null, 2".into())
        );
        assert_eq!(
            difference(json!([1]), json!([1, 2])),
            Some(": [1], [1,2]".into())
        );
    }

    #[test]
    fn event_logs_are_compared_without_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, lines: &[Value]| {
            let run = folder.path().join(name);
            fs::create_dir(&run).unwrap();
            let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(run.join(layout::EVENTS), lines).unwrap();
            run
        };
        let step = |loss: f64, seconds: f64| json!({"event": "step", "step": 2, "loss": loss, "seconds": seconds});
        let first = write(
            "first",
            &[step(0.5, 1.0), json!({"event": "checkpoint", "step": 2})],
        );
        let same = write("same", &[step(0.5, 2.0)]);
        let other = write("other", &[step(0.25, 1.0)]);
        let longer = write("longer", &[step(0.5, 1.0), step(0.5, 1.0)]);
        assert_eq!(events(&first, &same).unwrap().difference, None);
        assert_eq!(
            events(&first, &other).unwrap().difference.unwrap(),
            "event step of step 2: loss: 0.5, 0.25"
        );
        assert_eq!(
            events(&first, &longer).unwrap().difference.unwrap(),
            "there are 1 events, and 2 in the other"
        );
    }
}
