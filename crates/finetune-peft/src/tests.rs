//! Adapters on a model of two linear layers and a norm: attaching, training, merging, saving.

use burn::{
    Tensor,
    module::{Module, Param},
    tensor::{Device, TensorData},
};
use finetune_kernels::{Activation, DropoutSource, Stream, random};

use crate::{
    Adaptable, AdapterFile, Bias, Ia3Config, Linear, LoraConfig, ModuleInfo, ModuleKind, Part,
    PartMut, PeftConfig, adapter_names, adapter_outputs, attach, is_head, load_adapter, merge,
    save_adapter, set_active, train_adapter, visit_parameters,
};

/// `score(tanh(block.query(x)) * norm)`, with names as in a classifier whose head has two layers.
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
        let x = random::normal(8, Stream::ENCODER, 20, 1.0);
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

/// Moves what is trained, as training would.
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
