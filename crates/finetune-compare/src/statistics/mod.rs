//! How well means are known, and which differences are more than chance.

mod holm;
mod mean;
mod paired_rows;
mod paired_t;
mod pareto;

pub use holm::holm;
pub use mean::Mean;
pub use paired_rows::{PairedRows, RowMethod};
pub use paired_t::PairedT;
pub use pareto::pareto_front;
