//! Shows progress on standard error: bars on a terminal, a few lines elsewhere.

use crate::view::output::{printable, say};
use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use finetune_infer::Evaluation;
use finetune_train::{Event, Observer, TrainError};
use indicatif::{ProgressBar, ProgressStyle};

use crate::view::run_time::Estimate;

/// Creates a bar of `total` units, which is drawn only on a terminal.
pub fn bar(total: u64, template: &'static str) -> ProgressBar {
    let bar = match stderr().is_terminal() {
        true => ProgressBar::new(total),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// Creates the bar of an evaluation of `split`.
pub fn evaluation_bar(split: &str, rows: u64) -> ProgressBar {
    let bar = bar(rows, EVALUATION);
    bar.set_message(split.to_string());
    bar
}

/// The template of a download's bar.
pub const DOWNLOAD: &str = "  {msg:24} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}";
/// The template of a tokenization's bar.
pub const ROWS: &str = "  {msg:24} {bar:30} {human_pos}/{human_len} rows {per_sec} ETA {eta}";
const STEPS: &str = "  training {bar:30} {pos}/{len} {msg} ETA {eta}";
const EVALUATION: &str = "  {msg} {bar:30} {human_pos}/{human_len} rows ETA {eta}";

/// Shows the progress of a run.
#[derive(Default)]
pub struct ProgressView {
    training: Option<ProgressBar>,
    evaluation: Option<ProgressBar>,
    /// Sum of the losses since the last line, and their number.
    losses: (f64, u64),
    /// Rows and seconds since the last line.
    speed: (u64, f64),
    total_steps: u64,
    /// The estimate of a long run's time, until it is printed.
    estimate: Option<Estimate>,
}

impl ProgressView {
    /// Creates a view that prints how long a long run takes, if it trains on `all_rows` because the user
    /// gave no number.
    pub fn with_estimate(all_rows: bool) -> Self {
        Self {
            estimate: all_rows.then(Estimate::default),
            ..Self::default()
        }
    }

    /// Prints a line above the bars.
    fn line(&self, text: &str) {
        match &self.training {
            Some(bar) if !bar.is_hidden() => bar.println(printable(text)),
            _ => say!("{text}"),
        }
    }

    /// Returns the mean loss and the samples per second of the steps since the last call, if there were any.
    fn take_means(&mut self) -> Option<(f64, f64)> {
        let (losses, count) = std::mem::take(&mut self.losses);
        let (rows, seconds) = std::mem::take(&mut self.speed);
        let speed = rows as f64 / seconds.max(f64::MIN_POSITIVE);
        (count > 0).then(|| (losses / count as f64, speed))
    }
}

impl Observer for ProgressView {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        match event {
            Event::Started {
                train_rows,
                validation_rows,
                steps_per_epoch,
                total_steps,
                warmup_steps,
                padding_avoided,
                ..
            } => {
                self.total_steps = *total_steps;
                if let Some(estimate) = &mut self.estimate {
                    estimate.train_rows = *train_rows;
                }
                self.line(&format!(
                    "train   {} steps ({} per epoch, {} of warm-up) on {} rows, {} for validation",
                    count(*total_steps),
                    count(*steps_per_epoch),
                    count(*warmup_steps),
                    count(*train_rows),
                    count(*validation_rows)
                ));
                self.line(&format!(
                    "        packing avoids {:.1} % padding",
                    100.0 * padding_avoided
                ));
                self.training = Some(bar(*total_steps, STEPS));
            }
            Event::Resumed { step, total_steps } => {
                self.total_steps = *total_steps;
                let bar = bar(*total_steps, STEPS);
                bar.set_position(*step);
                bar.reset_eta();
                self.training = Some(bar);
            }
            Event::Progress {
                step,
                loss,
                rows,
                seconds,
            } => {
                if let Some(estimate) = &mut self.estimate
                    && estimate.add(*seconds)
                {
                    let note = estimate.note(self.total_steps);
                    self.estimate = None;
                    if let Some(note) = note {
                        self.line(&format!("note: {note}"));
                    }
                }
                self.losses.0 += loss;
                self.losses.1 += 1;
                self.speed.0 += rows;
                self.speed.1 += seconds;
                let mean = self.losses.0 / self.losses.1 as f64;
                let speed = self.speed.0 as f64 / self.speed.1.max(f64::MIN_POSITIVE);
                match &self.training {
                    Some(bar) if !bar.is_hidden() => {
                        bar.set_position(*step);
                        bar.set_message(format!("loss {mean:.4}  {speed:.1} samples/s"));
                    }
                    // Without a terminal, about ten lines in all.
                    _ if step % (self.total_steps / 10).max(1) == 0 => say!(
                        "step {step}/{}  loss {mean:.4}  {speed:.1} samples/s",
                        self.total_steps
                    ),
                    _ => {}
                }
            }
            Event::Evaluating { split, rows } => {
                self.evaluation = Some(evaluation_bar(split, *rows));
            }
            Event::Caching { rows } => {
                let bar = bar(*rows, EVALUATION);
                bar.set_message("frozen layers");
                self.evaluation = Some(bar);
            }
            Event::Teaching { split, rows } => {
                if let Some(bar) = self.evaluation.take() {
                    bar.finish_and_clear();
                }
                self.line(&format!("teacher labels {} rows ({split})", count(*rows)));
                let bar = bar(*rows, EVALUATION);
                bar.set_message("teacher");
                self.evaluation = Some(bar);
            }
            Event::EvaluationProgress { rows } | Event::CachingProgress { rows } => {
                if let Some(bar) = &self.evaluation {
                    bar.set_position(*rows);
                }
            }
            Event::Evaluated {
                split,
                epoch,
                metrics,
                best,
                ..
            } => {
                if let Some(bar) = self.evaluation.take() {
                    bar.finish_and_clear();
                }
                if *split == "test" {
                    // The report shows it.
                    return Ok(());
                }
                let best = if *best { "  * best so far" } else { "" };
                let headline = headline(metrics);
                match self.take_means() {
                    Some((loss, speed)) => self.line(&format!(
                        "epoch {epoch:<5.2} loss {loss:.4}  {split} {headline}  {speed:.1} samples/s{best}"
                    )),
                    None => self.line(&format!("epoch {epoch:<5.2} {split} {headline}{best}")),
                }
            }
            Event::Note { message } => self.line(&format!("note: {message}")),
            Event::StoppedEarly(stop) => self.line(&stop.to_string()),
            Event::Finished { .. } => {
                if let Some(bar) = self.training.take() {
                    bar.finish_and_clear();
                }
            }
            Event::Unfrozen {
                lowest_layer,
                trainable_parameters,
                ..
            } => self.line(&format!(
                "unfreeze layers {lowest_layer} and above: {} trainable parameters",
                count(*trainable_parameters)
            )),
            Event::Step { .. } | Event::Checkpoint { .. } => {}
        }
        Ok(())
    }
}

/// Formats the most important metrics on one line.
pub fn headline(metrics: &Evaluation) -> String {
    let metrics = metrics.summary.headline().into_iter();
    let shown: Vec<_> = metrics
        .map(|(title, value)| format!("{title} {value:.4}"))
        .collect();
    shown.join("  ")
}

/// Formats a number with thousands separators.
pub fn count(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}
