//! The linear layer that takes adapters.

use burn::{
    Tensor,
    module::{Module, Param},
    tensor::{Int, TensorData},
};
use finetune_kernels::{Activation, DropoutSource, MatmulOptions, Precision, Site, linear};

use crate::adapter::{Adapter, AdapterKind};

/// `activation(x · weight + bias)` with any number of named adapters, of which at most one is
/// active. Without an active one it is a plain linear layer and costs nothing more.
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
    /// Dropout site of this layer's adapters, unique in the model.
    #[module(skip)]
    site: Site,
    #[module(skip)]
    matmul: MatmulOptions,
}

impl Linear {
    /// A layer of these weights.
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

    /// Multiplies in `precision` from now on.
    pub fn set_precision(&mut self, precision: Precision) {
        self.matmul.precision = precision;
    }

    /// Keeps the weight in the form that the processor multiplies with, beside the weight itself, as
    /// long as it is frozen: in bf16 in half of its memory, in f32 in as much again and therefore only
    /// if `in_f32`. To be called again when the precision or what is trained changes: a packed form of
    /// a weight in training would hold an old one in memory. Clones of the layer share the form.
    pub fn pack_frozen(&mut self, in_f32: bool) {
        let is_worth_it = in_f32 || self.matmul.precision == Precision::Bf16;
        let packs = is_worth_it && !self.weight.is_require_grad();
        let packed = self.matmul.packed.take();
        self.matmul.packed = packs.then(|| packed.unwrap_or_default());
    }

    /// Replaces the weight; a packed form of the old one stays with its other users.
    pub(crate) fn set_weight(&mut self, weight: Param<Tensor<2>>) {
        self.weight = weight;
        self.matmul.packed = self.matmul.packed.take().map(|_| Default::default());
    }

    /// Width of the input.
    pub fn in_features(&self) -> usize {
        self.weight.shape()[0]
    }

    /// Width of the output.
    pub fn out_features(&self) -> usize {
        self.weight.shape()[1]
    }

    /// Puts the outputs into another order, or leaves some out: output `i` is what output `order[i]` was.
    /// Weight, bias and all adapters follow.
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

    /// Takes other weights, `[in, out]` and `[out]`, in copies of the layer too. Adapters that change the
    /// weights they were made for are removed.
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

    /// The adapter of this name.
    pub fn adapter(&self, name: &str) -> Option<&Adapter> {
        self.adapters.iter().find(|adapter| adapter.name() == name)
    }

    /// The adapter in use.
    pub fn active(&self) -> Option<&Adapter> {
        self.active.and_then(|index| self.adapters.get(index))
    }

    /// Uses the adapter of this name, or none: where the layer has no such adapter, or `name` is
    /// `None`.
    pub fn activate(&mut self, name: Option<&str>) {
        self.active = name.and_then(|name| {
            let mut adapters = self.adapters.iter();
            adapters.position(|adapter| adapter.name() == name)
        });
    }

    /// Adds an adapter, or replaces the one of the same name. `number` is the layer's number in the
    /// model, from which the adapter's dropout follows.
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

    /// `[tokens, in]` to `[tokens, out]`. `dropout` reaches the adapter only.
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
