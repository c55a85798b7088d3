//! A linear layer that takes adapters.

use burn::{
    Tensor,
    module::{Module, Param},
    tensor::{Int, TensorData},
};
use finetune_kernels::{Activation, DropoutSource, MatmulOptions, Precision, Site, linear};

use crate::adapter::{Adapter, AdapterKind};

/// A linear layer, `activation(x · weight + bias)`, with any number of named adapters, of which at
/// most one is active. Without an active adapter there is no overhead.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
    /// The adapters, in the order in which they were attached.
    pub adapters: Vec<Adapter>,
    #[module(skip)]
    active: Option<usize>,
    /// The dropout site of this layer's adapters, unique in the model.
    #[module(skip)]
    site: Site,
    #[module(skip)]
    matmul: MatmulOptions,
}

impl Linear {
    /// Creates a layer with these weights.
    pub fn new(weight: Param<Tensor<2>>, bias: Param<Tensor<1>>) -> Self {
        Self {
            weight,
            bias,
            adapters: Vec::new(),
            active: None,
            site: Site::adapter(0),
            matmul: MatmulOptions::default(),
        }
    }

    /// Sets the precision of the matrix multiplications.
    pub fn set_precision(&mut self, precision: Precision) {
        self.matmul.precision = precision;
    }

    /// Caches the weight in the processor's packed layout while it is frozen. The cache takes half the
    /// weight's memory in bf16, and as much again once there is a backward pass; in f32 it takes as much as
    /// the weight, and is therefore made only if `in_f32`. Call this again whenever the precision or the set
    /// of trained parameters changes: the cache of a weight in training would keep an outdated copy in
    /// memory. Clones share the cache.
    pub fn pack_frozen(&mut self, in_f32: bool) {
        let is_worth_it = in_f32 || self.matmul.precision == Precision::Bf16;
        let packs = is_worth_it && !self.weight.is_require_grad();
        let packed = self.matmul.packed.take();
        self.matmul.packed = packs.then(|| packed.unwrap_or_default());
    }

    /// Replaces the weight. Clones of the layer keep the packed cache of the old one.
    pub(crate) fn set_weight(&mut self, weight: Param<Tensor<2>>) {
        self.weight = weight;
        self.matmul.packed = self.matmul.packed.take().map(|_| Default::default());
    }

    /// Returns the width of the input.
    pub fn in_features(&self) -> usize {
        self.weight.shape()[0]
    }

    /// Returns the width of the output.
    pub fn out_features(&self) -> usize {
        self.weight.shape()[1]
    }

    /// Reorders or selects the outputs of the layer and of all its adapters: output `i` becomes what
    /// output `order[i]` was.
    pub fn select_outputs(&mut self, order: &[usize]) {
        let device = self.weight.val().device();
        let order: Vec<i64> = order.iter().map(|&output| output as i64).collect();
        let length = order.len();
        let order = Tensor::<1, Int>::from_data(TensorData::new(order, [length]), &device);
        let matrix = |values: &mut Param<Tensor<2>>| {
            let selected = values.val().inner().select(1, order.clone());
            *values = Param::from_tensor(selected);
        };
        let vector = |values: &mut Param<Tensor<1>>| {
            let selected = values.val().inner().select(0, order.clone());
            *values = Param::from_tensor(selected);
        };
        matrix(&mut self.weight);
        vector(&mut self.bias);
        for adapter in &mut self.adapters {
            match &mut adapter.kind {
                AdapterKind::Copy(copy) => {
                    matrix(&mut copy.weight);
                    vector(&mut copy.bias);
                }
                AdapterKind::Lora(lora) => {
                    matrix(&mut lora.b);
                    lora.reorder_initial(&order);
                    if let Some(magnitude) = &mut lora.magnitude {
                        vector(magnitude);
                    }
                }
                AdapterKind::Ia3(ia3) if ia3.is_feedforward() => {}
                AdapterKind::Ia3(ia3) => vector(&mut ia3.scale),
            }
        }
        self.matmul.packed = None;
    }

    /// Replaces weight and bias, `[in, out]` and `[out]`, also in copies of the layer. All other
    /// adapters are removed, since they belong to the old weights.
    pub fn replace(&mut self, weight: Tensor<2>, bias: Tensor<1>) {
        self.weight = Param::from_tensor(weight.clone());
        self.bias = Param::from_tensor(bias.clone());
        let active = self.active().map(|adapter| adapter.name().to_string());
        self.adapters
            .retain(|adapter| matches!(adapter.kind, AdapterKind::Copy(_)));
        for adapter in &mut self.adapters {
            if let AdapterKind::Copy(copy) = &mut adapter.kind {
                copy.weight = Param::from_tensor(weight.clone());
                copy.bias = Param::from_tensor(bias.clone());
            }
        }
        self.activate(active.as_deref());
        self.matmul.packed = None;
    }

    /// Returns the adapter of this name.
    pub fn adapter(&self, name: &str) -> Option<&Adapter> {
        self.adapters.iter().find(|adapter| adapter.name() == name)
    }

    /// Returns the active adapter.
    pub fn active(&self) -> Option<&Adapter> {
        self.active.and_then(|index| self.adapters.get(index))
    }

    /// Activates the adapter of this name, or none if the layer does not have it or `name` is `None`.
    pub fn activate(&mut self, name: Option<&str>) {
        self.active = name.and_then(|name| {
            let mut adapters = self.adapters.iter();
            adapters.position(|adapter| adapter.name() == name)
        });
    }

    /// Adds an adapter, or replaces the one of the same name. `number` is the layer's index among the
    /// model's linear layers, which selects the adapter's dropout site.
    pub(crate) fn attach(&mut self, adapter: Adapter, number: usize) {
        self.site = Site::adapter(number);
        match self
            .adapters
            .iter()
            .position(|other| other.name() == adapter.name())
        {
            Some(index) => self.adapters[index] = adapter,
            None => self.adapters.push(adapter),
        }
    }

    /// Removes the adapter of this name and returns it.
    pub(crate) fn detach(&mut self, name: &str) -> Option<Adapter> {
        let index = self
            .adapters
            .iter()
            .position(|adapter| adapter.name() == name)?;
        let active = self.active().map(|adapter| adapter.name().to_string());
        let adapter = self.adapters.remove(index);
        self.activate(active.as_deref());
        Some(adapter)
    }

    /// Maps `[tokens, in]` to `[tokens, out]`. Only the adapter applies `dropout`.
    pub fn forward(
        &self,
        x: Tensor<2>,
        activation: Activation,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let matmul = self.matmul.clone();
        match self.active().map(|adapter| &adapter.kind) {
            None => linear(x, weight, bias, activation, matmul),
            Some(AdapterKind::Copy(copy)) => {
                let (weight, bias) = (copy.weight.val(), copy.bias.val());
                linear(x, weight, bias, activation, matmul.precision)
            }
            Some(AdapterKind::Lora(lora)) => {
                let dropout = dropout.site(self.site, lora.dropout());
                lora.forward(x, weight, bias, activation, dropout, matmul)
            }
            Some(AdapterKind::Ia3(ia3)) => ia3.forward(x, weight, bias, activation, matmul),
        }
    }
}
