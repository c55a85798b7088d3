//! Catches the panics by which the runtimes of GPUs report that a device cannot be opened. They come from threads
//! of their own, and again from the thread that waits for those.

use std::{panic, sync::Mutex};

/// The messages of the runtime's panics so far while a device is opened; `None` when none is.
static CAUGHT: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Starts of the names of the crates that make up the runtimes.
const RUNTIMES: [&str; 5] = ["burn-", "cubecl-", "cubek-", "cudarc-", "wgpu-"];

/// Returns whether a panic is one by which a runtime says that a device cannot be opened, which [`device`] returns
/// as an error. A panic hook calls this, once for each panic, to print nothing then.
///
/// [`device`]: crate::device()
pub fn panic_is_caught(info: &panic::PanicHookInfo<'_>) -> bool {
    let is_of_runtime = info
        .location()
        .is_some_and(|place| of_runtime(place.file()));
    let Ok(mut caught) = CAUGHT.lock() else {
        return false;
    };
    match &mut *caught {
        Some(messages) if is_of_runtime => {
            messages.push(info.payload_as_str().unwrap_or("no message").into());
            true
        }
        _ => false,
    }
}

fn of_runtime(file: &str) -> bool {
    let mut folders = file.split(['/', '\\']);
    folders.any(|folder| RUNTIMES.iter().any(|name| folder.starts_with(name)))
}

/// Runs what opens a device of this name.
#[cfg(any(test, feature = "cuda", feature = "wgpu"))]
pub(super) fn opened<T>(name: &str, open: impl FnOnce() -> T) -> Result<T, super::DeviceError> {
    // One device at a time, so that a message belongs to it.
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock();
    let caught = || {
        CAUGHT
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    *caught() = Some(Vec::new());
    let result = panic::catch_unwind(panic::AssertUnwindSafe(open));
    let messages = caught().take().unwrap_or_default();
    drop(one);
    result.map_err(|payload| {
        // The first is the cause. Without a hook of the program's there are no messages.
        let of_payload = || {
            let text = payload.downcast_ref::<String>().cloned();
            text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string))
        };
        let problem = messages.into_iter().next().or_else(of_payload);
        super::DeviceError::NotOpened {
            name: name.into(),
            problem: problem.unwrap_or_else(|| "the runtime does not say why".into()),
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn panics_of_the_runtimes_are_told_from_others() {
        for (file, expected) in [
            (
                "/home/a/.cargo/registry/src/index/cubecl-cuda-0.11.3/src/runtime.rs",
                true,
            ),
            (
                r"C:\cargo\registry\src\index\wgpu-core-30.0.1\src\lib.rs",
                true,
            ),
            ("crates/finetune-infer/src/device/mod.rs", false),
            ("src/runtime.rs", false),
        ] {
            assert_eq!(of_runtime(file), expected, "{file}");
        }
    }

    #[test]
    #[allow(clippy::panic)]
    fn a_panic_becomes_an_error() {
        assert_eq!(opened("gpu", || 3).unwrap(), 3);
        let error = opened::<()>("gpu", || panic!("no queue"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("device \"gpu\" cannot be opened: no queue; "),
            "{error}"
        );
        assert!(CAUGHT.lock().unwrap().is_none());
    }
}
