//! The lab's table, for the terminal, in Markdown and in JSON.

use finetune_compare::statistics::Mean;
use serde_json::{Value, json};

use super::arguments::Settings;
use super::lesson::Lesson;
use super::session::Found;
use crate::table;

/// What the runs of a lesson found, in the order of their seeds.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) lesson: Lesson,
    pub(super) found: Vec<Found>,
}

const HEADER: [&str; 4] = ["", "test accuracy", "training", "trained"];

/// The table for the terminal.
pub(super) fn text(rows: &[Row]) -> String {
    let header = vec![HEADER.map(str::to_owned).to_vec()];
    let cells = rows.iter().map(Row::cells).map(Vec::from);
    table::format(&header.into_iter().chain(cells).collect::<Vec<_>>())
}

/// The table in Markdown, with what it compares.
pub(super) fn markdown(settings: &Settings, rows: &[Row]) -> String {
    let [first, rest @ ..] = HEADER;
    let mut text = format!("| {first} | {} |\n|---|---:|---:|---:|\n", rest.join(" | "));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.cells().join(" | ")));
    }
    text.push_str(&format!("\n{}\n", legend(settings, rows)));
    text
}

/// Says what the table compares, in sentences.
pub(super) fn legend(settings: &Settings, rows: &[Row]) -> String {
    let seeds = rows.iter().map(|row| row.found.len()).max().unwrap_or(0);
    let interval = match seeds {
        0 | 1 => "one seed, so without an interval".to_owned(),
        _ => format!(
            "mean of {seeds} seeds with its 95 % interval by Student's t ({} degrees of freedom)",
            seeds - 1
        ),
    };
    format!(
        "News: {}. Reviews: {}. Test accuracy: {interval}; training: mean time, without that of \
         pretraining; trained: share of the parameters. {} epochs of {} rows, at most {} tokens, \
         learning rate {} (head alone: {}), one vocabulary of at most {} words.",
        settings.news,
        settings.reviews,
        settings.epochs,
        settings.batch_size,
        settings.max_length,
        settings.learning_rate,
        settings.head_learning_rate,
        table::thousands(settings.vocab_size),
    )
}

/// The content of `lab.json`: the settings, and for each lesson its runs and the row of the table.
pub(super) fn json(settings: &Settings, rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        let accuracies = row.accuracies();
        let mean = Mean::of(&accuracies);
        let runs = (1..).zip(&row.found).map(|(seed, found)| {
            json!({
                "run": row.lesson.run(seed),
                "seed": seed,
                "test_accuracy": found.accuracy,
                "training_seconds": found.seconds,
                "trained_share": found.trained,
            })
        });
        json!({
            "name": row.lesson.name(),
            "title": row.lesson.title(),
            "test_accuracy": (!accuracies.is_empty()).then_some(mean.mean),
            "half_width_95_percent_student_t": mean.half_width,
            "training_seconds": row.mean(|found| found.seconds),
            "trained_share": row.mean(|found| found.trained),
            "runs": runs.collect::<Vec<_>>(),
        })
    });
    json!({"settings": settings, "rows": rows.collect::<Vec<_>>()})
}

impl Row {
    fn accuracies(&self) -> Vec<f64> {
        self.found.iter().filter_map(|run| run.accuracy).collect()
    }

    fn mean(&self, value: impl Fn(&Found) -> f64) -> Option<f64> {
        let values: Vec<f64> = self.found.iter().map(value).collect();
        (!values.is_empty()).then(|| Mean::of(&values).mean)
    }

    fn cells(&self) -> [String; 4] {
        let absent = || "–".to_owned();
        let accuracies = self.accuracies();
        let mean = Mean::of(&accuracies);
        let accuracy = match (accuracies.is_empty(), mean.half_width) {
            (true, _) => absent(),
            (false, None) => format!("{:.4}", mean.mean),
            (false, Some(half)) => format!("{:.4} ± {half:.4}", mean.mean),
        };
        [
            self.lesson.title().to_owned(),
            accuracy,
            self.mean(|run| run.seconds).map_or_else(absent, time),
            self.mean(|run| run.trained).map_or_else(absent, share),
        ]
    }
}

/// A time as people say it.
fn time(seconds: f64) -> String {
    if seconds < 99.5 {
        format!("{seconds:.0} s")
    } else {
        format!(
            "{:.0} min {:02.0} s",
            (seconds / 60.0).floor(),
            (seconds % 60.0).floor()
        )
    }
}

/// A share in percent, with two digits that mean something.
fn share(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        ..0.1 => format!("{percent:.3} %"),
        ..10.0 => format!("{percent:.2} %"),
        _ => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(lesson: Lesson, accuracies: &[f64], seconds: f64, trained: f64) -> Row {
        let found = accuracies.iter().map(|&accuracy| Found {
            accuracy: Some(accuracy),
            seconds,
            trained,
        });
        Row {
            lesson,
            found: found.collect(),
        }
    }

    fn settings() -> Settings {
        Settings {
            news: "ag".into(),
            news_sha256: "0".into(),
            reviews: "imdb".into(),
            reviews_sha256: "1".into(),
            epochs: 3,
            batch_size: 32,
            max_length: 256,
            learning_rate: 1e-3,
            head_learning_rate: 1e-2,
            vocab_size: 20_000,
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            row(Lesson::Scratch, &[0.81, 0.82, 0.83], 12.4, 1.0),
            row(Lesson::Head, &[0.6, 0.6, 0.6], 225.9, 0.000_123),
        ];
        assert_eq!(
            text(&rows),
            [
                "                             test accuracy    training  trained",
                "from scratch               0.8200 ± 0.0248        12 s    100 %",
                "pretrained, then the head  0.6000 ± 0.0000  3 min 45 s  0.012 %",
                "",
            ]
            .join("\n")
        );
    }

    #[test]
    fn markdown_says_what_is_compared() {
        let rows = [row(Lesson::Full, &[0.85], 5.0, 1.0)];
        let text = markdown(&settings(), &rows);
        assert!(
            text.starts_with(
                "|  | test accuracy | training | trained |\n|---|---:|---:|---:|\n\
                 | pretrained, then everything | 0.8500 | 5 s | 100 % |\n\nNews: ag. Reviews: imdb."
            ),
            "{text}"
        );
        assert!(text.contains("one seed, so without an interval"), "{text}");
        let rows = [row(Lesson::Full, &[0.85, 0.86], 5.0, 1.0)];
        let text = markdown(&settings(), &rows);
        assert!(text.contains("mean of 2 seeds with its 95 % interval by Student's t (1 degrees"));
    }

    #[test]
    fn json_has_every_run() {
        let found = json(&settings(), &[row(Lesson::Full, &[0.8, 0.9], 5.0, 0.5)]);
        assert_eq!(found["settings"]["epochs"], 3);
        let row = &found["rows"][0];
        assert!((row["test_accuracy"].as_f64().unwrap() - 0.85).abs() < 1e-12);
        assert!(row["half_width_95_percent_student_t"].as_f64().unwrap() > 0.6);
        assert_eq!(row["runs"][1]["run"], "full-2");
        assert_eq!(row["runs"][1]["test_accuracy"], 0.9);
        let nothing = json(
            &settings(),
            &[super::tests::row(Lesson::Full, &[], 0.0, 0.0)],
        );
        assert_eq!(nothing["rows"][0]["test_accuracy"], Value::Null);
    }

    #[test]
    fn times_and_shares_are_short() {
        assert_eq!(
            [0.4, 99.4, 225.9, 3601.0].map(time),
            ["0 s", "99 s", "3 min 45 s", "60 min 01 s"]
        );
        assert_eq!(
            [1.0, 0.163, 0.0243, 0.000_1].map(share),
            ["100 %", "16 %", "2.43 %", "0.010 %"]
        );
    }
}
