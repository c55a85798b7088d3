//! Probes a run in another process: its peak memory is that of the run alone, and a step that does not fit
//! into memory ends only that process.

use std::{
    io::Read,
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use finetune_models::SequenceClassifier;
use finetune_train::{BaseModel, Probe, RunInputs, TrainPlan, TrainedModel, Workload, probe};
use serde::{Deserialize, Serialize};

use crate::{
    cli::interrupt,
    commands::{
        memory,
        question::{ask, asked, cannot_ask},
        supervise::{end_with_parent, lacked_memory},
    },
    error::Failure,
    resolve::{loaded::load, model, rows::Rows},
    view::output::print,
};

/// The command of the other process.
const COMMAND: &str = "probe";
/// Interval of polling for the end of the process and for signals.
const PAUSE: Duration = Duration::from_millis(20);

/// What the other process is asked to probe.
#[derive(Serialize, Deserialize)]
pub struct Asked {
    pub plan: TrainPlan,
    /// Where the run would write.
    pub directory: PathBuf,
}

/// What a run of the plan does and takes.
#[derive(Serialize, Deserialize)]
pub struct Done {
    pub workload: Workload,
    pub probe: Probe,
    /// Seconds that loading the model took.
    pub load_seconds: f64,
}

/// What came of a probe.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    Done(Box<Done>),
    /// A run would fail with this message, because of its input or for another reason.
    Refused {
        message: String,
        is_input: bool,
    },
    /// The process ended without an answer, as for lack of memory.
    Died {
        message: String,
    },
}

/// Probes a run in another process.
///
/// # Errors
/// Fails if the process cannot be started, or with [`Failure::Interrupted`].
pub fn in_other_process(question: &Asked) -> Result<Answer, Failure> {
    let internal = |error: std::io::Error| cannot_ask(COMMAND, &error);
    let kills = memory::kills();
    let mut child = ask(COMMAND, question)?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(internal)? {
            break status;
        }
        if interrupt::requested() {
            // It may have just ended.
            let _ = child.kill();
        }
        thread::sleep(PAUSE);
    };
    if interrupt::requested() {
        return Err(Failure::Interrupted("interrupted; nothing was kept".into()));
    }
    let died = || Answer::Died {
        message: match lacked_memory(status, memory::kills() > kills) {
            true => format!("it does not fit into memory ({status})"),
            false => format!("its probe ended with {status}"),
        },
    };
    // The answer is short, so that it fits into the pipe.
    let mut answer = Vec::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_end(&mut answer).map_err(internal)?;
    }
    Ok(serde_json::from_slice(&answer).unwrap_or_else(|_| died()))
}

/// Probes a run in this process, as standard input asks, and prints the answer.
///
/// # Errors
/// Fails if the question cannot be read.
pub fn answer() -> Result<ExitCode, Failure> {
    end_with_parent();
    let asked: Asked = asked(COMMAND)?;
    let answer = match probed(&asked) {
        Ok(done) => Answer::Done(Box::new(done)),
        Err(Failure::User(message)) => Answer::Refused {
            message,
            is_input: true,
        },
        Err(Failure::Internal(message)) => Answer::Refused {
            message,
            is_input: false,
        },
        Err(other) => return Err(other),
    };
    let json = serde_json::to_string(&answer)
        .map_err(|error| Failure::Internal(format!("{COMMAND}: {error}")))?;
    print(&json)?;
    Ok(ExitCode::SUCCESS)
}

/// Loads what the run would load, and probes it.
fn probed(Asked { plan, directory }: &Asked) -> Result<Done, Failure> {
    let rows = Rows::choose(plan)?;
    let files = model::of_plan(plan)?;
    let base = BaseModel::open(&files.dir)?;
    let loaded = load(plan, &rows, files, base)?;
    let started = Instant::now();
    let prepared = SequenceClassifier::prepare(plan, &loaded.base, &loaded.device)?;
    let load_seconds = started.elapsed().as_secs_f64();
    let workload = Workload::of(plan, &loaded.data)?;
    let inputs = RunInputs::new(&loaded.files.dir, loaded.data);
    let probe = probe(plan, prepared, &inputs, directory)?;
    Ok(Done {
        workload,
        probe,
        load_seconds,
    })
}
