//! A run is only resumed or replayed with the base model that it began with, including its
//! configuration and tokenizer.

use std::fs;

use serde_json::{Value, json};

use crate::{
    command::{Scratch, split},
    samples,
};

/// A run of four steps of the model in `model`, stopped after two as by a kill.
fn begun(strategy: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.copy_model("tiny_bert");
    scratch.write("rows.csv", samples::csv(&samples::examples(40)));
    scratch.run(&split(&line(strategy))).succeeded();
    for gone in ["run/model", "run/checkpoints/step-000004"] {
        fs::remove_dir_all(scratch.path(gone)).unwrap();
    }
    fs::rename(
        scratch.path("run/results.json"),
        scratch.path("results.json"),
    )
    .unwrap();
    scratch
}

fn line(strategy: &str) -> String {
    format!(
        "train --model model --dataset rows.csv --strategy {strategy} --max-steps 4 --save-strategy steps \
         --save-steps 2 --eval-strategy no --load-best-model-at-end false --output run"
    )
}

fn change(scratch: &Scratch, key: &str, value: Value) {
    let mut config = scratch.json("model/config.json");
    config[key] = value;
    scratch.write("model/config.json", config.to_string());
}

#[test]
fn a_base_that_changed_is_refused() {
    for strategy in ["lora", "full"] {
        let scratch = begun(strategy);
        let again = format!("{} --resume run", line(strategy));
        let original = scratch.read("model/config.json");
        for (key, value) in [
            ("hidden_dropout_prob", json!(0.3)),
            ("hidden_act", json!("relu")),
            ("layer_norm_eps", json!(1e-3)),
        ] {
            change(&scratch, key, value);
            scratch.refuses(
                &split("resume run"),
                &["config.json", "SHA-256", "began with"],
            );
            scratch.refuses(&split(&again), &["model_files.config.json", "--accept"]);
            fs::rename(
                scratch.path("results.json"),
                scratch.path("run/results.json"),
            )
            .unwrap();
            scratch.refuses(&split("replay run"), &["config.json", "SHA-256"]);
            fs::rename(
                scratch.path("run/results.json"),
                scratch.path("results.json"),
            )
            .unwrap();
        }
        scratch.write("model/config.json", &original);
        scratch.write("model/tokenizer_config.json", "{\"do_lower_case\": false}");
        scratch.refuses(
            &split("resume run"),
            &["tokenizer_config.json", "there is no such file"],
        );
        fs::remove_file(scratch.path("model/tokenizer_config.json")).unwrap();
        let run = scratch.run(&split("resume run")).succeeded();
        assert!(run.stderr.contains("after step 2"), "{}", run.stderr);
        assert!(!run.stderr.contains("note"), "{}", run.stderr);
    }
}

/// Runs of versions that kept no hashes go on, and an adapter's base is compared by what the
/// checkpoint knows of it.
#[test]
fn a_run_without_hashes_goes_on() {
    let scratch = begun("lora");
    let plan = String::from_utf8(scratch.read("run/plan.toml")).unwrap();
    let (before, table) = plan.split_once("[model_files]\n").unwrap();
    let after = table.split_once("\n[").map_or("", |(_, after)| after);
    let plan = match after {
        "" => before.to_string(),
        after => format!("{before}[{after}"),
    };
    scratch.write("run/plan.toml", plan);
    let mut manifest = scratch.json("run/manifest.json");
    manifest.as_object_mut().unwrap().remove("plan_sha256");
    manifest["plan"]
        .as_object_mut()
        .unwrap()
        .remove("model_files");
    scratch.write("run/manifest.json", manifest.to_string());
    let original = scratch.read("model/config.json");
    change(&scratch, "hidden_dropout_prob", json!(0.3));
    let words = [
        "hidden_dropout_prob: 0.0 in the run, now 0.3",
        "config.json",
    ];
    let refused = scratch.run(&split("resume run"));
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(
        words.iter().all(|word| refused.stderr.contains(word)),
        "{refused}"
    );
    scratch.write("model/config.json", original);
    let run = scratch.run(&split("resume run")).succeeded();
    assert!(
        run.stderr
            .contains("note: the run was started by an earlier version"),
        "{run}"
    );
    assert!(scratch.path("run/model/adapter_model.safetensors").exists());
}
