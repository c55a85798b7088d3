//! The training loop's options: evaluations, checkpoints, logs, stopping, accumulation, finding the
//! batch size.

use serde_json::Value;

use crate::{
    command::{Run, Scratch, argument, split},
    fixtures, samples,
};

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch
}

fn train(scratch: &Scratch, options: &str) -> Run {
    let all = format!("--dataset data {options}");
    scratch.train(&split(&all))
}

fn steps_of(scratch: &Scratch, kind: &str) -> Vec<u64> {
    let events = scratch.json_lines("run/events.jsonl").into_iter();
    let events = events.filter(|event| event["event"] == kind && event["split"] != "test");
    events
        .map(|event| event["step"].as_u64().unwrap())
        .collect()
}

fn checkpoints(scratch: &Scratch) -> Vec<String> {
    let folder = std::fs::read_dir(scratch.path("run/checkpoints")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("step-")).collect();
    names.sort();
    names
}

#[test]
fn by_steps() {
    let scratch = scratch();
    let options =
        "--max-steps 25 --eval-steps 5 --save-steps 10 --logging-steps 4 --eval-on-start false";
    train(&scratch, options).succeeded();
    assert_eq!(steps_of(&scratch, "evaluated"), [5, 10, 15, 20, 25]);
    assert_eq!(steps_of(&scratch, "step"), [4, 8, 12, 16, 20, 24, 25]);
    let saved = steps_of(&scratch, "checkpoint");
    assert!(
        [10, 20, 25].iter().all(|step| saved.contains(step)),
        "{saved:?}"
    );
}

#[test]
fn never() {
    let scratch = scratch();
    let options = "--max-steps 12 --eval-strategy no --save-strategy no --logging-strategy no --eval-on-start false --json";
    let results = train(&scratch, options).succeeded().json();
    assert!(steps_of(&scratch, "evaluated").is_empty());
    assert!(steps_of(&scratch, "step").is_empty());
    assert!(checkpoints(&scratch).is_empty());
    assert_eq!(results["validation"], Value::Null);
    assert_eq!(results["test"]["rows"], 20);
}

/// The newest and the best stay, whatever is in between.
#[test]
fn the_newest_and_the_best_checkpoint_are_kept() {
    let scratch = scratch();
    let options = "--epochs 8 --learning-rate 1e-3 --save-total-limit 1 --json";
    let results = train(&scratch, options).succeeded().json();
    let best = results["best_step"].as_u64().unwrap();
    let mut expected = vec![format!("step-{best:06}"), "step-000080".to_string()];
    expected.dedup();
    assert_eq!(checkpoints(&scratch), expected);
    // The result is the best one's, bit for bit.
    let weights = "model.safetensors";
    let best = scratch.read(&format!("run/checkpoints/step-{best:06}/{weights}"));
    assert!(scratch.read(&format!("run/model/{weights}")) == best);
}

#[test]
fn the_last_model_where_the_best_is_not_wanted() {
    let scratch = scratch();
    let options = "--epochs 4 --learning-rate 3e-2 --load-best-model-at-end false";
    train(&scratch, options).succeeded();
    let last = scratch.read("run/checkpoints/step-000040/model.safetensors");
    assert!(scratch.read("run/model/model.safetensors") == last);
}

#[test]
fn early_stopping() {
    let scratch = scratch();
    // Nothing is learned, so nothing gets better.
    let options = "--epochs 50 --learning-rate 1e-12 --early-stopping-patience 3 --json";
    let run = train(&scratch, options).succeeded();
    let results = run.json();
    assert_eq!(results["train"]["stopped"], "early_stopping");
    assert_eq!(results["train"]["steps"], 40);
    assert_eq!(results["best_step"], 10);
    let stop = &results["train"]["early_stopping"];
    assert_eq!(
        (&stop["step"], &stop["evaluations"]),
        (&40.into(), &3.into())
    );
    assert_eq!(
        (&stop["metric"], &stop["best_step"]),
        (&"accuracy".into(), &10.into())
    );
    assert_eq!(stop["best_value"], results["validation"]["accuracy"]);
    let events = scratch.json_lines("run/events.jsonl");
    let event = events
        .iter()
        .find(|event| event["event"] == "stopped_early")
        .unwrap();
    assert_eq!(event["best_value"], stop["best_value"]);
    let words = "stopped early after step 40: no improvement of accuracy in 3 evaluations; best ";
    assert!(
        run.stderr.contains(words) && run.stderr.contains(" at step 10"),
        "{run}"
    );
}

/// The learning rates of the first steps, of a run of 20.
fn rates(options: &str) -> (Vec<f64>, toml::Table, String) {
    let scratch = scratch();
    let options = format!("--max-steps 20 --learning-rate 1e-3 {options}");
    let run = train(&scratch, &options).succeeded();
    let events = scratch.json_lines("run/events.jsonl");
    let steps = events.iter().filter(|event| event["event"] == "step");
    let rates = steps
        .map(|event| event["learning_rate"].as_f64().unwrap())
        .collect();
    let plan = String::from_utf8(scratch.read("run/plan.toml")).unwrap();
    (rates, plan.parse().unwrap(), run.stderr)
}

/// As transformers' `get_linear_schedule_with_warmup` has them.
#[test]
fn warm_up_steps_are_followed() {
    let linear = |warmup: f64| {
        let rate = move |step: f64| match step < warmup {
            true => 1e-3 * step / warmup,
            false => 1e-3 * (20.0 - step) / (20.0 - warmup),
        };
        (0..20)
            .map(|step| rate(f64::from(step)))
            .collect::<Vec<_>>()
    };
    for (options, warmup, steps, ratio) in [
        ("", 2.0, 0, 0.1),
        ("--warmup-steps 0", 0.0, 0, 0.0),
        ("--warmup-steps 5", 5.0, 5, 0.0),
        ("--warmup-steps 0.25", 5.0, 0, 0.25),
        // It never comes to its peak.
        ("--warmup-steps 40", 40.0, 40, 0.0),
        ("--warmup-steps 5 --warmup-ratio 0.5", 5.0, 5, 0.0),
    ] {
        let (found, plan, notes) = rates(options);
        for (found, expected) in found.iter().zip(linear(warmup)) {
            assert!(
                (found - expected).abs() < 1e-12,
                "{options}: {found} {expected}"
            );
        }
        assert_eq!(plan["warmup_steps"].as_integer(), Some(steps), "{options}");
        assert_eq!(plan["warmup_ratio"].as_float(), Some(ratio), "{options}");
        let both = notes.contains("the steps take precedence, as in transformers");
        assert_eq!(both, options.contains("ratio"), "{notes}");
    }
}

#[test]
fn the_head_has_its_own_rate_in_the_log() {
    let scratch = scratch();
    train(
        &scratch,
        "--max-steps 4 --learning-rate 1e-4 --head-learning-rate 1e-3",
    )
    .succeeded();
    for event in scratch.json_lines("run/events.jsonl") {
        if event["event"] == "step" {
            let rate = |key: &str| event[key].as_f64().unwrap();
            let (body, head) = (rate("learning_rate"), rate("head_learning_rate"));
            assert!((head - 10.0 * body).abs() < 1e-15, "{event}");
        }
    }
}

#[test]
fn pythons_flags_train_the_same() {
    let ours = scratch();
    let options = "--epochs 1 --learning-rate 1e-3 --batch-size 8 --eval-batch-size 16 --max-length 32 --eval-strategy epoch";
    train(&ours, options).succeeded();
    let python = scratch();
    let model = fixtures::path("tiny_bert");
    let line = format!(
        "train --model_name_or_path {} --dataset_name data --num_train_epochs 1.0 --learning_rate 1e-3 \
         --per_device_train_batch_size 8 --per_device_eval_batch_size 16 --max_seq_length 32 \
         --evaluation_strategy epoch --do_train --do_eval --optim adamw_torch --output_dir run",
        argument(&model)
    );
    python.run(&split(&line)).succeeded();
    let weights = |scratch: &Scratch| scratch.read("run/model/model.safetensors");
    assert!(weights(&ours) == weights(&python));
    let file = scratch();
    file.write("run.toml", "dataset_name = \"data\"\nnum_train_epochs = 1\nlearning_rate = 1e-3\nper_device_train_batch_size = 8\nper_device_eval_batch_size = 16\nmax_seq_length = 32\n");
    file.run(&[
        "train",
        "run.toml",
        "--model",
        argument(&model),
        "--output",
        "run",
    ])
    .succeeded();
    assert!(weights(&ours) == weights(&file));
    python.refuses_train(
        &["--dataset", "data", "--fp16"],
        &["--fp16 is not an option here", "--precision"],
    );
}

/// Relative paths of a plan are those of the folder where the run began, wherever it is resumed.
#[test]
fn a_run_is_resumed_from_another_folder() {
    resumed_from_another_folder("--epochs 1 --json");
}

/// The process of its own, which trains there, has them from the same folder.
#[test]
fn a_run_whose_batch_was_found_is_resumed_from_another_folder() {
    resumed_from_another_folder("--epochs 1 --batch-size 16 --auto-find-batch-size --json");
}

fn resumed_from_another_folder(options: &str) {
    let scratch = scratch();
    let results = train(&scratch, options).succeeded().json();
    let run = scratch.path("run");
    let arguments = ["resume", argument(&run), "--json"];
    let elsewhere = tempfile::tempdir().unwrap();
    // Once from there, once from where it began by its absolute path, and again from there.
    for (folder, has_moved) in [
        (elsewhere.path(), true),
        (run.parent().unwrap(), false),
        (elsewhere.path(), true),
    ] {
        std::fs::remove_file(scratch.path("run/results.json")).unwrap();
        let mut command = scratch.command(&arguments);
        let output = command.current_dir(folder).output().unwrap();
        let resumed = Run::new(&arguments, output).succeeded();
        let note = resumed.stderr.contains("note: the run was started in ");
        assert_eq!(note, has_moved, "{resumed}");
        assert_eq!(resumed.json()["validation"], results["validation"]);
    }
}

/// A step of four batches of 4 is a step of one batch of 16, the short last one of an epoch
/// included: the model has no dropout here.
#[test]
fn accumulated_batches_are_one_large_batch() {
    let losses = |batch: &str| {
        let scratch = Scratch::new();
        samples::splits(&scratch, "csv");
        let model = scratch.copy_model("tiny_bert");
        let config = std::fs::read_to_string(model.join("config.json")).unwrap();
        let config = config
            .replace(
                "\"attention_probs_dropout_prob\": 0.1",
                "\"attention_probs_dropout_prob\": 0.0",
            )
            .replace(
                "\"hidden_dropout_prob\": 0.1",
                "\"hidden_dropout_prob\": 0.0",
            );
        assert!(!config.contains("dropout_prob\": 0.1"), "{config}");
        std::fs::write(model.join("config.json"), config).unwrap();
        let options = format!(
            "train --model model --output run --dataset data --train-split train[:150] --epochs 2 --learning-rate 1e-3 --class-weights 1,3 --precision f32 {batch}"
        );
        scratch.run(&split(&options)).succeeded();
        let events = scratch.json_lines("run/events.jsonl").into_iter();
        let steps = events.filter(|event| event["event"] == "step");
        let steps = steps.map(|event| (event["rows"].clone(), event["loss"].as_f64().unwrap()));
        steps.collect::<Vec<_>>()
    };
    let whole = losses("--batch-size 16");
    let parts = losses("--batch-size 4 --gradient-accumulation-steps 4");
    assert_eq!(whole.len(), 20);
    assert_eq!(whole[9].0, 6);
    for (whole, parts) in whole.iter().zip(&parts) {
        assert_eq!(whole.0, parts.0);
        assert!((whole.1 - parts.1).abs() < 1e-5, "{whole:?} {parts:?}");
    }
}

#[test]
fn gradual_unfreezing_reaches_everything() {
    let scratch = scratch();
    train(
        &scratch,
        "--strategy gradual --epochs 3 --unfreeze-every 0.5",
    )
    .succeeded();
    assert_eq!(steps_of(&scratch, "unfrozen"), [5, 10, 15]);
    let events = scratch.json_lines("run/events.jsonl");
    let trained: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "unfrozen")
        .map(|event| event["trainable_parameters"].as_u64().unwrap())
        .collect();
    assert!(trained.is_sorted(), "{trained:?}");
    assert_eq!(events[0]["parameters"].as_u64(), trained.last().copied());
}

/// Every optimizer and schedule, from the command line, learns.
#[test]
fn optimizers_and_schedules() {
    for options in [
        "--optim adafactor --learning-rate 1e-3 --lr-scheduler-type cosine_with_restarts --set lr_scheduler_kwargs.num_cycles=2",
        "--set optimizer.optim=sgd --set optimizer.momentum=0.9 --learning-rate 3e-2 --set schedule.lr_scheduler_type=one_cycle",
        "--optim adam --learning-rate 1e-2 --lr-scheduler-type inverse_sqrt --warmup-steps 12",
        "--learning-rate 1e-3 --lr-scheduler-type polynomial --set lr_scheduler_kwargs.power=2.0 --ema-decay 0.8",
        "--learning-rate 1e-3 --lr-scheduler-type constant_with_warmup --layerwise-lr-decay 0.8 --head-learning-rate 3e-3",
    ] {
        let scratch = scratch();
        let options = format!("--epochs 12 --json {options}");
        let results = train(&scratch, &options).succeeded().json();
        let (before, after) = (&results["before"]["loss"], &results["validation"]["loss"]);
        assert!(
            after.as_f64().unwrap() < 0.8 * before.as_f64().unwrap(),
            "{options}: {before} to {after}"
        );
    }
}

/// The settings of the course's lab run as they are: the rate falls after each epoch, and without a
/// warm-up it starts at its peak.
#[test]
fn stepped_schedules() {
    let rates = |options: &str| {
        let scratch = scratch();
        train(&scratch, &format!("--max-grad-norm 0.1 {options}")).succeeded();
        let events = scratch.json_lines("run/events.jsonl").into_iter();
        let steps = events.filter(|event| event["event"] == "step");
        let rates: Vec<_> = steps
            .map(|event| event["learning_rate"].as_f64().unwrap())
            .collect();
        // Each epoch has ten steps.
        rates.into_iter().step_by(5).collect::<Vec<_>>()
    };
    let sgd = "--optim sgd --learning-rate 1 --epochs 3";
    let close = |found: Vec<f64>, expected: &[f64]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        let pairs = found.iter().zip(expected);
        for (found, expected) in pairs {
            assert!(
                (found / expected - 1.0).abs() < 1e-12 || found == expected,
                "{found}"
            );
        }
    };
    close(
        rates(&format!("{sgd} --lr-scheduler-type step")),
        &[1.0, 1.0, 0.1, 0.1, 0.01, 0.01],
    );
    close(
        rates(&format!(
            "{sgd} --lr-scheduler-type exponential --set lr_scheduler_kwargs.gamma=0.5 --warmup-steps 10"
        )),
        &[0.0, 0.5, 1.0, 1.0, 0.5, 0.5],
    );
    close(
        rates(&format!(
            "{sgd} --lr-scheduler-type step --set lr_scheduler_kwargs.step_size=15 --set lr_scheduler_kwargs.step_unit=steps --set lr_scheduler_kwargs.gamma=0.2"
        )),
        &[1.0, 1.0, 1.0, 0.2, 0.2, 0.2],
    );
}

/// `train` with a limit on its memory, in kilobytes, and two threads.
#[cfg(target_os = "linux")]
fn limited(scratch: &Scratch, kilobytes: u64, options: &str) -> Run {
    let command = scratch.command(&[]);
    let program = command.get_program().to_str().unwrap();
    let model = crate::fixtures::path("tiny_bert");
    let line = format!(
        "ulimit -d {kilobytes}; exec {program} train --model {} --output run --dataset data --max-steps 1 {options}",
        model.display()
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &line]).current_dir(scratch.path(""));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    // Stacks and arenas of threads count too.
    shell.env("RAYON_NUM_THREADS", "2");
    let _ = std::fs::remove_dir_all(scratch.path("run"));
    Run::new(&["train"], shell.output().unwrap())
}

/// A batch that does not fit under the limit of the process is cut, and its rows stay together. How much
/// a batch takes depends on the processor, so the limit is twice one under which 64 rows are known to fit; a
/// hundred times as many take much more than that.
#[cfg(target_os = "linux")]
#[test]
fn the_batch_that_fits_is_found() {
    let scratch = scratch();
    let limits = std::iter::successors(Some(16_000), |limit| Some(limit * 5 / 4));
    let fits = |limit: &u64| limited(&scratch, *limit, "--batch-size 64").code == Some(0);
    let limit = limits.take_while(|limit| *limit < 4_000_000).find(fits);
    let limit = limit.expect("64 rows do not fit into 4 GB");

    let run = limited(
        &scratch,
        2 * limit,
        "--batch-size 8192 --auto-find-batch-size",
    )
    .succeeded();
    assert!(run.stderr.contains("8192 rows"), "{run}");
    assert!(run.stderr.contains("do not fit into memory"), "{run}");
    let plan: toml::Table = String::from_utf8(scratch.read("run/plan.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let number = |key: &str| plan[key].as_integer().unwrap();
    let (rows, batches) = (number("batch_size"), number("gradient_accumulation_steps"));
    assert!(rows < 8192, "{run}");
    assert_eq!(rows * batches, 8192);
}

/// A batch that fitted when it was tried may not fit later, beside other programs. An allocation that
/// fails ends the process that trains with SIGABRT; half of the batch goes on from the checkpoint.
#[cfg(unix)]
#[test]
fn a_batch_that_does_not_fit_after_all_is_halved() {
    let scratch = scratch();
    let options = "--dataset data --batch-size 16 --max-steps 2000 --save-steps 20 --eval-steps 20 --auto-find-batch-size --json";
    let model = crate::fixtures::path("tiny_bert");
    let model = model.to_str().unwrap();
    let arguments = [
        &["train", "--model", model, "--output", "run"],
        &split(options)[..],
    ]
    .concat();
    let mut command = scratch.command(&arguments);
    command.stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let saved = scratch.path("run/checkpoints/step-000020/manifest.json");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(600);
    while !saved.exists() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let worker = scratch.json("run/.lock")["pid"].to_string();
    assert_ne!(worker, child.id().to_string());
    let kill = std::process::Command::new("kill")
        .args(["-ABRT", &worker])
        .status();
    assert!(kill.unwrap().success());
    let run = Run::new(&arguments, child.wait_with_output().unwrap()).succeeded();
    assert!(
        run.stderr
            .contains("16 rows did not fit into memory after all"),
        "{run}"
    );
    assert!(run.stderr.contains("8 rows × 2 per step"), "{run}");
    assert_eq!(run.json()["train"]["steps"], 2000);
    let steps: Vec<_> = (1..=2000).collect();
    assert_eq!(steps_of(&scratch, "step"), steps);
    // The rows of a step are as many as before.
    let events = scratch.json_lines("run/events.jsonl").into_iter();
    assert!(
        events
            .filter(|event| event["event"] == "step")
            .all(|event| event["rows"] == 16)
    );
    let sessions = scratch.json("run/manifest.json")["sessions"].take();
    assert_eq!(sessions[0]["end"], Value::Null);
    assert!(
        sessions[1]["first_step"].as_u64().unwrap() >= 20,
        "{sessions}"
    );
    scratch.run(&["resume", "run"]).succeeded();
}

#[test]
fn plans_that_make_no_sense() {
    for (options, words) in [
        (
            "--load-best-model-at-end true --eval-strategy no",
            &["load_best_model_at_end", "eval_strategy is no"][..],
        ),
        (
            "--load-best-model-at-end true --save-strategy no --eval-strategy epoch",
            &["save_strategy is no"],
        ),
        (
            "--eval-steps 3 --save-steps 10",
            &["save_steps 10 is not a multiple of eval_steps 3", "12"],
        ),
        (
            "--eval-steps 3 --save-strategy epoch",
            &["eval_strategy is steps", "save_strategy epoch"],
        ),
        (
            "--early-stopping-patience 2 --eval-strategy no --save-strategy no",
            &["early_stopping_patience", "eval_strategy"],
        ),
        ("--eval-strategy steps", &["eval_steps"]),
        (
            "--eval-strategy epoch --eval-steps 5",
            &["eval_steps is 5", "eval_strategy is epoch"],
        ),
        ("--save-steps 0", &["save_steps is 0"]),
        (
            "--eval-strategy sometimes",
            &["sometimes", "no, steps or epoch"],
        ),
        (
            "--metric-for-best-model accurracy",
            &["accurracy", "accuracy", "f1_macro"],
        ),
        ("--metric-for-best-model pearson", &["pearson", "accuracy"]),
        ("--optim lion", &["lion", "adafactor"]),
        ("--optim sgd --adam-beta1 0.5", &["adam_beta1", "sgd"]),
        (
            "--set optim_args.momentun=0.9 --optim sgd",
            &["momentun", "did you mean momentum?"],
        ),
        ("--lr-scheduler-type cosin", &["cosin", "cosine"]),
        (
            "--optim adafactor --lr-scheduler-type one_cycle",
            &["momentum", "cycle_momentum"],
        ),
        (
            "--set lr_scheduler_kwargs.pwer=2",
            &["pwer", "did you mean power?"],
        ),
        ("--set eval_step=5", &["did you mean eval_steps?"]),
        ("--label-smoothing-factor 1", &["label_smoothing_factor"]),
        ("--class-weights 1,2,3", &["class_weights", "3"]),
        ("--class-weights heavy", &["heavy", "balanced"]),
        ("--ema-decay 1", &["ema_decay is 1"]),
        ("--layerwise-lr-decay 0", &["layerwise_lr_decay is 0"]),
        ("--head-learning-rate -1", &["head_learning_rate is -1"]),
        (
            "--gradient-accumulation-steps 0",
            &["gradient_accumulation_steps is 0"],
        ),
        (
            "--batch-tokens 64 --batch-size 8",
            &[
                "batch_size is 8",
                "batch_tokens is 64",
                "leave the other out",
            ],
        ),
        (
            "--batch-tokens 64 --auto-find-batch-size",
            &["auto_find_batch_size", "batch_tokens (64)"],
        ),
        ("--batch-tokens -1", &["-1", "--batch-tokens"]),
        (
            "--unfreeze-every 0 --strategy gradual",
            &["unfreeze_every is 0"],
        ),
        (
            "--strategy head --set lora.r=4",
            &["lora has settings", "strategy is head"],
        ),
        ("--strategy lora --set lora.r=0", &["r"]),
        (
            "--strategy lora --set lora.target_modules=[\"querry\"]",
            &["querry", "query"],
        ),
        ("--accept seed", &["--resume"]),
    ] {
        let scratch = scratch();
        let all = format!("--dataset data {options}");
        let before = scratch.entries();
        let run = scratch.train(&split(&all));
        assert_eq!(run.code, Some(2), "{run}");
        for word in words {
            assert!(run.stderr.contains(word), "no {word:?} in: {run}");
        }
        scratch.unchanged_since(&before);
    }
}

#[test]
fn a_file_and_its_flags() {
    let scratch = scratch();
    scratch.write(
        "run.toml",
        "dataset = \"data\"\nnum_train_epochs = 5\nepochs = 2\n",
    );
    scratch.refuses_train(&["run.toml"], &["run.toml", "epochs is given twice"]);
    scratch.write("run.toml", "dataset = \"data\"\nsave_step = 5\n");
    scratch.refuses_train(&["run.toml"], &["run.toml", "did you mean save_steps?"]);
    // Flags win over --set, and that over the file, by whatever name.
    scratch.write(
        "run.toml",
        "dataset = \"data\"\nnum_train_epochs = 5\nper_device_train_batch_size = 80\nstrategy = \"lora\"\n[lora]\nr = 2\nlora_alpha = 7\n",
    );
    let options = split("run.toml --set lora.r=4 --set per_device_train_batch_size=40 --epochs 1");
    scratch.train(&options).succeeded();
    let plan: toml::Table = String::from_utf8(scratch.read("run/plan.toml"))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(plan["epochs"].as_float(), Some(1.0));
    assert_eq!(plan["batch_size"].as_integer(), Some(40));
    assert_eq!(plan["lora"]["r"].as_integer(), Some(4));
    assert_eq!(plan["lora"]["lora_alpha"].as_float(), Some(7.0));
}
