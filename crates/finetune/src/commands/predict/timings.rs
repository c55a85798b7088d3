//! Measures where the time of a prediction goes.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use finetune_files::IoContext;
use serde::Serialize;

use super::chunks::Chunk;
use crate::error::Failure;

/// Numbers of texts and tokens, and times in seconds.
#[derive(Debug, Serialize)]
pub struct Timings {
    pub texts: u64,
    pub tokens: u64,
    /// From the first read to the last write.
    pub seconds: f64,
    /// Spent in the model's forward passes.
    pub model_seconds: f64,
    /// Spent in the tokenizer, in parallel with the model.
    pub tokenize_seconds: f64,
    /// From the start of the program until the model was loaded.
    pub start_seconds: f64,
    #[serde(skip)]
    ready: Instant,
}

impl Timings {
    /// Starts measuring, in a program that was started at `started` and is about to read.
    pub fn ready(started: Instant) -> Self {
        Self {
            texts: 0,
            tokens: 0,
            seconds: 0.0,
            model_seconds: 0.0,
            tokenize_seconds: 0.0,
            start_seconds: started.elapsed().as_secs_f64(),
            ready: Instant::now(),
        }
    }

    /// Adds a chunk that took the model the time `model`.
    pub fn add(&mut self, chunk: &Chunk, model: Duration) {
        self.texts += chunk.tokens.batch_size() as u64;
        self.tokens += chunk.tokens.num_tokens() as u64;
        self.model_seconds += model.as_secs_f64();
        self.tokenize_seconds += chunk.tokenizing.as_secs_f64();
    }

    /// Ends measuring, when all predictions are written.
    pub fn end(&mut self) {
        self.seconds = self.ready.elapsed().as_secs_f64();
    }

    /// Writes the timings as a JSON object.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let json =
            serde_json::to_string(self).map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(std::fs::write(path, json + "\n").context("write", path)?)
    }
}
