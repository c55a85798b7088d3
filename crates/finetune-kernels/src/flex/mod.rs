//! Bodies for Burn's CPU backend that replace portable ones.

mod adamw;

pub(crate) use adamw::adamw_step;
