//! Turns panics of libraries on damaged input into errors about that input.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Number of calls of [`catching`] on this thread's stack.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Returns whether this crate would catch a panic on this thread and turn it into an error about
/// the input. A program's panic hook can then stay silent.
pub fn panic_is_caught() -> bool {
    DEPTH.get() > 0
}

/// Runs library code that panics on some damaged inputs and returns the panic's message as the
/// error.
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
