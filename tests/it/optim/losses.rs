//! Losses and their gradients equal those of torch.

use burn::{Tensor, tensor::TensorData};
use finetune_data::Labels;
use finetune_train::LossConfig;
use serde_json::Value;

use super::{cases, doubles};
use crate::{
    fixtures::{devices, values},
    tolerance,
};

/// As in `make_optim.py`, row by row.
const LOGITS: [f32; 15] = [
    0.5, -1.25, 2.0, 0.0, 0.0, 0.0, 100.0, -100.0, 3.0, -1e4, 1e4, 88.0, 1e-3, -30.0, 17.5,
];

fn labels(value: &Value) -> Labels {
    let matrix = |key: &str| {
        let rows = value[key].as_array().unwrap().iter();
        rows.flat_map(doubles).collect::<Vec<_>>()
    };
    if let Some(classes) = value.get("classes") {
        let classes = doubles(classes).into_iter();
        Labels::Classes(classes.map(|class| class as u32).collect())
    } else if value.get("marks").is_some() {
        Labels::MultiLabel {
            width: 3,
            values: matrix("marks").iter().map(|&mark| mark != 0.0).collect(),
        }
    } else {
        Labels::Values {
            width: 3,
            values: matrix("values"),
        }
    }
}

/// Relative to the size of the number where that is above 1.
fn assert_close(found: f64, expected: f64, what: &str) {
    let difference = (found - expected).abs() / expected.abs().max(1.0);
    assert!(
        difference < tolerance::LOSS,
        "{what}: {found} instead of {expected}"
    );
}

/// Values and gradients, with logits from 0 to 10,000.
#[test]
fn losses_are_torchs() {
    for device in devices() {
        for case in cases("losses.json") {
            let config: LossConfig = serde_json::from_value(case["config"].clone()).unwrap();
            let labels = labels(&case["labels"]);
            let what = format!("{config:?} {labels:?}");
            let denominator = config.denominator(&labels);
            assert_close(denominator, case["denominator"].as_f64().unwrap(), &what);
            let logits = TensorData::new(LOGITS.to_vec(), [5, 3]);
            let logits = Tensor::<2>::from_data(logits, &device.clone().autodiff()).require_grad();
            let loss = config.loss(logits.clone(), &labels, denominator).unwrap();
            let gradient = values(logits.grad(&loss.backward()).unwrap());
            let loss = values(loss)[0].into();
            assert_close(loss, case["loss"].as_f64().unwrap(), &what);
            for (found, expected) in gradient.into_iter().zip(doubles(&case["gradient"])) {
                assert_close(found.into(), expected, &what);
            }
        }
    }
}
