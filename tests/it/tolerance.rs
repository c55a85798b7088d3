//! How close to transformers is close enough: every tolerance of the parity tests.
//!
//! The reference is PyTorch in f32, whose own distance from f64 on these fixtures is `noise` in
//! `fixtures.json` (up to 3e-6); both sides round differently within that.

/// Logits and the loss of the tiny models, absolute.
pub const LOGITS: f64 = 1e-5;
/// A parameter's gradient: norm of the difference over the norm of the reference.
pub const GRADIENT: f64 = 1e-5;
/// Gradients that are zero in exact arithmetic (key biases, which softmax cancels), absolute.
pub const ZERO_GRADIENT: f64 = 1e-6;
/// Losses of ten training steps, absolute.
pub const TRAJECTORY_LOSS: f64 = 1e-5;
/// Weights after ten training steps, absolute.
pub const TRAJECTORY_WEIGHT: f64 = 1e-5;
/// MiniLM's last hidden state, absolute.
pub const MINILM_HIDDEN: f64 = 1e-4;
/// Activation functions and their derivatives for inputs of the size of 8, absolute.
pub const ACTIVATION: f64 = 2e-6;
/// Parameters after ten steps of an optimizer on the same gradients: norm of the difference over
/// the norm of the reference.
pub const OPTIMIZER: f64 = 1e-6;
/// Losses and their gradients of the same logits, relative to what is above 1.
pub const LOSS: f64 = 1e-6;
/// Gradient norms of a run, relative.
pub const TRAJECTORY_NORM: f64 = 1e-5;
