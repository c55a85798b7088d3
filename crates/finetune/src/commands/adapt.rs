//! `--adapt-epochs`: pretrains the base model on the texts of the run, before it is fine-tuned. That is a
//! run of its own inside the run's directory, which is resumed with it.

use finetune_models::MaskedLm;
use finetune_train::{
    BaseModel, RunDirectory, RunEnd, RunInputs, Start, TrainPlan, TrainedModel, layout,
};

use crate::{
    commands::{
        execute::{interrupted, observers},
        program::program,
    },
    error::Failure,
    resolve::{data::describe, loaded::Loaded},
    view::output::say,
};

/// Returns the model that the run in `run` trains: the base model of its plan, adapted first if the plan
/// says so, for which the run begins.
///
/// # Errors
/// Fails if the adaptation fails or is interrupted.
pub fn adapted(
    plan: &TrainPlan,
    loaded: &Loaded,
    run: &mut RunDirectory,
) -> Result<BaseModel, Failure> {
    let path = run.path().join(layout::ADAPTATION);
    let (Some(data), Some(mut fresh)) = (&loaded.adaptation, plan.adapting(&path)) else {
        return Ok(loaded.base.clone());
    };
    fresh.data.dataset_fingerprints = data.fingerprints();
    if !run.has_begun() {
        run.begin(plan, &loaded.files.dir)?;
    }
    let unlabelled = plan.adaptation.as_ref();
    let unlabelled = unlabelled.and_then(|adaptation| adaptation.unlabelled.as_deref());
    let (mut adaptation, plan, start) = match layout::has_begun(&path) {
        true => {
            let (adaptation, saved) = RunDirectory::open(&path)?;
            let plan = saved.written()?.clone();
            check_texts(&plan, &fresh, unlabelled)?;
            if adaptation.is_complete() {
                let (model, notes) = adaptation.verified_model()?;
                for note in notes {
                    say!("note: {note}");
                }
                return Ok(BaseModel::open(&model)?);
            }
            let start = Start::newest(&plan, &adaptation, &loaded.base, &loaded.device)?;
            (adaptation, plan, start)
        }
        false => {
            let prepared = MaskedLm::prepare(&fresh, &loaded.base, &loaded.device)?;
            (RunDirectory::create(&path)?, fresh, Start::fresh(prepared))
        }
    };
    say!("adapt   to {}", describe(&data.train));
    let inputs = RunInputs {
        commit: loaded.files.revision.clone(),
        program: program(),
        data_seconds: loaded.data_seconds,
        ..RunInputs::new(&loaded.files.dir, data.clone())
    };
    match adaptation.pretrain(&plan, start, &inputs, observers(&plan))? {
        RunEnd::Complete(_) => Ok(BaseModel::open(&adaptation.model())?),
        RunEnd::Interrupted(interruption) => Err(interrupted(&interruption, run)),
    }
}

/// Checks that the texts are those that the adaptation began with. The data set of the run itself was
/// compared when it was loaded, so that only further texts can have changed.
fn check_texts(
    begun: &TrainPlan,
    now: &TrainPlan,
    unlabelled: Option<&str>,
) -> Result<(), Failure> {
    let (was, is) = (
        &begun.data.dataset_fingerprints,
        &now.data.dataset_fingerprints,
    );
    // Adaptations of earlier versions did not record them.
    if was.is_empty() || was == is {
        return Ok(());
    }
    let texts = unlabelled.map_or(String::new(), |name| format!(" of {name}"));
    Err(Failure::User(format!(
        "the texts{texts} to adapt the model to are not those that the run began with; restore them, or begin a new run"
    )))
}
