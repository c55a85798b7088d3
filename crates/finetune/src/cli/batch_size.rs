//! Which `--batch-size` a model that is only asked can have.

use crate::error::Failure;

/// More rows than any memory holds, whose tokens could not be counted.
const MOST: usize = 10_000_000;

/// Refuses a batch of no row or of more than [`MOST`].
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
