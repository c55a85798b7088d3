//! Adapters as PEFT writes them: those that open compute what PEFT computes (`make_adapters.py`),
//! the others are rejected by name.

use std::{collections::HashMap, fs, path::Path};

use burn::tensor::Device;
use finetune_models::{SafetensorsFile, SavedModel, SequenceClassifier, Task};
use finetune_peft::{AdapterFile, load_adapter, save_adapter};
use finetune_train::{Classifier, device};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use crate::{
    command::{Run, Scratch, argument, split},
    fixtures::{largest_difference, path},
    samples,
};

/// Of logits, against PEFT's.
const TOLERANCE: f64 = 2e-5;

/// `adapters.json` and `adapters.safetensors`.
struct Fixture {
    json: Value,
    tensors: Vec<u8>,
}

impl Fixture {
    fn read() -> Self {
        Self {
            json: serde_json::from_slice(&fs::read(path("adapters.json")).unwrap()).unwrap(),
            tensors: fs::read(path("adapters.safetensors")).unwrap(),
        }
    }

    fn texts(&self) -> Vec<String> {
        strings(&self.json["texts"])
    }

    fn cases(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.json["cases"].as_object().unwrap().iter()
    }

    fn case(&self, name: &str) -> &Value {
        &self.json["cases"][name]
    }

    /// The tensors under `folder` as a file of their own.
    fn weights(&self, folder: &str, file: &Path) {
        let all = SafeTensors::deserialize(&self.tensors).unwrap();
        let own = all.iter().filter_map(|(name, view)| {
            let name = name.strip_prefix(&format!("{folder}/"))?;
            Some((name.to_string(), view))
        });
        safetensors::serialize_to_file(own, None, file).unwrap();
    }

    /// Writes the base model `name` to `base`.
    fn base(&self, scratch: &Scratch, name: &str) {
        scratch.write("base/config.json", self.json["bases"][name].to_string());
        for file in ["tokenizer.json", "tokenizer_config.json"] {
            fs::copy(
                path("tiny_bert").join(file),
                scratch.path("base").join(file),
            )
            .unwrap();
        }
        self.weights(
            &format!("bases/{name}"),
            &scratch.path("base/model.safetensors"),
        );
    }

    /// Writes the adapter `name` to `adapter`, with its base model in `base`.
    fn adapter(&self, scratch: &Scratch, name: &str) {
        let case = self.case(name);
        self.base(scratch, case["base"].as_str().unwrap());
        let mut config = case["config"].clone();
        config["base_model_name_or_path"] = json!("base");
        scratch.write("adapter/adapter_config.json", config.to_string());
        let file = scratch.path("adapter/adapter_model.safetensors");
        self.weights(&format!("cases/{name}"), &file);
    }
}

/// A folder with the adapter of a case and its base model.
fn scratch(name: &str) -> Scratch {
    let scratch = Scratch::new();
    Fixture::read().adapter(&scratch, name);
    scratch
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().unwrap().iter();
    items.map(|item| item.as_str().unwrap().into()).collect()
}

fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}

fn cpu() -> Device {
    device("cpu").unwrap()
}

fn logits(classifier: &Classifier, texts: &[String]) -> Vec<f32> {
    let predictions = classifier.predict(texts).unwrap();
    predictions
        .into_iter()
        .flat_map(|found| found.logits)
        .collect()
}

/// Changes keys of the adapter's configuration.
fn edit(scratch: &Scratch, keys: &Value) {
    let mut config = scratch.json("adapter/adapter_config.json");
    for (key, value) in keys.as_object().unwrap() {
        config[key] = value.clone();
    }
    scratch.write("adapter/adapter_config.json", config.to_string());
}

/// Shape and values by name.
type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

/// Changes the tensors of a file.
fn edit_weights(scratch: &Scratch, file: &str, change: impl FnOnce(&mut Tensors)) {
    let path = scratch.path(file);
    let mut file = SafetensorsFile::open(&path).unwrap();
    let mut tensors = HashMap::new();
    for name in file.names() {
        let shape = file.shape(&name).unwrap().to_vec();
        let values = file.read_f32(&name).unwrap();
        tensors.insert(name, (shape, values));
    }
    change(&mut tensors);
    let bytes = |values: &[f32]| {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, (shape, values))| (name, shape, bytes(&values)))
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize_to_file(views, None, &path).unwrap();
}

const ADAPTER: &str = "adapter/adapter_model.safetensors";
const BASE: &str = "base/model.safetensors";
const HEAD: &str = "base_model.model.classifier.weight";
const PREDICT: &str = "predict --model adapter --precision f32 --json good";

/// `predict`, `evaluate` and `merge` refuse the adapter with these words, and leave nothing.
#[track_caller]
fn refused(scratch: &Scratch, words: &[&str]) {
    if !scratch.path("rows.csv").exists() {
        scratch.write("rows.csv", samples::csv(&samples::examples(8)));
    }
    for line in [
        PREDICT,
        "evaluate adapter --dataset rows.csv",
        "merge adapter -o merged",
    ] {
        scratch.refuses(&split(line), words);
    }
}

fn first_logits(run: &Run) -> Vec<f32> {
    numbers(&run.json_lines()[0]["logits"])
}

#[test]
fn what_peft_saves_computes_the_same() {
    let fixture = Fixture::read();
    let texts = fixture.texts();
    for (name, case) in fixture.cases() {
        let scratch = Scratch::new();
        fixture.adapter(&scratch, name);
        let (base, adapter) = (scratch.path("base"), scratch.path("adapter"));
        let expected = numbers(&case["logits"]);
        let same = |found: &[f32], what: &str| {
            let difference = largest_difference(found, &expected);
            assert!(difference < TOLERANCE, "{name}, {what}: {difference}");
        };
        let mut classifier = Classifier::load_adapter(&base, &adapter, &cpu())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            classifier.outputs().num_labels() as u64,
            case["labels"].as_u64().unwrap()
        );
        same(&logits(&classifier, &texts), "opened");

        classifier.merge_adapter().unwrap();
        same(&logits(&classifier, &texts), "merged");
        classifier
            .model()
            .save(&scratch.path("merged"), &base)
            .unwrap();
        let merged = Classifier::load_on(scratch.path("merged"), &cpu()).unwrap();
        same(&logits(&merged, &texts), "merged and opened");

        // Written back, it belongs to the same untouched base.
        let outputs = merged.outputs().clone();
        let (mut model, _) = SequenceClassifier::load(&base, Some(outputs), 0, &cpu()).unwrap();
        let (file, _) = load_adapter(&mut model, "a", &adapter, &cpu()).unwrap();
        fs::create_dir(scratch.path("again")).unwrap();
        save_adapter(&model, "a", &file, &scratch.path("again")).unwrap();
        let again = Classifier::load_adapter(&base, &scratch.path("again"), &cpu()).unwrap();
        same(&logits(&again, &texts), "written and opened");
    }
}

#[test]
fn two_adapters_on_one_base_do_not_touch_each_other() {
    let fixture = Fixture::read();
    let texts = fixture.texts();
    let [one, two] = ["pissa", "gaussian"];
    let scratch = scratch(one);
    fs::rename(scratch.path("adapter"), scratch.path("pissa")).unwrap();
    fixture.adapter(&scratch, two);
    let base = scratch.path("base");
    let mut classifier = Classifier::load_adapter(&base, &scratch.path("pissa"), &cpu()).unwrap();
    for _ in 0..2 {
        classifier.add_adapter(one, scratch.path("pissa")).unwrap();
        classifier
            .add_adapter(two, scratch.path("adapter"))
            .unwrap();
    }
    for name in [one, two] {
        let found = classifier.predict_with(name, &texts).unwrap();
        let found: Vec<f32> = found.into_iter().flat_map(|found| found.logits).collect();
        let expected = numbers(&fixture.case(name)["logits"]);
        assert!(largest_difference(&found, &expected) < TOLERANCE, "{name}");
    }
    // One model cannot have both, because PiSSA changes the weights that they would share.
    let load = |model: &mut SequenceClassifier, name: &str, folder: &str| {
        load_adapter(model, name, &scratch.path(folder), &cpu()).map(|_| ())
    };
    for [first, second] in [
        ["pissa", "adapter"],
        ["adapter", "pissa"],
        ["pissa", "pissa"],
    ] {
        let (mut model, _) = SequenceClassifier::load(&base, None, 0, &cpu()).unwrap();
        load(&mut model, "one", first).unwrap();
        let error = load(&mut model, "two", second).unwrap_err().to_string();
        assert!(
            error.contains("init_lora_weights") && error.contains("\"one\""),
            "{error}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let scratch = scratch("three_labels");
    let original = scratch.read("adapter/adapter_config.json");
    for (keys, words) in [
        (
            json!({"init_lora_weights": "pissa_niter_4"}),
            &["pissa_niter_4", "random numbers", "merge_and_unload"][..],
        ),
        (
            json!({"init_lora_weights": "corda"}),
            &["corda", "merge_and_unload"],
        ),
        (
            json!({"init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4}}),
            &["loftq", "quantised"],
        ),
        (
            json!({"init_lora_weights": "lora_ga"}),
            &["lora_ga", "gradients"],
        ),
        (
            json!({"init_lora_weights": "new"}),
            &["\"new\"", "expected true"],
        ),
        (
            json!({"lora_bias": true}),
            &["lora_bias", "merge_and_unload"],
        ),
        (
            json!({"layer_replication": [[0, 2], [1, 2]]}),
            &["layer_replication"],
        ),
        (
            json!({"trainable_token_indices": [1, 2]}),
            &["trainable_token_indices"],
        ),
        (
            json!({"target_parameters": ["a.weight"]}),
            &["target_parameters"],
        ),
        (json!({"use_qalora": true}), &["use_qalora"]),
        (json!({"megatron_config": {"a": 1}}), &["megatron_config"]),
        (
            json!({"alora_invocation_tokens": [5]}),
            &["alora_invocation_tokens"],
        ),
        (json!({"kasa_config": {"beta": 0.1}}), &["kasa_config"]),
        (json!({"velora_config": {"scale": 1.0}}), &["velora_config"]),
        (
            json!({"monteclora_config": {"num_samples": 8}}),
            &["monteclora_config"],
        ),
        (json!({"arrow_config": {"top_k": 3}}), &["arrow_config"]),
        (json!({"use_bdlora": {"nblocks": 2}}), &["use_bdlora"]),
        (json!({"of_the_future": 3}), &["of_the_future", "3"]),
        (
            json!({"layers_pattern": "layer"}),
            &["layers_pattern", "layers_to_transform"],
        ),
        (
            json!({"modules_to_save": ["embeddings"]}),
            &["modules_to_save", "embeddings", "not a linear layer"],
        ),
        (
            json!({"modules_to_save": ["poler"]}),
            &["modules_to_save", "poler", "pooler"],
        ),
        (
            json!({"task_type": "TOKEN_CLS"}),
            &["task_type", "TOKEN_CLS", "SEQ_CLS"],
        ),
        (
            json!({"peft_type": "ADALORA"}),
            &["ADALORA", "LORA, IA3", "merge_and_unload"],
        ),
        (json!({"peft_type": "LOHA"}), &["LOHA", "merge_and_unload"]),
        (json!({"peft_type": "VERA"}), &["VERA", "merge_and_unload"]),
        (
            json!({"peft_type": "PROMPT_TUNING"}),
            &["PROMPT_TUNING", "cannot be merged"],
        ),
    ] {
        scratch.write("adapter/adapter_config.json", &original);
        edit(&scratch, &keys);
        refused(
            &scratch,
            &[&["adapter/adapter_config.json"], words].concat(),
        );
    }
    // What means nothing to a reader, or nothing at all, does not stop one.
    scratch.write("adapter/adapter_config.json", &original);
    let expected = first_logits(&scratch.run(&split(PREDICT)).succeeded());
    edit(
        &scratch,
        &json!({
            "eva_config": {"rho": 2.0}, "corda_config": {"corda_method": "ipm"}, "loftq_config": {"loftq_bits": 4},
            "lora_ga_config": {"scale": "stable"}, "runtime_config": {"ephemeral_gpu_offload": true},
            "of_the_future": null, "another": [], "peft_version": "9.9.9", "inference_mode": false,
        }),
    );
    assert_eq!(
        first_logits(&scratch.run(&split(PREDICT)).succeeded()),
        expected
    );
}

/// Singular values that are equal around the rank: nobody can tell which part was taken out.
#[test]
fn an_undetermined_part_is_refused() {
    let scratch = scratch("pissa");
    let query = "bert.encoder.layer.0.attention.self.query.weight";
    edit_weights(&scratch, BASE, |tensors| {
        let (shape, values) = tensors.get_mut(query).unwrap();
        for (index, value) in values.iter_mut().enumerate() {
            *value = f32::from(u8::from(index / shape[1] == index % shape[1]));
        }
    });
    refused(
        &scratch,
        &[
            "layer.0.attention.self.query",
            "singular values",
            "merge_and_unload",
        ],
    );
}

#[test]
fn a_head_or_pooler_that_nobody_has_is_refused() {
    let pooler = [
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "random",
        "modules_to_save",
    ];
    let scratch_with_pooler = scratch("pooler_saved");
    edit(&scratch_with_pooler, &json!({"modules_to_save": null}));
    edit_weights(&scratch_with_pooler, ADAPTER, |tensors| {
        tensors.retain(|name, _| !name.contains("pooler"))
    });
    refused(&scratch_with_pooler, &pooler);
    // Neither can training go on with it.
    let line = "train --adapter adapter --dataset rows.csv --max-steps 1 --output run";
    let words = ["bert.pooler.dense.weight", "random", "with --strategy"];
    scratch_with_pooler.refuses(&split(line), &words);
    let anew = line.replace("--adapter adapter", "--model base --strategy lora");
    scratch_with_pooler.run(&split(&anew)).succeeded();

    let scratch = scratch("no_task");
    edit_weights(&scratch, BASE, |tensors| {
        tensors.retain(|name, _| !name.starts_with("classifier"))
    });
    refused(
        &scratch,
        &["classifier.weight", "classifier.bias", "random"],
    );
}

#[test]
fn the_adapter_says_how_many_labels_there_are() {
    let scratch = scratch("three_labels");
    let fixture = Fixture::read();
    let expected = numbers(&fixture.case("three_labels")["logits"]);
    let names = |run: &Run| -> Vec<String> {
        let line = &run.json_lines()[0];
        line["probabilities"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let text = fixture.texts()[0].clone();
    let predict = |more: &[&str]| {
        let line = split("predict --model adapter --precision f32 --json");
        scratch
            .run(&[&line[..], more, &[text.as_str()]].concat())
            .succeeded()
    };
    let run = predict(&[]);
    assert_eq!(names(&run), ["LABEL_0", "LABEL_1", "LABEL_2"]);
    assert!(largest_difference(&first_logits(&run), &expected[..3]) < TOLERANCE);
    let run = predict(&["--labels", "bad,so,good"]);
    assert_eq!(names(&run), ["bad", "so", "good"]);
    assert!(largest_difference(&first_logits(&run), &expected[..3]) < TOLERANCE);

    for (labels, words) in [
        ("a,b", &["--labels", "2 labels", "a, b", "3"][..]),
        ("a,b,a", &["--labels", "\"a\"", "twice"]),
    ] {
        let line = split("predict --model adapter good --labels");
        scratch.refuses(&[&line[..], &[labels]].concat(), words);
    }
    // Evaluated and merged by these names.
    let rows = "text,label\na good film,good\na bad film,bad\nit was slow,so\n";
    scratch.write("rows.csv", rows);
    let line = "evaluate adapter --labels bad,so,good --dataset rows.csv --json";
    assert!(scratch.run(&split(line)).succeeded().json()["accuracy"].is_number());
    scratch
        .run(&split("merge adapter -o merged --labels bad,so,good"))
        .succeeded();
    assert_eq!(scratch.json("merged/config.json")["id2label"]["2"], "good");
    let merged = split("predict --model merged --precision f32 --json");
    let run = scratch
        .run(&[&merged[..], &[text.as_str()]].concat())
        .succeeded();
    assert_eq!(names(&run), ["bad", "so", "good"]);
    assert!(largest_difference(&first_logits(&run), &expected[..3]) < TOLERANCE);
    // It has names of its own now.
    let words = ["--labels", "bad, so, good", "x, y, z"];
    scratch.refuses(&split("predict --model merged --labels x,y,z good"), &words);
    fs::remove_dir_all(scratch.path("merged")).unwrap();
    // The config.json beside an adapter names its labels, one number or twice the same name does not.
    let config = |names: &[&str]| {
        let mut config = fixture.json["bases"]["bert_encoder"].clone();
        let ids = names.iter().enumerate();
        let ids = ids.map(|(id, name)| (id.to_string(), json!(name)));
        config["id2label"] = Value::Object(ids.collect());
        config.as_object_mut().unwrap().remove("label2id");
        scratch.write("adapter/config.json", config.to_string());
    };
    config(&["u", "v", "w"]);
    assert_eq!(names(&predict(&[])), ["u", "v", "w"]);
    config(&["u", "v"]);
    refused(&scratch, &["adapter/config.json", "2 labels", "3 outputs"]);
    config(&["LABEL_0", "LABEL_1"]);
    assert_eq!(names(&predict(&[])), ["LABEL_0", "LABEL_1", "LABEL_2"]);
    config(&["u", "v", "u"]);
    refused(&scratch, &["adapter/config.json", "both named \"u\""]);
    let mut other = fixture.json["bases"]["bert_wide"].clone();
    other["id2label"] = json!({"0": "u", "1": "v", "2": "w"});
    scratch.write("adapter/config.json", other.to_string());
    refused(&scratch, &["hidden_size", "36", "20"]);
}

#[test]
fn one_output_is_a_number() {
    let scratch = scratch("one_number");
    let classifier = Classifier::load_on(scratch.path("adapter"), &cpu());
    // The base is named as seen from the folder above, which is not this test's.
    assert!(classifier.unwrap_err().to_string().contains("\"base\""));
    edit(&scratch, &json!({"base_model_name_or_path": "../base"}));
    let classifier = Classifier::load_on(scratch.path("adapter"), &cpu()).unwrap();
    assert_eq!(
        *classifier.outputs(),
        Task::Regression(vec!["LABEL_0".into()])
    );
}

#[test]
fn a_base_model_somewhere_else_is_named() {
    let scratch = scratch("three_labels");
    let expected = first_logits(&scratch.run(&split(PREDICT)).succeeded());
    fs::rename(scratch.path("base"), scratch.path("moved")).unwrap();
    scratch.write(
        "rows.csv",
        "text,label\ngood film,LABEL_0\nbad film,LABEL_1\nfilm,LABEL_2\n",
    );
    for named in ["/home/somebody/models/base", "base", "somebody/base"] {
        edit(&scratch, &json!({"base_model_name_or_path": named}));
        refused(
            &scratch,
            &[named, "adapter_config.json", "--model-base DIR"],
        );
        let train =
            "train --adapter adapter --dataset rows.csv --output run --validation-split train";
        scratch.refuses(&split(train), &[named, "--model-base DIR"]);
    }
    edit(&scratch, &json!({"base_model_name_or_path": null}));
    refused(&scratch, &["base_model_name_or_path", "--model-base"]);
    // What the message says, typed.
    for line in [
        PREDICT,
        "evaluate adapter --dataset rows.csv",
        "merge adapter -o merged",
    ] {
        let run = scratch.run(&[&split(line)[..], &["--model-base", "moved"]].concat());
        let run = run.succeeded();
        if line == PREDICT {
            assert_eq!(first_logits(&run), expected);
        }
    }
    let train = "train --adapter adapter --dataset rows.csv --output run --max-steps 1 \
        --validation-split train --model-base moved --json";
    scratch.run(&split(train)).succeeded();
    let written = scratch.json("run/model/adapter_config.json");
    let written = written["base_model_name_or_path"]
        .as_str()
        .unwrap()
        .to_string();
    assert!(written.ends_with("moved"), "{written}");
    let words = ["--model-base", "merged", "leave it out"];
    scratch.refuses(
        &split("predict --model merged --model-base moved good"),
        &words,
    );
    // As seen from the adapter, with a note.
    edit(&scratch, &json!({"base_model_name_or_path": "../moved"}));
    let run = scratch.run(&split(PREDICT)).succeeded();
    assert!(
        run.stderr.contains("note: ") && run.stderr.contains("../moved"),
        "{}",
        run.stderr
    );
    assert_eq!(first_logits(&run), expected);
}

#[test]
fn damaged_and_foreign_weights_are_named() {
    let lora = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight";
    let check = |change: &dyn Fn(&mut Tensors), words: &[&str]| {
        let scratch = scratch("three_labels");
        edit_weights(&scratch, ADAPTER, change);
        refused(&scratch, words);
    };
    for value in [f32::NAN, f32::INFINITY] {
        let shown = value.to_string();
        check(
            &|tensors| tensors.get_mut(lora).unwrap().1[3] = value,
            &[lora, &shown, "adapter_model.safetensors"],
        );
    }
    check(
        &|tensors| drop(tensors.remove(lora)),
        &["layer.0.attention.self.query.lora_A.weight: missing"],
    );
    check(
        &|tensors| {
            drop(tensors.insert(
                "base_model.model.bert.extra.weight".into(),
                (vec![1], vec![0.5]),
            ))
        },
        &["bert.extra.weight", "no place"],
    );
    check(
        &|tensors| {
            drop(tensors.insert(
                "base_model.model.classifier.modules_to_save.weight".into(),
                (vec![1], vec![0.5]),
            ))
        },
        &["classifier.weight", "other values"],
    );
    check(
        &|tensors| drop(tensors.remove(HEAD)),
        &["classifier.weight: missing"],
    );
    // A base of another width.
    let scratch = scratch("three_labels");
    Fixture::read().base(&scratch, "bert_wide");
    refused(&scratch, &["lora_A.weight", "[3, 20]", "[3, 36]"]);
    // A pickle.
    let from = scratch.path("adapter/adapter_model.safetensors");
    fs::rename(from, scratch.path("adapter/adapter_model.bin")).unwrap();
    refused(
        &scratch,
        &[
            "adapter_model.bin",
            "weights_only=True",
            "adapter_model.safetensors",
        ],
    );
}

/// PEFT cannot open an adapter whose targets are saved whole too.
#[test]
fn targets_are_written_so_that_peft_finds_the_same() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let family = |model: &str, more: &str| {
        let model = path(model);
        let mut line = split(
            "train --dataset data --max-steps 1 --train-rows 32 --eval-rows 8 --test-split= --output",
        );
        let output = format!("run-{}", fs::read_dir(scratch.path("")).unwrap().count());
        line.extend([output.as_str(), "--model", argument(&model), "--strategy"]);
        line.extend(split(more));
        scratch.run(&line).succeeded();
        let config = scratch.json(&format!("{output}/model/adapter_config.json"));
        let read = AdapterFile::read(&scratch.path(&format!("{output}/model")));
        assert!(read.is_ok());
        config
    };
    let config = family(
        "tiny_distilbert",
        "lora --set lora.target_modules=all-linear",
    );
    let targets = strings(&config["target_modules"]);
    assert_eq!(targets.len(), 12, "{targets:?}");
    assert!(targets.contains(&"distilbert.transformer.layer.1.ffn.lin2".into()));
    assert!(
        !targets.iter().any(|name| name.contains("classifier")),
        "{targets:?}"
    );
    let config = family(
        "tiny_distilbert",
        "lora --set lora.target_modules=[\"q_lin\",\"pre_classifier\"]",
    );
    let layer = |number: usize| format!("distilbert.transformer.layer.{number}.attention.q_lin");
    assert_eq!(strings(&config["target_modules"]), [layer(0), layer(1)]);
    let config = family(
        "tiny_distilbert",
        "ia3 --set ia3.target_modules=all-linear --set ia3.feedforward_modules=[\"lin2\"]",
    );
    let inner = |number: usize| format!("distilbert.transformer.layer.{number}.ffn.lin2");
    assert_eq!(
        strings(&config["feedforward_modules"]),
        [inner(0), inner(1)]
    );
    assert_eq!(strings(&config["target_modules"]).len(), 12);
    let config = family(
        "tiny_bert",
        "lora --set lora.modules_to_save=[\"pooler\"] --set lora.target_modules=all-linear",
    );
    assert_eq!(strings(&config["target_modules"]).len(), 12);
    assert_eq!(strings(&config["modules_to_save"]), ["pooler"]);
    // Where PEFT finds the same by itself, what was said stands.
    let config = family(
        "tiny_bert",
        "lora --set lora.target_modules=[\"query\",\"dense\"] --set lora.modules_to_save=[\"pooler\"]",
    );
    assert_eq!(strings(&config["target_modules"]), ["query", "dense"]);

    for (more, words) in [
        (
            "lora --set lora.layers_pattern=layer",
            &["layers_pattern", "layers_to_transform"][..],
        ),
        (
            "lora --set lora.init_lora_weights=eva",
            &["init_lora_weights", "eva", "expected true"],
        ),
        (
            "lora --set lora.init_lora_weights=false",
            &["init_lora_weights", "false"],
        ),
        (
            "lora --set lora.modules_to_save=[\"embeddings\"]",
            &["embeddings", "not a linear layer"],
        ),
        (
            "ia3 --set ia3.target_modules=[\"key\"] --set ia3.feedforward_modules=[\"query\"]",
            &["feedforward_modules", "query"],
        ),
    ] {
        let line = split("--dataset data --strategy");
        scratch.refuses_train(&[&line[..], &split(more)].concat(), words);
    }
}

#[test]
fn training_goes_on_with_an_adapters_head() {
    // Enough texts of the classes that the base's head has, in an order of the data's own.
    let fixture = Fixture::read();
    let rows = |names: [&str; 2]| {
        let rows = samples::examples(40).into_iter();
        let rows = rows.map(|(text, class)| format!("\"{text}\",{}\n", names[class]));
        format!("text,label\n{}", rows.collect::<String>())
    };
    let train = "train --adapter adapter --dataset rows.csv --learning-rate 1e-9 --max-steps 1 \
        --validation-split train --output run --precision f32";
    let texts = fixture.texts();
    for (case, names) in [
        ("pissa", ["good", "bad"]),
        ("gaussian", ["bad", "good"]),
        ("olora", ["Bad", "GOOD"]),
    ] {
        let scratch = scratch(case);
        scratch.write("rows.csv", rows(names));
        let run = scratch.run(&split(train)).succeeded();
        assert!(!run.stderr.contains("new weights"), "{}", run.stderr);
        // Nothing was learnt to speak of: the model is the adapter's, by the data's names.
        let base = scratch.path("base");
        let trained = Classifier::load_adapter(&base, &scratch.path("run/model"), &cpu()).unwrap();
        let before = Classifier::load_adapter(&base, &scratch.path("adapter"), &cpu()).unwrap();
        let found = trained.predict(&texts).unwrap();
        for (found, before) in found.iter().zip(before.predict(&texts).unwrap()) {
            assert_eq!(
                found.label.to_lowercase(),
                before.label.to_lowercase(),
                "{case}"
            );
            assert!(
                (found.confidence - before.confidence).abs() < 1e-4,
                "{case}"
            );
        }
    }
    let scratch = scratch("three_labels");
    scratch.write("rows.csv", rows(["up", "down"]));
    let run = scratch.run(&split(train)).succeeded();
    assert!(
        run.stderr
            .contains("new weights: classifier.weight, classifier.bias"),
        "{}",
        run.stderr
    );
    let note = run
        .stderr
        .lines()
        .find(|line| line.starts_with("note: the adapter's head"));
    let note = note.unwrap_or_else(|| panic!("{}", run.stderr));
    assert!(
        note.contains("reinitialized") && note.contains("LABEL_0, LABEL_1, LABEL_2"),
        "{note}"
    );
    // A kind that trains otherwise is used, but not trained.
    let mica = self::scratch("mica");
    mica.write("rows.csv", rows(["up", "down"]));
    mica.refuses(&split(train), &["init_lora_weights", "mica"]);
}

/// A run of an adapter that began with PiSSA's file is resumed to the same bits.
#[test]
fn a_run_that_goes_on_with_pissa_is_resumed() {
    let scratch = scratch("pissa");
    scratch.write("rows.csv", samples::csv(&samples::examples(40)));
    let line = |output: &str, steps: &str| {
        let line = format!(
            "train --adapter adapter --dataset rows.csv --max-steps {steps} --save-strategy steps --save-steps 2 \
             --eval-strategy no --load-best-model-at-end false --lr-scheduler-type constant --output {output}"
        );
        scratch.run(&split(&line)).succeeded();
    };
    line("whole", "4");
    line("half", "4");
    // As if the session had been killed after step 2.
    for gone in ["results.json", "model", "checkpoints/step-000004"] {
        let gone = scratch.path("half").join(gone);
        let _ = fs::remove_dir_all(&gone);
        let _ = fs::remove_file(&gone);
    }
    let run = scratch.run(&split("resume half")).succeeded();
    assert!(run.stderr.contains("after step 2"), "{}", run.stderr);
    let read = |run: &str| scratch.read(&format!("{run}/model/adapter_model.safetensors"));
    assert!(read("whole") == read("half"));
}
