//! Computes the low-rank part of a weight that PiSSA and OLoRA subtract from it.

use std::collections::BTreeMap;

use burn::{Tensor, module::Param, tensor::Device};
use finetune_kernels::{Precision, matmul, values_of};
use nalgebra::DMatrix;
use rayon::prelude::*;

use crate::{
    Adaptable, AdaptedKind, AdapterKind, AdapterPlan, Init, Linear, PeftError, init::tensor,
};

/// Relative difference below which f32 values count as equal. A result that depends on the order of
/// equal values depends on the implementation that computes it.
const SAME: f64 = 1e-6;

/// The part of a layer's weight that moves into its adapter.
pub(crate) struct Principal {
    /// `[in, rank]`
    pub a: Tensor<2>,
    /// `[rank, out]`; `scaling · a · b` is subtracted from the weight.
    pub b: Tensor<2>,
    /// Whether every accurate implementation computes the same product.
    pub is_determined: bool,
}

/// The values of the two factors, row-major.
struct Factors {
    a: Vec<f32>,
    b: Vec<f32>,
    is_determined: bool,
}

/// Computes the principal part of each adapted layer by its name, with the layers spread over all cores.
pub(crate) fn principals<M: Adaptable>(
    model: &M,
    plan: &AdapterPlan,
    init: Init,
    device: &Device,
) -> BTreeMap<String, Principal> {
    let find = match init {
        Init::Pissa => pissa,
        Init::Olora => olora,
        _ => return BTreeMap::new(),
    };
    let mut parts = Vec::new();
    for (module, linear) in model.linears() {
        let adapted = plan.adapted.iter().find(|adapted| adapted.name == module);
        if let Some(AdaptedKind::Lora { r, scaling, .. }) = adapted.map(|adapted| adapted.kind) {
            let weight = values_of(linear.weight.val().inner());
            let weight = weight.into_iter().map(f64::from);
            let (inputs, outputs) = (linear.in_features(), linear.out_features());
            let weight = DMatrix::from_row_iterator(inputs, outputs, weight);
            parts.push((module, weight, r, scaling));
        }
    }
    let found = parts
        .into_par_iter()
        .map(|(module, weight, rank, scaling)| {
            let factors = find(&weight, rank, scaling);
            (module, weight.shape(), rank, factors)
        });
    let found: Vec<_> = found.collect();
    let principal = |(module, (inputs, outputs), rank, factors): (String, _, _, Factors)| {
        let principal = Principal {
            a: tensor(factors.a, [inputs, rank], device),
            b: tensor(factors.b, [rank, outputs], device),
            is_determined: factors.is_determined,
        };
        (module, principal)
    };
    found.into_iter().map(principal).collect()
}

/// Fails if another program, or this one on another machine, could compute a different part.
pub(crate) fn check_determined(
    principals: &BTreeMap<String, Principal>,
    init: Init,
) -> Result<(), PeftError> {
    let mut all = principals.iter();
    let Some((module, _)) = all.find(|(_, principal)| !principal.is_determined) else {
        return Ok(());
    };
    let reason = match init {
        Init::Pissa => "its singular values around the rank are equal",
        _ => "its first columns depend on each other",
    };
    Err(PeftError::config(
        "init_lora_weights",
        format!(
            "what peft subtracted from the base weight of {module} cannot be determined, because {reason}; merge the adapter in the program that trained it, with peft's merge_and_unload(), and open the merged model"
        ),
    ))
}

/// Subtracts `scaling · a · b` from the layer's weight, in f32 as peft does.
pub(crate) fn take_out(linear: &mut Linear, principal: &Principal, scaling: f64) {
    let taken = matmul(principal.a.clone(), principal.b.clone(), Precision::F32) * scaling;
    let weight = linear.weight.val().inner() - taken;
    linear.set_weight(Param::from_tensor(weight));
}

/// Fails if the model already has adapters and either they or the new one change the base weights.
pub(crate) fn check_alone<M: Adaptable>(model: &M, init: Init) -> Result<(), PeftError> {
    for (_, linear) in model.linears() {
        for other in &linear.adapters {
            let changed =
                matches!(&other.kind, AdapterKind::Lora(lora) if lora.initial().is_some());
            if changed || init.changes_base() {
                return Err(PeftError::config(
                    "init_lora_weights",
                    format!(
                        "an adapter that changes the base weights (\"pissa\", \"olora\") and the adapter \"{}\" cannot share one model; load a separate model for each",
                        other.name()
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// PiSSA (Meng et al. 2024): the best approximation of `matrix` (`[in, out]`) of rank `rank`, with the
/// square roots of its largest singular values in both factors.
///
/// The singular vectors come from the eigenvectors of the smaller Gram matrix in f64; its squared
/// condition number does no harm to the largest singular values of f32 weights.
fn pissa(matrix: &DMatrix<f64>, rank: usize, scaling: f64) -> Factors {
    let (inputs, outputs) = matrix.shape();
    let tall = inputs > outputs;
    let gram = match tall {
        true => matrix.transpose() * matrix,
        false => matrix * matrix.transpose(),
    };
    let eigen = gram.symmetric_eigen();
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&x, &y| eigen.eigenvalues[y].total_cmp(&eigen.eigenvalues[x]));
    let singular = |place: usize| {
        let index = order.get(place);
        index.map_or(0.0, |&index| eigen.eigenvalues[index].max(0.0).sqrt())
    };
    let (mut a, mut b) = (vec![0.0; inputs * rank], vec![0.0; rank * outputs]);
    for (k, &index) in order.iter().take(rank).enumerate() {
        let value = singular(k);
        let vector = eigen.eigenvectors.column(index);
        // u = W·v/σ or v = Wᵀ·u/σ; both are then scaled by √(σ / scaling).
        let root = (value / scaling).sqrt();
        let other = match tall {
            true => matrix * vector,
            false => matrix.tr_mul(&vector),
        };
        let other = other * (root / value.max(f64::MIN_POSITIVE));
        let own = vector * root;
        let (left, right) = if tall { (other, own) } else { (own, other) };
        for (row, &value) in left.iter().enumerate() {
            a[row * rank + k] = value as f32;
        }
        for (column, &value) in right.iter().enumerate() {
            b[k * outputs + column] = value as f32;
        }
    }
    let is_whole = rank >= order.len();
    let gap = singular(rank.saturating_sub(1)) - singular(rank);
    Factors {
        a,
        b,
        is_determined: is_whole || gap > SAME * singular(0),
    }
}

/// OLoRA (Büyükakyüz 2024): the first `rank` columns of `Q` and rows of `R` in the QR decomposition of
/// peft's `[out, in]` weight, which project it onto the span of its first `rank` columns (here, rows).
/// peft does not divide by `scaling`, and so subtracts `scaling` times the product.
fn olora(matrix: &DMatrix<f64>, rank: usize, _scaling: f64) -> Factors {
    let (inputs, outputs) = matrix.shape();
    let mut basis = DMatrix::zeros(outputs, rank);
    let mut is_determined = true;
    for k in 0..rank.min(inputs) {
        let row = matrix.row(k).transpose();
        let mut rest = row.clone();
        // Twice is enough (Kahan): the second pass removes what rounding left.
        for _ in 0..2 {
            let before = basis.columns(0, k);
            rest -= before * before.tr_mul(&rest);
        }
        let length = rest.norm();
        is_determined &= length > SAME * row.norm();
        if length > 0.0 {
            basis.set_column(k, &(rest / length));
        }
    }
    let coordinates = matrix * &basis;
    let (mut a, mut b) = (vec![0.0; inputs * rank], vec![0.0; rank * outputs]);
    for k in 0..rank {
        // R is upper triangular.
        for row in k..inputs {
            a[row * rank + k] = coordinates[(row, k)] as f32;
        }
        for column in 0..outputs {
            b[k * outputs + column] = basis[(column, k)] as f32;
        }
    }
    Factors {
        a,
        b,
        is_determined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `a · b`.
    fn product(found: &Factors, [inputs, outputs]: [usize; 2], rank: usize) -> DMatrix<f64> {
        let a = DMatrix::from_row_iterator(inputs, rank, found.a.iter().map(|&v| f64::from(v)));
        let b = DMatrix::from_row_iterator(rank, outputs, found.b.iter().map(|&v| f64::from(v)));
        a * b
    }

    fn weight(inputs: usize, outputs: usize) -> DMatrix<f64> {
        DMatrix::from_fn(inputs, outputs, |i, j| {
            ((i * 7 + j * 13) % 11) as f64 / 11.0 - 0.4 + if i == j { 1.0 } else { 0.0 }
        })
    }

    #[test]
    fn pissa_takes_the_largest_singular_values() {
        for [inputs, outputs] in [[9, 6], [6, 9], [7, 7]] {
            let weight = weight(inputs, outputs);
            let svd = weight.clone().svd(true, true);
            for rank in [1, 3] {
                let found = pissa(&weight, rank, 2.0);
                let rest = &weight - 2.0 * product(&found, [inputs, outputs], rank);
                let largest = rest.singular_values()[0];
                assert!((largest - svd.singular_values[rank]).abs() < 1e-6);
                assert!(found.is_determined);
            }
        }
        assert!(!pissa(&DMatrix::identity(5, 5), 2, 1.0).is_determined);
        assert!(pissa(&DMatrix::identity(5, 5), 5, 1.0).is_determined);
    }

    #[test]
    fn olora_takes_the_span_of_the_first_columns() {
        for [inputs, outputs] in [[9, 6], [6, 9]] {
            let weight = weight(inputs, outputs);
            let rank = 3;
            let found = olora(&weight, rank, 2.0);
            let rest = &weight - product(&found, [inputs, outputs], rank);
            for row in 0..rank {
                assert!(rest.row(row).norm() < 1e-6);
            }
            let first = weight.rows(0, rank);
            assert!((&rest * first.transpose()).norm() < 1e-5);
            assert!(found.is_determined);
        }
        let mut dependent = weight(5, 5);
        let first = dependent.row(0).clone_owned();
        dependent.set_row(1, &(first * 2.0));
        assert!(!olora(&dependent, 2, 1.0).is_determined);
    }
}
