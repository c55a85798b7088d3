//! Validates `--batch-size` for prediction and evaluation.

use crate::error::Failure;

/// More rows than fit into any memory; their tokens could overflow a count.
const MOST: usize = 10_000_000;

/// Checks that a batch has between 1 and [`MOST`] rows.
///
/// # Errors
/// Fails with the accepted range.
pub fn check(rows: usize) -> Result<(), Failure> {
    let expected = match rows {
        0 => "at least 1".to_string(),
        rows if rows > MOST => format!("at most {MOST}"),
        _ => return Ok(()),
    };
    Err(Failure::User(format!(
        "--batch-size is {rows}; expected {expected}"
    )))
}
