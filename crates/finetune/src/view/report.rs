//! Reports the results of a run, as JSON or text.

use finetune_train::{Evaluation, RunDirectory, RunResults, SavingCost, TrainPlan};

use crate::{
    error::Failure,
    view::{
        comparison::Comparison,
        next,
        output::{print_json, say, show},
        progress::{count, headline, speed},
        summary,
    },
};

/// The results of a run to print.
pub struct Report {
    pub results: RunResults,
    /// The untrained model's predictions for the first rows, for strategy `features`.
    pub raw_predictions: Option<String>,
}

impl Report {
    /// Prints the report on standard output, as one JSON object or as text. The run is complete, so an
    /// error of printing is only a note.
    pub fn print(&self, plan: &TrainPlan, run: &RunDirectory, json: bool) {
        let printed = match json {
            true => print_json(self.results.to_json()),
            false => show(&self.text(plan, run)),
        };
        if let Err(Failure::User(problem) | Failure::Internal(problem)) = printed {
            let results = run.results();
            say!("note: {problem}; the results are in {}", results.display());
        }
    }

    /// Returns the number of validation rows that training evaluated.
    fn validation_rows(&self) -> u64 {
        let outcome = &self.results.outcome;
        let best = outcome.best.as_ref().map(|best| &best.evaluation);
        let evaluation = best.or(outcome.last.as_ref()).or(outcome.before.as_ref());
        evaluation.map_or(0, |metrics| metrics.rows())
    }

    /// Compares the untrained model and the result on the validation rows.
    fn comparison(&self, plan: &TrainPlan) -> Option<Comparison> {
        let outcome = &self.results.outcome;
        if outcome.steps == 0 {
            return None;
        }
        let after = outcome.kept_evaluation.as_ref()?;
        let before = outcome.before.as_ref()?;
        Some(match plan.pretraining {
            None => Comparison::new(plan.data.problem_type, before, after),
            Some(_) => Comparison::of_metrics(before, after, ["loss", "perplexity"]),
        })
    }

    /// Compares teacher and student on the test rows, or else on the validation rows.
    fn teacher(&self, plan: &TrainPlan) -> String {
        let Some(teacher) = &self.results.teacher else {
            return String::new();
        };
        let outcome = &self.results.outcome;
        let (rows, before, after, agreement) = match (&teacher.test, &self.results.test) {
            (Some(teachers), Some(test)) => {
                let after = test.evaluation().record();
                ("test", teachers.record(), after, teacher.test_agreement)
            }
            _ => match &outcome.kept_evaluation {
                Some(after) => {
                    let agreement = after.get(Evaluation::AGREEMENT);
                    let before = teacher.validation.record();
                    ("validation", before, after.clone(), agreement)
                }
                None => return String::new(),
            },
        };
        let table = Comparison::new(plan.data.problem_type, &before, &after);
        let table = table.table(["teacher", "student"]);
        let agreement = agreement.map_or("-".into(), |value| format!("{value:.4}"));
        format!("\n{rows} rows by teacher and student\n\n{table}agreement of both: {agreement}\n\n")
    }

    /// Formats the test results, what was done, and commands to continue with.
    pub fn text(&self, plan: &TrainPlan, run: &RunDirectory) -> String {
        let peak = self.results.peak_memory.map_or_else(String::new, |bytes| {
            format!(", peak memory {:.2} GB", bytes as f64 / 1e9)
        });
        let test = self.results.test.as_ref().map_or_else(String::new, |all| {
            let (headline, tables) = (headline(&all.evaluation()), summary::tables(all));
            format!("\ntest    {headline}\n\n{tables}\n")
        });
        let outcome = &self.results.outcome;
        let before_and_after = self
            .comparison(plan)
            .map_or_else(String::new, |comparison| {
                let table = comparison.table(["before", "after"]);
                format!("\nvalidation rows before and after training\n\n{table}\n")
            });
        let raw = self
            .raw_predictions
            .as_ref()
            .map_or_else(String::new, |table| {
                format!("\npredictions of the untrained model for the first validation rows\n\n{table}\n")
            });
        let teacher = self.teacher(plan);
        let saving = saving(&outcome.saving);
        let lost = outcome.lost_best.as_ref().map_or_else(String::new, |lost| {
            format!(
                ": the last model, from step {}, because the checkpoint of the best, from step {}, is damaged",
                count(outcome.kept_step),
                count(lost.step)
            )
        });
        let model = run.model();
        let steps = count(outcome.steps);
        let next = next::lines(plan, &model, self.validation_rows());
        let model = model.display();
        let pairs = plan.pairs_in(0).is_some();
        let (seconds, speed) = (outcome.seconds, speed(outcome.samples_per_second, pairs));
        format!(
            "{test}{before_and_after}{teacher}{raw}trained {steps} steps in {seconds:.0} s, {speed}{peak}\n{saving}\
             saved   {model}{lost}\n\n\
             Next:\n{next}"
        )
    }
}

/// Describes what saving checkpoints cost.
fn saving(cost: &SavingCost) -> String {
    match cost.checkpoints {
        0 => String::new(),
        checkpoints => format!(
            "saved   {checkpoints} checkpoints, {:.2} GB, written in {:.1} s during training, which waited {:.2} s\n",
            cost.bytes as f64 / 1e9,
            cost.write_seconds,
            cost.stall_seconds
        ),
    }
}
