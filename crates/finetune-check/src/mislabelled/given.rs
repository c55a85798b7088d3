//! Probabilities that the user gives, such as those of a model of their own, cross-validated.

use std::path::Path;

use finetune_data::Dataset;
use finetune_data::arrow::array::{Array as _, AsArray as _};
use finetune_data::arrow::compute::cast;
use finetune_data::arrow::datatypes::{DataType, Float64Type};

use crate::error::{CheckError, Result};

/// Reads a column for each class, and returns the probabilities `[rows, classes]`.
pub(crate) fn read(path: &Path, classes: &[String]) -> Result<Vec<f32>> {
    let failed = |message: String| CheckError::Probabilities {
        path: path.to_path_buf(),
        message,
    };
    let split = Dataset::open_file(path)?.split("train")?;
    let schema = split.schema().clone();
    let missing = classes
        .iter()
        .find(|name| schema.field_with_name(name).is_err());
    if let Some(missing) = missing {
        let there: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        return Err(failed(format!(
            "there is no column `{missing}`; expected a column of probabilities for each class, named after it, and found {}",
            there.join(", ")
        )));
    }
    let names: Vec<&str> = classes.iter().map(String::as_str).collect();
    let mut probabilities = Vec::new();
    for rows in split.read(&names)? {
        let rows = rows?;
        let mut columns = Vec::new();
        for (array, name) in rows.batch.columns().iter().zip(&names) {
            let cast = cast(array, &DataType::Float64);
            let cast = cast.map_err(|error| failed(format!("column `{name}`: {error}")))?;
            columns.push(cast);
        }
        for row in 0..rows.batch.num_rows() {
            let start = probabilities.len();
            for column in &columns {
                let values = column.as_primitive::<Float64Type>();
                let value = match values.is_valid(row) {
                    true => values.value(row),
                    false => f64::NAN,
                };
                probabilities.push(value as f32);
            }
            let own = &probabilities[start..];
            let sum: f32 = own.iter().sum();
            let are =
                own.iter().all(|value| (0.0..=1.0).contains(value)) && (sum - 1.0).abs() < 0.01;
            if !are {
                let place = rows.place(row).map(|place| place.to_string());
                return Err(failed(format!(
                    "{}: {own:?} are no probabilities; expected numbers from 0 to 1 whose sum is 1",
                    place.unwrap_or_default()
                )));
            }
        }
    }
    Ok(probabilities)
}
