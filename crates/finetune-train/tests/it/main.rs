//! Runs by the library alone: what a session leaves, how it is gone on with, and how it ends.
#![allow(clippy::unwrap_used, clippy::panic)]

mod ends;
mod kit;
mod learning_rates;
mod reserved;
mod resumed;
mod whole;
