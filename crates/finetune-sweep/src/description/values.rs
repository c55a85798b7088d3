//! The values that a key may take.

use toml::Value;

/// Number of significant digits of drawn numbers, so that names and tables show them whole.
const DIGITS: usize = 4;
/// Maximum number of values of a range in a grid.
const MOST_VALUES: f64 = 10_000.0;

/// The values that a key may take.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One of these.
    Choices(Vec<Value>),
    /// A number.
    Range(Range),
}

/// Numbers from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Whether the logarithm is uniform rather than the number.
    pub log: bool,
    /// Whether the numbers are whole.
    pub integer: bool,
    /// Distance of neighbouring numbers, if it is fixed.
    pub step: Option<f64>,
}

impl Values {
    /// Returns the value at a point of the unit interval, from 0 up to, but not including, 1.
    pub(crate) fn at(&self, point: f64) -> Option<Value> {
        match self {
            Self::Choices(choices) => {
                let index = (point * choices.len() as f64) as usize;
                choices
                    .get(index.min(choices.len().saturating_sub(1)))
                    .cloned()
            }
            Self::Range(range) => Some(range.value(range.at(point))),
        }
    }

    /// Returns all values in order, if they can be counted.
    pub(crate) fn all(&self) -> Option<Vec<Value>> {
        match self {
            Self::Choices(choices) => Some(choices.clone()),
            Self::Range(range) => {
                let (step, count) = range.steps()?;
                let number = |index: u64| range.value(range.min + step * index as f64);
                (count <= MOST_VALUES).then(|| (0..count as u64).map(number).collect())
            }
        }
    }
}

impl Range {
    /// The distance of neighbouring numbers, and how many there are.
    fn steps(&self) -> Option<(f64, f64)> {
        let step = self.step.or(self.integer.then_some(1.0))?;
        // A last step that is whole but for rounding counts.
        Some((step, ((self.max - self.min) / step + 1e-9).floor() + 1.0))
    }

    fn at(&self, point: f64) -> f64 {
        let number = match self.steps() {
            Some((step, count)) if !self.log => self.min + step * (point * count).floor(),
            steps => {
                // Each whole number has the interval up to the next one.
                let end = if steps.is_some() {
                    self.max + 1.0
                } else {
                    self.max
                };
                let number = match self.log {
                    true => (self.min.ln() + point * (end.ln() - self.min.ln())).exp(),
                    false => self.min + point * (end - self.min),
                };
                if steps.is_some() {
                    number.floor()
                } else {
                    short(number)
                }
            }
        };
        number.clamp(self.min, self.max)
    }

    fn value(&self, number: f64) -> Value {
        match self.integer {
            true => Value::Integer(number.round() as i64),
            // Sums of steps such as 0.1 would show their rounding.
            false => Value::Float(rounded(number, 12)),
        }
    }
}

fn short(number: f64) -> f64 {
    rounded(number, DIGITS)
}

/// A number rounded to this many significant digits.
fn rounded(number: f64, digits: usize) -> f64 {
    let text = format!("{number:.*e}", digits - 1);
    text.parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINEAR: Range = Range {
        min: 0.0,
        max: 0.3,
        log: false,
        integer: false,
        step: None,
    };

    #[test]
    fn points_become_values() {
        let at = |range: Range, point| Values::Range(range).at(point).unwrap();
        assert_eq!(at(LINEAR, 0.5), Value::Float(0.15));
        let log = Range {
            min: 1e-5,
            max: 1e-3,
            log: true,
            ..LINEAR
        };
        assert_eq!(at(log, 0.0), Value::Float(1e-5));
        assert_eq!(at(log, 0.5), Value::Float(1e-4));
        assert_eq!(at(log, 0.123456), Value::Float(1.766e-5));
        let whole = Range {
            min: 2.0,
            max: 64.0,
            log: true,
            integer: true,
            step: None,
        };
        assert_eq!(at(whole, 0.0), Value::Integer(2));
        assert_eq!(at(whole, 0.999999), Value::Integer(64));
        let choices = Values::Choices(vec![Value::Integer(8), Value::Integer(16)]);
        assert_eq!(choices.at(0.49), Some(Value::Integer(8)));
        assert_eq!(choices.at(0.5), Some(Value::Integer(16)));
    }

    #[test]
    fn steps_are_counted() {
        let stepped = Range {
            step: Some(0.1),
            ..LINEAR
        };
        let all = Values::Range(stepped).all().unwrap();
        assert_eq!(all, [0.0, 0.1, 0.2, 0.3].map(Value::Float));
        assert_eq!(Values::Range(stepped).at(0.9), Some(Value::Float(0.3)));
        let dice = Range {
            min: 1.0,
            max: 6.0,
            integer: true,
            ..LINEAR
        };
        let mut counts = [0; 6];
        for point in 0..600 {
            let Some(Value::Integer(face)) = Values::Range(dice).at(f64::from(point) / 600.0)
            else {
                panic!("no face");
            };
            counts[face as usize - 1] += 1;
        }
        assert_eq!(counts, [100; 6]);
        assert_eq!(Values::Range(LINEAR).all(), None);
    }
}
