//! Reads the committed fixtures that PyTorch and transformers made.

use std::path::{Path, PathBuf};

use burn::{Tensor, tensor::Device};
use finetune_kernels::{Offsets, PackedTokens};
use finetune_models::SafetensorsFile;

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .into()
}

pub fn path(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// The devices that parity is tested on.
pub fn devices() -> Vec<Device> {
    let others = [
        ("ndarray", cfg!(feature = "ndarray")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    let others = others.into_iter().filter(|(_, is_built)| *is_built);
    std::iter::once("flex")
        .chain(others.map(|(name, _)| name))
        .map(|name| finetune_train::device(name).unwrap())
        .collect()
}

/// `fixtures.json`.
pub fn manifest() -> serde_json::Value {
    json("fixtures.json")
}

/// A JSON file.
pub fn json(name: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

pub struct Fixture(SafetensorsFile);

impl Fixture {
    pub fn open(name: &str) -> Self {
        Self(SafetensorsFile::open(&path(name)).unwrap())
    }

    pub fn floats(&mut self, name: &str) -> Vec<f32> {
        self.0.read_f32(name).unwrap()
    }

    pub fn integers(&mut self, name: &str) -> Vec<u32> {
        self.0
            .read_i32(name)
            .unwrap()
            .into_iter()
            .map(|value| value as u32)
            .collect()
    }

    pub fn doubles(&mut self, name: &str) -> Vec<f64> {
        self.0.read_f64(name).unwrap()
    }

    /// The batch whose tensors begin with `prefix`.
    pub fn tokens(&mut self, prefix: &str) -> PackedTokens {
        let mut read = |name: &str| self.integers(&format!("{prefix}{name}")).into();
        let (ids, positions, type_ids) = (read("ids"), read("positions"), read("type_ids"));
        PackedTokens {
            ids,
            positions,
            type_ids,
            offsets: Offsets::new(self.integers(&format!("{prefix}offsets"))).unwrap(),
            used_rows: None,
        }
    }
}

/// The values of a tensor, row-major.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The largest absolute difference of two equally long lists.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(0.0, |largest, difference| {
        assert!(difference.is_finite());
        largest.max(difference)
    })
}

/// The norm of `a - b` over the norm of `b`.
pub fn relative_norm(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / norm(&mut b.iter().copied().map(f64::from))
}
