//! Tests of adapters with a model of two linear layers and a norm: attaching, training, merging, saving.

use burn::{
    Tensor,
    module::{Module, Param},
    tensor::{Device, TensorData},
};
use finetune_kernels::{Activation, DropoutSource, Stream, random};

use crate::{
    ADAPTER_WEIGHTS, Adaptable, AdapterFile, Bias, Ia3Config, Init, Linear, LoraConfig, ModuleInfo,
    ModuleKind, NamedTensor, Part, PartMut, PeftConfig, PeftError, adapter_names, adapter_outputs,
    adapter_tensors, attach, is_head, load_adapter, merge, save_adapter, set_active, train_adapter,
    visit_parameters, write_tensors,
};

/// `classifier(tanh(query(x)) + shift)`, with names as in a classifier whose head has two layers.
#[derive(Module, Debug)]
struct Tiny {
    query: Linear,
    shift: Param<Tensor<1>>,
    classifier: Linear,
}

const NAMES: [&str; 3] = ["block.layer.0.query", "block.norm", "classifier.out_proj"];

impl Tiny {
    fn new() -> Self {
        let device = Device::flex();
        let matrix = |stream, shape: [usize; 2]| {
            let values = random::normal(3, Stream::adapter(stream), shape[0] * shape[1], 0.5);
            Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
        };
        let vector = |stream, length: usize| {
            let values = random::normal(3, Stream::adapter(stream), length, 0.5);
            Param::from_tensor(Tensor::from_data(
                TensorData::new(values, [length]),
                &device,
            ))
        };
        Self {
            query: Linear::new(matrix(0, [4, 6]), vector(1, 6)),
            shift: vector(2, 6),
            classifier: Linear::new(matrix(3, [6, 3]), vector(4, 3)),
        }
    }

    fn forward(&self) -> Vec<f32> {
        let device = self.shift.val().device();
        let x = random::normal(8, Stream::HEAD_DENSE, 20, 1.0);
        let x = Tensor::<2>::from_data(TensorData::new(x, [5, 4]), &device);
        let off = DropoutSource::OFF;
        let hidden = self.query.forward(x, Activation::Tanh, off) + self.shift.val().unsqueeze();
        let logits = self.classifier.forward(hidden, Activation::Identity, off);
        logits.into_data().iter::<f32>().collect()
    }

    fn trained(&self) -> Vec<String> {
        let mut trained = Vec::new();
        visit_parameters(self, &mut |parameter| {
            if parameter.is_trained() {
                trained.push(parameter.path.to_string());
            }
        });
        trained
    }
}

impl Adaptable for Tiny {
    fn model_type(&self) -> &str {
        "roberta"
    }

    fn modules(&self) -> Vec<ModuleInfo> {
        let linear = |name: &str, in_features, out_features| ModuleInfo {
            name: name.into(),
            kind: ModuleKind::Linear {
                in_features,
                out_features,
                bias: true,
            },
        };
        let norm = ModuleInfo {
            name: NAMES[1].into(),
            kind: ModuleKind::Other {
                parameters: vec![("bias".into(), vec![6])],
            },
        };
        vec![linear(NAMES[0], 4, 6), norm, linear(NAMES[2], 6, 3)]
    }

    fn parts(&self) -> Vec<(String, Part<'_>)> {
        let parts = [
            Part::Linear(&self.query),
            Part::NormShift(&self.shift),
            Part::Linear(&self.classifier),
        ];
        NAMES.map(String::from).into_iter().zip(parts).collect()
    }

    fn parts_mut(&mut self) -> Vec<(String, PartMut<'_>)> {
        let parts = [
            PartMut::Linear(&mut self.query),
            PartMut::NormShift(&mut self.shift),
            PartMut::Linear(&mut self.classifier),
        ];
        NAMES.map(String::from).into_iter().zip(parts).collect()
    }
}

fn close(found: &[f32], expected: &[f32]) -> bool {
    let pairs = found.iter().zip(expected);
    found.len() == expected.len() && pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5)
}

fn file(config: PeftConfig) -> AdapterFile {
    AdapterFile {
        config,
        base_model: "base".into(),
        revision: None,
    }
}

/// Changes the trained values, as training would.
fn moved(mut model: Tiny) -> Tiny {
    for (_, linear) in model.linears_mut() {
        for adapter in &mut linear.adapters {
            if let crate::AdapterKind::Lora(lora) = &mut adapter.kind {
                lora.b = Param::from_tensor(lora.b.val() + 0.25);
            }
            if let crate::AdapterKind::Ia3(ia3) = &mut adapter.kind {
                ia3.scale = Param::from_tensor(ia3.scale.val() * 1.5);
            }
            if let crate::AdapterKind::Copy(copy) = &mut adapter.kind {
                copy.bias = Param::from_tensor(copy.bias.val() + 1.0);
            }
        }
    }
    model
}

fn configs() -> [PeftConfig; 4] {
    let lora = |config: LoraConfig| PeftConfig::Lora(config);
    [
        lora(LoraConfig::new(2, 4.0)),
        lora(LoraConfig {
            use_dora: true,
            ..LoraConfig::new(2, 3.0)
        }),
        lora(LoraConfig {
            use_rslora: true,
            ..LoraConfig::new(3, 3.0)
        }),
        PeftConfig::Ia3(Ia3Config {
            target_modules: Some(crate::Targets::Names(vec!["query".into()])),
            feedforward_modules: Some(crate::Targets::Names(vec!["query".into()])),
            ..Ia3Config::default()
        }),
    ]
}

#[test]
fn a_fresh_adapter_changes_nothing() {
    for config in configs() {
        let (plain, mut model) = (Tiny::new(), Tiny::new());
        let plan = attach(&mut model, "a", &config, 1, &Device::flex()).unwrap();
        assert_eq!(
            plan.saved,
            ["classifier.out_proj"],
            "the head is saved whole"
        );
        assert_eq!(adapter_names(&model), ["a"]);
        assert!(close(&model.forward(), &plain.forward()), "{config:?}");
    }
}

#[test]
fn a_merged_adapter_computes_the_same() {
    for config in configs() {
        let mut model = Tiny::new();
        attach(&mut model, "a", &config, 1, &Device::flex()).unwrap();
        let mut model = moved(model);
        let before = model.forward();
        assert!(!close(&before, &Tiny::new().forward()));
        merge(&mut model, "a").unwrap();
        assert_eq!(adapter_names(&model), [""; 0]);
        assert!(close(&model.forward(), &before), "{config:?}");
    }
}

#[test]
fn a_saved_adapter_computes_the_same() {
    for config in configs() {
        let directory = tempfile::tempdir().unwrap();
        let mut model = Tiny::new();
        attach(&mut model, "a", &config, 1, &Device::flex()).unwrap();
        let model = moved(model);
        save_adapter(&model, "a", &file(config.clone()), directory.path()).unwrap();
        let mut again = Tiny::new();
        load_adapter(&mut again, "b", directory.path(), &Device::flex()).unwrap();
        assert_eq!(again.forward(), model.forward(), "{config:?}");
        set_active(&mut again, None).unwrap();
        assert_eq!(again.forward(), Tiny::new().forward());
        let outputs = |name| adapter_outputs(directory.path(), name).unwrap();
        assert_eq!(outputs("classifier.out_proj"), Some(3));
        assert_eq!(outputs("classifier"), None);
    }
}

#[test]
fn only_the_adapter_is_trained() {
    let config = PeftConfig::Lora(LoraConfig {
        bias: Bias::All,
        ..LoraConfig::new(2, 4.0)
    });
    let mut model = Tiny::new();
    let plan = attach(&mut model, "a", &config, 1, &Device::flex()).unwrap();
    let model = train_adapter(model, "a", &plan).train();
    assert_eq!(
        model.trained(),
        [
            "query.bias",
            "query.adapters.0.kind.Lora.a",
            "query.adapters.0.kind.Lora.b",
            "shift",
            "classifier.adapters.0.kind.Copy.weight",
            "classifier.adapters.0.kind.Copy.bias",
        ]
    );
    let elements = 6 + 4 * 2 + 2 * 6 + 6 + 6 * 3 + 3;
    assert_eq!(plan.trainable, elements);
}

#[test]
fn heads_of_one_and_of_two_layers() {
    for (name, expected) in [
        ("classifier", true),
        ("pre_classifier", true),
        ("classifier.dense", true),
        ("classifier.out_proj", true),
        ("bert.pooler.dense", false),
        ("roberta.encoder.layer.0.output.dense", false),
    ] {
        assert_eq!(is_head(name), expected, "{name}");
    }
}

/// Saves an adapter of rank 2 whose tensors `change` has altered, and loads it again.
fn reload(change: impl FnOnce(&mut Vec<NamedTensor>)) -> Result<Tiny, PeftError> {
    let directory = tempfile::tempdir().unwrap();
    let config = PeftConfig::Lora(LoraConfig::new(2, 4.0));
    let mut model = Tiny::new();
    attach(&mut model, "a", &config, 1, &Device::flex()).unwrap();
    save_adapter(&model, "a", &file(config.clone()), directory.path()).unwrap();
    let mut tensors = adapter_tensors(&model, "a", &config).unwrap();
    change(&mut tensors);
    write_tensors(&directory.path().join(ADAPTER_WEIGHTS), tensors).unwrap();
    let mut again = Tiny::new();
    let loaded = load_adapter(&mut again, "b", directory.path(), &Device::flex());
    if loaded.is_err() {
        assert_eq!(
            adapter_names(&again),
            [""; 0],
            "a refused adapter is not attached"
        );
        assert_eq!(again.forward(), Tiny::new().forward());
    }
    loaded.map(|_| again)
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    assert!(reload(|_| ()).is_ok());
    let lora_b = "block.layer.0.query.lora_B.weight";
    let at = |tensors: &[NamedTensor]| {
        tensors
            .iter()
            .position(|t| t.name.ends_with(lora_b))
            .unwrap()
    };
    let missing = reload(|tensors| drop(tensors.remove(at(tensors))));
    let surplus = reload(|tensors| {
        let name = "base_model.model.block.layer.1.query.lora_A.weight".into();
        tensors.push(NamedTensor {
            name,
            ..tensors[0].clone()
        });
    });
    let reshaped = reload(|tensors| {
        let at = at(tensors);
        tensors[at].transposed = false;
        tensors[at].shape = vec![4, 3];
    });
    for (found, parts) in [
        (missing, [lora_b, "missing"]),
        (
            surplus,
            ["block.layer.1.query.lora_A.weight", "no place for it"],
        ),
        (reshaped, [lora_b, "has [4, 3], the model needs [6, 2]"]),
    ] {
        let error = found.err().unwrap();
        let PeftError::OtherBase { problems, base, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((problems.len(), base.as_str()), (1, "base"));
        for part in parts {
            assert!(problems[0].contains(part), "{problems:?}");
        }
    }
    let infinite = reload(|tensors| {
        let at = at(tensors);
        tensors[at].tensor = tensors[at].tensor.clone() + f32::INFINITY;
    });
    let error = infinite.err().unwrap().to_string();
    assert!(error.contains(lora_b) && error.contains("inf"), "{error}");
}

#[test]
fn pickles_and_missing_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let load = || {
        load_adapter(&mut Tiny::new(), "a", directory.path(), &Device::flex())
            .err()
            .unwrap()
    };
    assert!(matches!(load(), PeftError::File { .. }));
    let config = file(PeftConfig::Lora(LoraConfig::new(2, 4.0))).to_json();
    std::fs::write(directory.path().join("adapter_config.json"), config).unwrap();
    assert!(load().to_string().contains("adapter_model.safetensors"));
    std::fs::write(directory.path().join("adapter_model.bin"), "pickle").unwrap();
    assert!(matches!(load(), PeftError::Pickle { .. }));
}

#[test]
fn adapters_are_chosen_by_name() {
    let mut model = Tiny::new();
    for (name, seed) in [("a", 1), ("b", 2)] {
        let config = PeftConfig::Lora(LoraConfig::new(2, 4.0));
        attach(&mut model, name, &config, seed, &Device::flex()).unwrap();
    }
    let mut model = moved(model);
    assert_eq!(adapter_names(&model), ["a", "b"]);
    let with_b = model.forward();
    set_active(&mut model, Some("a")).unwrap();
    let with_a = model.forward();
    assert!(!close(&with_a, &with_b), "the seeds draw different factors");
    let error = set_active(&mut model, Some("c")).unwrap_err().to_string();
    assert!(error.contains("\"c\"") && error.contains("a, b"), "{error}");
    assert_eq!(model.forward(), with_a, "an unknown name changes nothing");
    merge(&mut model, "b").unwrap();
    assert!(close(&model.forward(), &with_b));
    assert_eq!(adapter_names(&model), ["a"]);
}

/// PiSSA and OLoRA move a part of the weight into the adapter: the whole stays the same, and files are
/// for the original weight.
#[test]
fn principal_parts_move_between_weight_and_adapter() {
    for init in [Init::Pissa, Init::Olora] {
        let config = PeftConfig::Lora(LoraConfig {
            init_lora_weights: init,
            ..LoraConfig::new(2, 4.0)
        });
        let (plain, mut model) = (Tiny::new(), Tiny::new());
        attach(&mut model, "a", &config, 1, &Device::flex()).unwrap();
        assert!(close(&model.forward(), &plain.forward()), "{init:?}");
        let mut base = model.clone();
        set_active(&mut base, None).unwrap();
        assert!(!close(&base.forward(), &plain.forward()), "{init:?}");

        let second = PeftConfig::Lora(LoraConfig::new(2, 4.0));
        let error = attach(&mut model, "b", &second, 1, &Device::flex()).unwrap_err();
        assert!(
            error.to_string().contains("\"a\" cannot share one model"),
            "{error}"
        );

        let model = moved(model);
        let directory = tempfile::tempdir().unwrap();
        save_adapter(&model, "a", &file(config), directory.path()).unwrap();
        let saved = AdapterFile::read(directory.path()).unwrap().config;
        let PeftConfig::Lora(saved) = saved else {
            panic!("{saved:?}");
        };
        assert_eq!(
            (saved.r, saved.init_lora_weights),
            (4, Init::KaimingUniform)
        );
        let mut again = Tiny::new();
        load_adapter(&mut again, "a", directory.path(), &Device::flex()).unwrap();
        assert!(close(&again.forward(), &model.forward()), "{init:?}");
    }
}

#[test]
fn a_merge_that_would_not_be_finite_changes_nothing() {
    let mut model = Tiny::new();
    let config = PeftConfig::Lora(LoraConfig::new(2, 4.0));
    attach(&mut model, "a", &config, 1, &Device::flex()).unwrap();
    if let crate::AdapterKind::Lora(lora) = &mut model.query.adapters[0].kind {
        lora.b = Param::from_tensor(lora.b.val() + f32::NAN);
    }
    let error = merge(&mut model, "a").unwrap_err().to_string();
    assert!(error.contains("block.layer.0.query"), "{error}");
    assert_eq!(adapter_names(&model), ["a"]);
    set_active(&mut model, None).unwrap();
    assert_eq!(model.forward(), Tiny::new().forward());
}
