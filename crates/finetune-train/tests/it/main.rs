//! Runs with the library alone: the files of a session, resuming, and how runs end; and the order of the
//! crate's modules.
#![allow(clippy::unwrap_used, clippy::panic)]

mod arrows;
mod ends;
mod kit;
mod learning_rates;
mod reserved;
mod resumed;
mod whole;
