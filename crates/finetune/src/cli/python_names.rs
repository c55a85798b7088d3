//! Translates the flags of transformers' `TrainingArguments` and of its scripts `run_glue.py`,
//! `run_classification.py` and `run_mlm.py`. Flags without an equivalent are rejected with advice.

use std::ffi::OsString;

use clap::{Args, Command, builder::ValueParser};

use crate::{cli::train_options::TrainOptions, error::Failure};

/// The equivalent of a Python option.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Here {
    /// The option with this name.
    Is(&'static str),
    /// A switch that sets an option to a value.
    Sets(&'static str, &'static str),
    /// A switch for behaviour that is always on, described in words.
    Always(&'static str),
    /// No equivalent; the text says what to do instead.
    Not(&'static str),
}

use Here::{Always, Is, Not, Sets};

const MEMORY: &str = "to save memory, use --auto-find-batch-size, --gradient-accumulation-steps, or a --strategy that trains less";
const PRECISION: &str =
    "set the precision of matrix multiplications with --precision f32, tf32, bf16 or auto";
const PROCESSES: &str = "a run is one process on one --device";
const READING: &str = "rows are read on demand, without workers";
const HUB: &str = "nothing is uploaded; the model is in RUN/model, where other tools can find it";
const COMPILED: &str = "the program is already compiled";
const LOGS: &str = "set logging with --logging-strategy, --logging-steps and --report-to";
const PLAIN: &str = "predictions are not gathered across processes; leave it out";

/// Python's names, with underscores, that differ from ours.
const NAMES: [(&str, Here); 135] = [
    // TrainingArguments
    ("output_dir", Is("output")),
    ("num_train_epochs", Is("epochs")),
    ("per_device_train_batch_size", Is("batch_size")),
    ("per_gpu_train_batch_size", Is("batch_size")),
    ("per_device_eval_batch_size", Is("eval_batch_size")),
    ("per_gpu_eval_batch_size", Is("eval_batch_size")),
    ("evaluation_strategy", Is("eval_strategy")),
    (
        "lr_scheduler_kwargs",
        Not("give its settings one by one: --set lr_scheduler_kwargs.num_cycles=2"),
    ),
    (
        "optim_args",
        Not("give its settings one by one: --set optim_args.momentum=0.9"),
    ),
    (
        "optim_target_modules",
        Not("choose what to train with --strategy"),
    ),
    ("average_tokens_across_devices", Not(PROCESSES)),
    ("bf16", Sets("precision", "bf16")),
    ("fp16", Not(PRECISION)),
    ("fp16_opt_level", Not(PRECISION)),
    ("half_precision_backend", Not(PRECISION)),
    ("bf16_full_eval", Not(PRECISION)),
    ("fp16_full_eval", Not(PRECISION)),
    ("tf32", Sets("precision", "tf32")),
    ("activation_checkpointing", Not(MEMORY)),
    ("activation_checkpointing_kwargs", Not(MEMORY)),
    ("gradient_checkpointing", Not(MEMORY)),
    ("gradient_checkpointing_kwargs", Not(MEMORY)),
    ("torch_empty_cache_steps", Not(MEMORY)),
    ("torch_compile", Not(COMPILED)),
    ("torch_compile_backend", Not(COMPILED)),
    ("torch_compile_mode", Not(COMPILED)),
    ("use_liger_kernel", Not(COMPILED)),
    ("liger_kernel_config", Not(COMPILED)),
    ("jit_mode_eval", Not(COMPILED)),
    (
        "use_cache",
        Not("encoders do not use a key-value cache; leave it out"),
    ),
    (
        "neftune_noise_alpha",
        Not("noise on embeddings is not supported; leave it out"),
    ),
    ("logging_first_step", Not(LOGS)),
    (
        "logging_dir",
        Not("TensorBoard files are in RUN/tensorboard"),
    ),
    ("log_on_each_node", Not(PROCESSES)),
    (
        "logging_nan_inf_filter",
        Not("a loss that is not a number ends the run; leave it out"),
    ),
    (
        "include_num_input_tokens_seen",
        Not("events.jsonl has the tokens of each step; leave it out"),
    ),
    (
        "include_tokens_per_second",
        Not("events.jsonl has tokens and seconds of each step; leave it out"),
    ),
    ("log_level", Not(LOGS)),
    ("log_level_replica", Not(LOGS)),
    (
        "disable_tqdm",
        Not("progress bars are drawn only on a terminal; redirect standard error, as in 2> log"),
    ),
    (
        "run_name",
        Not("a run is named after its directory: --output"),
    ),
    ("project", Not(LOGS)),
    ("trackio_space_id", Not(LOGS)),
    ("trackio_bucket_id", Not(LOGS)),
    ("trackio_static_space_id", Not(LOGS)),
    (
        "eval_delay",
        Not("set when to evaluate with --eval-strategy, --eval-steps and --eval-on-start"),
    ),
    (
        "prediction_loss_only",
        Not("all metrics are computed; leave it out"),
    ),
    ("eval_do_concat_batches", Not(PLAIN)),
    ("eval_use_gather_object", Not(PLAIN)),
    ("eval_accumulation_steps", Not(PLAIN)),
    ("include_for_metrics", Not(PLAIN)),
    ("include_inputs_for_metrics", Not(PLAIN)),
    (
        "batch_eval_metrics",
        Not("metrics are streamed anyway; leave it out"),
    ),
    (
        "save_only_model",
        Not(
            "a run resumes from its checkpoints; limit them with --save-total-limit and --save-bytes-limit",
        ),
    ),
    ("save_safetensors", Always("weights are safetensors")),
    ("save_on_each_node", Not(PROCESSES)),
    (
        "enable_jit_checkpoint",
        Not("a stopped run always saves a checkpoint; leave it out"),
    ),
    ("push_to_hub", Not(HUB)),
    ("hub_token", Not(HUB)),
    ("hub_private_repo", Not(HUB)),
    ("hub_model_id", Not(HUB)),
    ("hub_strategy", Not(HUB)),
    ("hub_always_push", Not(HUB)),
    ("hub_revision", Not(HUB)),
    ("push_to_hub_model_id", Not(HUB)),
    ("push_to_hub_organization", Not(HUB)),
    ("push_to_hub_token", Not(HUB)),
    (
        "greater_is_better",
        Not("it is known for each metric; leave it out"),
    ),
    (
        "ignore_data_skip",
        Not("a run resumes with the rows that it has not seen; leave it out"),
    ),
    (
        "restore_callback_states_from_checkpoint",
        Always("a run resumes with all of its state"),
    ),
    (
        "full_determinism",
        Always("the same plan gives the same bits"),
    ),
    ("data_seed", Not("there is one --seed for everything")),
    ("use_cpu", Sets("device", "cpu")),
    ("no_cuda", Sets("device", "cpu")),
    (
        "use_mps_device",
        Not("choose a device with --device auto, cpu, ndarray, cuda, cuda:N, wgpu or wgpu:N"),
    ),
    ("accelerator_config", Not(PROCESSES)),
    ("parallelism_config", Not(PROCESSES)),
    (
        "dataloader_drop_last",
        Not("the last batch is always trained on; leave it out"),
    ),
    ("dataloader_num_workers", Not(READING)),
    ("dataloader_pin_memory", Not(READING)),
    ("dataloader_persistent_workers", Not(READING)),
    ("dataloader_prefetch_factor", Not(READING)),
    ("dataloader_multiprocessing_context", Not(READING)),
    ("dataloader_in_order", Not(READING)),
    (
        "remove_unused_columns",
        Always("only the columns of texts and labels are read"),
    ),
    (
        "label_names",
        Not("name the label column with --label-column, and the classes with --labels"),
    ),
    (
        "train_sampling_strategy",
        Not("group rows of similar length with --length-buckets"),
    ),
    (
        "group_by_length",
        Not("group rows of similar length with --length-buckets 50"),
    ),
    (
        "length_column_name",
        Not("lengths are counted in tokens; leave it out"),
    ),
    ("ddp_find_unused_parameters", Not(PROCESSES)),
    ("ddp_bucket_cap_mb", Not(PROCESSES)),
    ("ddp_broadcast_buffers", Not(PROCESSES)),
    ("ddp_static_graph", Not(PROCESSES)),
    ("ddp_backend", Not(PROCESSES)),
    ("ddp_timeout", Not(PROCESSES)),
    ("fsdp", Not(PROCESSES)),
    ("fsdp_config", Not(PROCESSES)),
    ("deepspeed", Not(PROCESSES)),
    ("local_rank", Not(PROCESSES)),
    ("debug", Not("leave it out")),
    (
        "skip_memory_metrics",
        Not("peak memory is in results.json; leave it out"),
    ),
    ("do_train", Always("train trains")),
    (
        "do_eval",
        Always("validation rows are evaluated unless --eval-strategy is no"),
    ),
    ("do_predict", Always("test rows are evaluated at the end")),
    (
        "resume_from_checkpoint",
        Not("resume a run with --resume RUN or --resume auto"),
    ),
    (
        "overwrite_output_dir",
        Not("nothing is overwritten: give another --output, or remove the directory"),
    ),
    // ModelArguments
    ("model_name_or_path", Is("model")),
    ("model_revision", Is("revision")),
    (
        "config_name",
        Not("config.json comes with the model; leave it out"),
    ),
    (
        "tokenizer_name",
        Not("the tokenizer comes with the model; leave it out"),
    ),
    ("use_fast_tokenizer", Always("the fast tokenizer is used")),
    (
        "cache_dir",
        Not("set the cache directory with the environment variable HF_HOME or HF_HUB_CACHE"),
    ),
    (
        "token",
        Not("the token is read from the environment variable HF_TOKEN"),
    ),
    (
        "use_auth_token",
        Not("the token is read from the environment variable HF_TOKEN"),
    ),
    (
        "trust_remote_code",
        Not("code from models and data sets is never run; leave it out"),
    ),
    (
        "ignore_mismatched_sizes",
        Not("add --reset-head to give a model of other classes a new head"),
    ),
    // DataTrainingArguments
    ("dataset_name", Is("dataset")),
    ("dataset_config_name", Is("dataset_config")),
    ("train_file", Is("dataset")),
    (
        "validation_file",
        Not(
            "put both files into one directory, as train.csv and validation.csv, and name it with --dataset",
        ),
    ),
    (
        "test_file",
        Not(
            "put the files into one directory, as train.csv and test.csv, and name it with --dataset",
        ),
    ),
    (
        "task_name",
        Not("for a task of GLUE, use --dataset nyu-mll/glue with --dataset-config, such as mrpc"),
    ),
    ("max_seq_length", Is("max_length")),
    (
        "validation_split_percentage",
        Not("give a share instead, such as --validation-fraction 0.05"),
    ),
    (
        "preprocessing_num_workers",
        Not("texts are tokenized on all cores; leave it out"),
    ),
    (
        "overwrite_cache",
        Not("caches are keyed by content and never stale; leave it out"),
    ),
    (
        "pad_to_max_length",
        Not("there is no padding; leave it out"),
    ),
    (
        "max_train_samples",
        Not(
            "take the first rows with --train-split 'train[:100]', or draw some at random with --train-rows",
        ),
    ),
    (
        "max_eval_samples",
        Not(
            "take the first rows with --validation-split 'validation[:100]', or draw some at random with --eval-rows",
        ),
    ),
    (
        "max_predict_samples",
        Not("take the first rows with --test-split 'test[:100]'"),
    ),
    ("text_column_names", Is("text_column")),
    ("label_column_name", Is("label_column")),
    ("train_split_name", Is("train_split")),
    ("validation_split_name", Is("validation_split")),
    ("test_split_name", Is("test_split")),
];

/// Returns the equivalent of a Python option whose name differs from ours.
fn find(name: &str) -> Option<Here> {
    NAMES
        .iter()
        .find(|(python, _)| *python == name)
        .map(|(_, here)| *here)
}

/// Returns our name for a key of a TOML file, if they differ.
///
/// # Errors
/// Fails with advice if the key has no equivalent.
pub fn key(name: &str) -> Result<Option<&'static str>, String> {
    match find(name) {
        // As keys these are tables of ours; as flags they would be text.
        _ if ["lr_scheduler_kwargs", "optim_args"].contains(&name) => Ok(None),
        Some(Is(ours)) => Ok(Some(ours)),
        Some(Sets(ours, value)) => Err(format!(
            "{name} is not an option here; use {ours} = \"{value}\""
        )),
        Some(Always(why)) => Err(format!("{name} is not an option here: {why}; leave it out")),
        Some(Not(instead)) => Err(format!("{name} is not an option here: {instead}")),
        None => Ok(None),
    }
}

/// Translates a command line into our names. Every flag may have underscores instead of dashes.
///
/// # Errors
/// Fails with advice if a flag of `train` or `pretrain` has no equivalent.
pub fn translated(arguments: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    // `tokenizer train` has other flags.
    let commands = ["train", "plan", "pretrain", "tokenizer"];
    let mut named = arguments.iter().skip(1);
    let named = named.find(|argument| commands.iter().any(|command| *argument == command));
    let trains = named.is_some_and(|command| command != "tokenizer");
    let mut ours = Vec::with_capacity(arguments.len());
    let mut rest = arguments.into_iter().peekable();
    while let Some(argument) = rest.next() {
        let Some((name, value)) = argument.to_str().and_then(flag) else {
            if argument == "--" {
                ours.push(argument);
                ours.extend(rest);
                break;
            }
            ours.push(argument);
            continue;
        };
        let here = find(&name).filter(|_| trains);
        let option = match here {
            Some(Is(ours)) => ours,
            _ => name.as_str(),
        };
        let flag = |option: &str| format!("--{}", option.replace('_', "-"));
        let refuse = |why: &str| {
            Err(Failure::User(format!(
                "--{name} is not an option here: {why}"
            )))
        };
        match here {
            Some(Not(instead)) => return refuse(instead),
            Some(Sets(..) | Always(_)) => {
                let next = rest.next_if(|next| next.to_str().and_then(truth).is_some());
                let next = next.as_ref().and_then(|next| next.to_str());
                let given = value.as_deref().or(next);
                match (given.map_or(Some(true), truth), here) {
                    (Some(true), Some(Sets(option, value))) => {
                        ours.extend([flag(option).into(), value.into()]);
                    }
                    (Some(false), Some(Always(why))) => return refuse(why),
                    (Some(_), _) => {}
                    (None, _) => return refuse("expected true or false"),
                }
            }
            _ => {
                let value = match value {
                    Some(value) => Some(value),
                    None if trains => rest
                        .next_if(|next| {
                            next.to_str()
                                .is_some_and(|next| python_value(option, next).is_some())
                        })
                        .and_then(|next| next.into_string().ok()),
                    None => None,
                };
                match value {
                    None => ours.push(flag(option).into()),
                    Some(value) => {
                        let same = if trains {
                            python_value(option, &value)
                        } else {
                            None
                        };
                        let value = same.map_or(value, str::to_string);
                        ours.push(format!("{}={value}", flag(option)).into());
                    }
                }
            }
        }
    }
    Ok(ours)
}

/// Returns the name, with underscores, and the value of `--name` or `--name=value`.
fn flag(argument: &str) -> Option<(String, Option<String>)> {
    let rest = argument.strip_prefix("--")?;
    let (name, value) = match rest.split_once('=') {
        Some((name, value)) => (name, Some(value.to_string())),
        None => (rest, None),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    is_name.then(|| (name.replace('-', "_"), value))
}

/// Parses a switch as Python's argument parsers do.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "t" | "1" => Some(true),
        "false" | "no" | "n" | "f" | "0" => Some(false),
        _ => None,
    }
}

/// Returns whether an option of `train` is boolean.
fn is_switch(option: &str) -> bool {
    let boolean = ValueParser::bool().type_id();
    let train = TrainOptions::augment_args(Command::new("train"));
    train
        .get_arguments()
        .any(|known| known.get_id() == option && known.get_value_parser().type_id() == boolean)
}

/// Translates a Python value that is written differently here.
fn python_value(option: &str, value: &str) -> Option<&'static str> {
    match (option, value) {
        ("optim", "adamw_torch" | "adamw_torch_fused" | "adamw_hf") => Some("adamw"),
        // transformers' default, which means that epochs count.
        ("max_steps", "-1") => Some("0"),
        (option, value) if is_switch(option) => {
            truth(value).map(|truth| if truth { "true" } else { "false" })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<String, String> {
        let words = text.split_whitespace().map(OsString::from).collect();
        let words = translated(words).map_err(|error| error.to_string())?;
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn equivalent_flags_are_translated() {
        for (python, ours) in [
            (
                "f train --model_name_or_path m --per_device_train_batch_size 8 --num-train-epochs=2 --output_dir o",
                "f train --model m --batch-size 8 --epochs=2 --output o",
            ),
            (
                "f train --learning_rate 1e-4 --max_seq_length 64",
                "f train --learning-rate 1e-4 --max-length 64",
            ),
            (
                "f train --dataset_name glue --dataset_config_name mrpc",
                "f train --dataset glue --dataset-config mrpc",
            ),
            (
                "f train --bf16 --do_train --do_eval True --use_cpu",
                "f train --precision bf16 --device cpu",
            ),
            ("f train --bf16 False --seed 1", "f train --seed 1"),
            ("f train --tf32 True", "f train --precision tf32"),
            (
                "f train --optim adamw_torch --max_steps -1",
                "f train --optim=adamw --max-steps=0",
            ),
            (
                "f train --load_best_model_at_end True --eval_on_start",
                "f train --load-best-model-at-end=true --eval-on-start",
            ),
            (
                "f train --set lora.r=4 --evaluation_strategy=steps",
                "f train --set lora.r=4 --eval-strategy=steps",
            ),
            // Other commands only replace underscores in flags; texts stay unchanged.
            (
                "f predict --batch_size 4 --bf16 -- --a_b",
                "f predict --batch-size 4 --bf16 -- --a_b",
            ),
            (
                "f predict a_b --model run_1/model",
                "f predict a_b --model run_1/model",
            ),
        ] {
            assert_eq!(line(python).unwrap(), ours, "{python}");
        }
    }

    #[test]
    fn other_flags_are_rejected_with_advice() {
        for (python, words) in [
            ("f train --gradient_checkpointing", "--auto-find-batch-size"),
            ("f train --fp16", "--precision"),
            ("f train --validation_file b.csv", "--dataset"),
            ("f train --task_name mrpc", "nyu-mll/glue"),
            ("f train --max_train_samples 5", "--train-split"),
            ("f train --overwrite_output_dir", "--output"),
            ("f train --do_train false", "train trains"),
            ("f train --bf16=maybe", "true or false"),
        ] {
            let error = line(python).unwrap_err();
            assert!(error.contains(words), "{python}: {error}");
        }
    }

    #[test]
    fn keys_of_files_are_translated_too() {
        assert_eq!(key("max_seq_length"), Ok(Some("max_length")));
        assert_eq!(key("learning_rate"), Ok(None));
        assert_eq!(key("optim_args"), Ok(None));
        assert!(key("fp16").unwrap_err().contains("--precision"));
        assert!(key("bf16").unwrap_err().contains("precision = \"bf16\""));
    }
}
