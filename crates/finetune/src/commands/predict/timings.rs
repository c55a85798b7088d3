//! Where the time of a prediction goes.

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
    /// In the model's forward passes.
    pub model_seconds: f64,
    /// In the tokenizer, beside the model.
    pub tokenize_seconds: f64,
    /// From the start of the program until the model was loaded.
    pub start_seconds: f64,
    #[serde(skip)]
    ready: Instant,
}

impl Timings {
    /// Of a program that runs since `started` and is about to read.
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

    /// Counts a chunk that the model took `model` for.
    pub fn add(&mut self, chunk: &Chunk, model: Duration) {
        self.texts += chunk.tokens.batch_size() as u64;
        self.tokens += chunk.tokens.num_tokens() as u64;
        self.model_seconds += model.as_secs_f64();
        self.tokenize_seconds += chunk.tokenizing.as_secs_f64();
    }

    /// All is written.
    pub fn end(&mut self) {
        self.seconds = self.ready.elapsed().as_secs_f64();
    }

    /// Writes them as a JSON object.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let json =
            serde_json::to_string(self).map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(std::fs::write(path, json + "\n").context("write", path)?)
    }
}
