//! Runs with the library alone: the files of a session, resuming, and how runs end.
#![allow(clippy::unwrap_used, clippy::panic)]

mod ends;
mod kit;
mod learning_rates;
mod reserved;
mod resumed;
mod whole;
