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
    /// Samples and seconds since the last line.
    speed: (u64, f64),
    /// Whether samples are pairs of rows.
    pairs: bool,
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

    /// Returns the mean loss and the speed of the steps since the last call, if there were any.
    fn take_means(&mut self) -> Option<(f64, String)> {
        let (losses, count) = std::mem::take(&mut self.losses);
        let speed = self.speed();
        self.speed = (0, 0.0);
        (count > 0).then(|| (losses / count as f64, speed))
    }

    /// Describes how many samples a second takes.
    fn speed(&self) -> String {
        let (samples, seconds) = self.speed;
        speed(samples as f64 / seconds.max(f64::MIN_POSITIVE), self.pairs)
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
                pairs_per_epoch,
                padding_avoided,
                ..
            } => {
                self.total_steps = *total_steps;
                if let Some(estimate) = &mut self.estimate {
                    estimate.train_rows = *train_rows;
                    estimate.pairs = pairs_per_epoch.is_some();
                }
                let pairs =
                    pairs_per_epoch.map(|pairs| format!(" in {} pairs per epoch", count(pairs)));
                self.line(&format!(
                    "train   {} steps ({} per epoch, {} of warm-up) on {} rows{}, {} for validation",
                    count(*total_steps),
                    count(*steps_per_epoch),
                    count(*warmup_steps),
                    count(*train_rows),
                    pairs.unwrap_or_default(),
                    count(*validation_rows)
                ));
                if let Some(avoided) = padding_avoided {
                    let percent = 100.0 * avoided;
                    self.line(&format!("        packing avoids {percent:.1} % padding"));
                }
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
                pairs,
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
                self.pairs = pairs.is_some();
                self.speed.0 += pairs.unwrap_or(*rows);
                self.speed.1 += seconds;
                let mean = self.losses.0 / self.losses.1 as f64;
                let speed = self.speed();
                match &self.training {
                    Some(bar) if !bar.is_hidden() => {
                        bar.set_position(*step);
                        bar.set_message(format!("loss {mean:.4}  {speed}"));
                    }
                    // Without a terminal, about ten lines in all.
                    _ if step % (self.total_steps / 10).max(1) == 0 => {
                        say!("step {step}/{}  loss {mean:.4}  {speed}", self.total_steps)
                    }
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
                        "epoch {epoch:<5.2} loss {loss:.4}  {split} {headline}  {speed}{best}"
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

/// Describes a number of samples per second, which are pairs of rows or single rows.
pub fn speed(samples: f64, pairs: bool) -> String {
    let unit = if pairs { "pairs" } else { "samples" };
    format!("{samples:.1} {unit}/s")
}

/// Formats a number with thousands separators.
pub fn count(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}
