//! Panics of libraries on damaged input, made errors about that input.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Calls of [`catching`] that this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Whether a panic on this thread would now be caught by this crate and become an error about the
/// input. For a program's panic hook, which then has nothing to say.
pub fn panic_is_caught() -> bool {
    DEPTH.get() > 0
}

/// Runs code of a library that panics on some damaged inputs; `Err` has the panic's message.
pub(crate) fn catching<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    struct Inside;
    impl Drop for Inside {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
        }
    }
    DEPTH.set(DEPTH.get() + 1);
    let inside = Inside;
    let result = catch_unwind(AssertUnwindSafe(action));
    drop(inside);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or("it gave no reason").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        assert!(!panic_is_caught());
        assert_eq!(catching(panic_is_caught), Ok(true));
        let empty: Vec<u8> = Vec::new();
        // Indexing is how libraries panic.
        let index = empty.len() + 1;
        let error = catching(|| empty[index]).unwrap_err();
        assert!(error.contains("out of bounds"), "{error}");
        assert!(!panic_is_caught());
    }
}
