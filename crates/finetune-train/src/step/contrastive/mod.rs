//! Learning from few labels as SetFit does (Tunstall et al. 2022): texts of the same class are pulled
//! together and others pushed apart, pair by pair, and a logistic regression on the result is the head.

pub(crate) mod head;
mod lbfgs;
mod logistic;
pub(crate) mod loss;
pub(crate) mod pairs;
