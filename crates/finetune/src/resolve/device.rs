//! The device of a run.

use finetune_train::{device, resolve_auto, unusable_gpu};

use crate::{cli::train_options::TrainOptions, error::Failure, view::output::say};

/// Returns the name of the device, with `auto` resolved, after it has been opened. A note says why `auto` does not
/// take a GPU that is there.
///
/// # Errors
/// Fails if the device cannot be used, or does not compute in the precision of the options.
pub fn chosen(options: &TrainOptions) -> Result<String, Failure> {
    let given = options.device.as_deref().unwrap_or("auto");
    if given == "auto"
        && let Some(problem) = unusable_gpu()
    {
        say!("note: --device auto takes the CPU: {problem}");
    }
    let name = resolve_auto(given);
    device(&name)?;
    options.precision.unwrap_or_default().resolve(&name)?;
    Ok(name)
}
