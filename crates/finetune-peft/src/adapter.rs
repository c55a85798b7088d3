//! The adapter of a single linear layer.

use burn::{
    Tensor,
    module::{Module, Param},
};
use finetune_kernels::{Activation, MatmulOptions, activate, affine, linear};

use crate::lora::Lora;

/// A named adapter.
#[derive(Module, Debug)]
pub struct Adapter {
    /// The kind of adapter, with its parameters.
    pub kind: AdapterKind,
    #[module(skip)]
    name: String,
}

impl Adapter {
    /// Creates an adapter called `name`.
    pub fn new(name: impl Into<String>, kind: AdapterKind) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }

    /// Returns the adapter's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The kinds of adapters, with their parameters.
// A model has few of these, so boxing the large variant would gain nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum AdapterKind {
    /// Adds the product of two low-rank matrices (Hu et al. 2021; Liu et al. 2024 for DoRA).
    Lora(Lora),
    /// Scales inputs or outputs (Liu et al. 2022).
    Ia3(Ia3),
    /// Replaces the layer by a trained copy: peft's `modules_to_save`.
    Copy(LinearCopy),
}

/// (IA)³: a learned factor for each input or output feature.
#[derive(Module, Debug)]
pub struct Ia3 {
    /// `[in]` for a feed-forward module, else `[out]`; initialised to ones.
    pub scale: Param<Tensor<1>>,
    #[module(skip)]
    feedforward: bool,
}

impl Ia3 {
    /// Creates an adapter that scales inputs if `feedforward`, else outputs.
    pub fn new(scale: Param<Tensor<1>>, feedforward: bool) -> Self {
        Self { scale, feedforward }
    }

    /// Returns whether inputs are scaled instead of outputs.
    pub fn is_feedforward(&self) -> bool {
        self.feedforward
    }

    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        weight: Tensor<2>,
        bias: Tensor<1>,
        activation: Activation,
        matmul: MatmulOptions,
    ) -> Tensor<2> {
        let scale = self.scale.val();
        let scaled = |x| affine(x, scale.clone(), scale.zeros_like());
        match self.feedforward {
            true => linear(scaled(x), weight, bias, activation, matmul),
            false => activate(
                scaled(linear(x, weight, bias, Activation::Identity, matmul)),
                activation,
            ),
        }
    }
}

/// A trained copy of the layer's weights.
#[derive(Module, Debug)]
pub struct LinearCopy {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
}

/// The function of an adapter's parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterParameter {
    /// A LoRA factor, DoRA magnitude or (IA)³ scale.
    Update,
    /// The weight of a copy of the layer.
    CopyWeight,
    /// The bias of a copy of the layer.
    CopyBias,
}

/// Splits the path of an adapter's parameter into the path of its layer and the parameter's function:
/// `query.adapters.0.kind.Copy.bias` is the bias of a copy of `query`. Returns `None` for other paths.
pub fn split_adapter_path(path: &str) -> Option<(&str, AdapterParameter)> {
    let (layer, rest) = path.split_once(".adapters.")?;
    let parameter = match rest.split_once(".kind.")?.1 {
        "Copy.weight" => AdapterParameter::CopyWeight,
        "Copy.bias" => AdapterParameter::CopyBias,
        _ => AdapterParameter::Update,
    };
    Some((layer, parameter))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{Linear, visit_parameters};

    /// The paths follow from the structs above; renaming a field would break checkpoints.
    #[test]
    fn every_parameter_of_an_adapter_is_known_by_its_path() {
        let device = Device::flex();
        let matrix = || Param::from_tensor(Tensor::<2>::zeros([2, 2], &device));
        let vector = || Param::from_tensor(Tensor::<1>::zeros([2], &device));
        let mut layer = Linear::new(matrix(), vector());
        let kinds = [
            AdapterKind::Lora(Lora::new(matrix(), matrix(), Some(vector()), 1.0, 0.0)),
            AdapterKind::Ia3(Ia3::new(vector(), true)),
            AdapterKind::Copy(LinearCopy {
                weight: matrix(),
                bias: vector(),
            }),
        ];
        for (number, kind) in kinds.into_iter().enumerate() {
            layer.adapters.push(Adapter::new(number.to_string(), kind));
        }
        let mut found = Vec::new();
        visit_parameters(&layer, &mut |parameter| {
            let path = format!("layers.1.up.{}", parameter.path);
            found.push(match split_adapter_path(&path) {
                None => (path, None),
                Some((layer, what)) => (layer.to_string(), Some(what)),
            });
        });
        let own = |leaf: &str| (format!("layers.1.up.{leaf}"), None);
        let of_adapter = |what| ("layers.1.up".to_string(), Some(what));
        let update = of_adapter(AdapterParameter::Update);
        assert_eq!(
            found,
            [
                own("weight"),
                own("bias"),
                update.clone(),
                update.clone(),
                update.clone(),
                update,
                of_adapter(AdapterParameter::CopyWeight),
                of_adapter(AdapterParameter::CopyBias),
            ]
        );
    }
}
