//! The part of a run's JSON that is the same whenever the run is repeated.

use serde_json::Value;

/// Returns whether a key's value changes between repetitions: times, speeds, and facts about the
/// environment.
fn is_volatile(key: &str) -> bool {
    let surroundings = [
        "samples_per_second",
        "peak_memory_bytes",
        "output",
        "version",
    ];
    key.ends_with("seconds") || surroundings.contains(&key)
}

/// Returns an event, or the results of a run, without the values that change between repetitions.
pub fn lasting(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !is_volatile(key));
            kept.map(|(key, value)| (key.clone(), lasting(value)))
                .collect()
        }
        Value::Array(values) => values.iter().map(lasting).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_and_environment_are_left_out() {
        let value = json!({"loss": 1.0, "seconds": 2.0, "train": {"train_seconds": 1, "steps": 3}});
        assert_eq!(lasting(&value), json!({"loss": 1.0, "train": {"steps": 3}}));
    }
}
