//! What the run was, in words, and its main results.

use finetune_task::Task;
use maud::{Markup, html};

use super::Section;
use crate::{
    Measure, ReportError, RunFacts, RunState,
    format::{count, decimals, duration, visible},
};

/// Names of outputs beyond which only their number is given.
const MOST_NAMES: usize = 12;

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let body = html! {
        @if let Some(banner) = banner(facts) { p.banner role="status" { (banner) } }
        p { (visible(&story(facts))) }
        @if !facts.headline.is_empty() {
            dl.measures { @for measure in &facts.headline { (tile(measure)) } }
            p.note { (visible(&uncertainty(facts))) }
        }
        @if !facts.notes.is_empty() {
            ul.notes { @for note in &facts.notes { li { (visible(note)) } } }
        }
    };
    Ok(Some(Section {
        id: "overview",
        title: "Overview",
        body,
    }))
}

fn banner(facts: &RunFacts) -> Option<String> {
    let done = facts.log.last_step();
    let steps = match &facts.log.started {
        Some(started) => format!("{} of {} steps", count(done), count(started.total_steps)),
        None => "no step yet".into(),
    };
    match facts.state {
        RunState::Complete => None,
        RunState::GoingOn => Some(format!(
            "This run is going on ({steps} so far); what follows is not its result."
        )),
        RunState::Unfinished => Some(format!(
            "This run was interrupted or has died after {steps}; what follows is not its result."
        )),
    }
}

/// Tells in words what was trained on what, and what came of it.
fn story(facts: &RunFacts) -> String {
    let setup = &facts.setup;
    let what = match (&setup.task, &setup.teacher) {
        (None, _) => "to predict masked words".into(),
        (Some(task), None) => purpose(task),
        (Some(task), Some(teacher)) => format!("{}, taught by {teacher}", purpose(task)),
    };
    let mut story = format!("{} was trained on {} {what}.", setup.model, setup.dataset);
    if let Some(started) = &facts.log.started {
        let share = 100.0 * started.trainable_parameters as f64 / started.parameters.max(1) as f64;
        story += &format!(
            " There are {} training rows. The strategy {} trains {} of {} parameters ({share:.3} %).",
            count(started.train_rows),
            setup.strategy,
            count(started.trainable_parameters),
            count(started.parameters)
        );
        let steps: f64 = facts.times.steps;
        story += &format!(
            " {} of {} steps took {}",
            count(facts.log.last_step()),
            count(started.total_steps),
            duration(steps)
        );
        if let Some(machine) = &setup.machine {
            story += &format!(" on {machine}");
        }
        story += &format!(" ({}, seed {}).", setup.precision, setup.seed);
    }
    if let (Some(step), RunState::Complete) = (facts.kept_step, facts.state) {
        story += &format!(
            " The kept model is that of step {}, chosen by {}.",
            count(step),
            facts.metric
        );
    }
    story
}

fn purpose(task: &Task) -> String {
    let names = match task.num_labels() {
        ..=MOST_NAMES => task.names().join(", "),
        number => format!("{number} of them"),
    };
    match task {
        Task::Classes(_) => format!("to tell classes apart: {names}"),
        Task::MultiLabel(_) => format!("to find all labels of a text: {names}"),
        Task::Regression(_) => format!("to predict numbers: {names}"),
    }
}

fn tile(measure: &Measure) -> Markup {
    html! { div {
        dt { (visible(&measure.name)) }
        dd { strong { (decimals(measure.value)) }
            @if let Some([low, high]) = measure.interval {
                " " span.interval { (decimals(low)) "–" (decimals(high)) }
            }
        }
    } }
}

fn uncertainty(facts: &RunFacts) -> String {
    let measured = facts
        .headline
        .iter()
        .find(|measure| measure.interval.is_some());
    match measured {
        Some(measure) => format!(
            "On the {}. Ranges are 95 % intervals over rows ({}); another seed may differ by more.",
            facts.headline_rows, measure.method
        ),
        None => format!("On the {}.", facts.headline_rows),
    }
}
