//! The encoder: embeddings and transformer layers for packed tokens.

mod chosen;
mod embeddings;
mod input;
mod layer;
mod norm;
mod sinusoids;
#[cfg(test)]
mod tests;

use burn::{
    Tensor,
    module::Module,
    tensor::{Int, TensorData},
};
use finetune_kernels::{
    DropoutSource, Offsets, PackedTokens, Pooling, Precision, layer_norm, pool,
};
use finetune_peft::{Part, PartMut};

pub use self::{
    chosen::ChosenTokens, embeddings::Embeddings, layer::EncoderLayer, norm::LayerNorm,
};
use self::{input::InputRules, layer::Wanted};
use crate::{Component, ModelConfig, ModelError, values::Values};

/// A transformer encoder for packed tokens.
#[derive(Module, Debug)]
pub struct Encoder {
    /// The embedding block.
    pub embeddings: Embeddings,
    /// The layers, first to last.
    pub layers: Vec<EncoderLayer>,
    /// The norm of the output, in pre-norm encoders.
    pub final_norm: Option<LayerNorm>,
    #[module(skip)]
    pooling: Pooling,
    #[module(skip)]
    input: InputRules,
}

/// The hidden states of a batch between two layers of the encoder.
#[derive(Clone, Debug)]
pub struct HiddenStates {
    /// `[tokens, hidden]`
    pub values: Tensor<2>,
    /// The index of the layer that takes them as its input; the number of layers for the last layer's
    /// output.
    pub layer: usize,
}

/// What one encoder can imitate of another beside what its head reads: whether it is wanted, or the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inner<H, A> {
    /// The encoder's output for all tokens, `[tokens, hidden]`.
    pub hidden: H,
    /// The queries and keys of the last layer, `[tokens, hidden]` each.
    pub attention: A,
}

impl Encoder {
    pub(crate) fn new(values: &mut Values<'_>, config: &ModelConfig) -> Result<Self, ModelError> {
        let layers = 0..config.num_hidden_layers;
        Ok(Self {
            embeddings: Embeddings::new(values, config)?,
            layers: layers
                .map(|layer| EncoderLayer::new(values, config, layer))
                .collect::<Result<_, _>>()?,
            final_norm: match config.has(Component::FinalNorm) {
                true => {
                    let epsilon = config.norm_epsilon;
                    Some(LayerNorm::new(values, Component::FinalNorm, 0, epsilon)?)
                }
                false => None,
            },
            pooling: config.structure.pooling,
            input: InputRules::new(config),
        })
    }

    /// Computes the input of the first layer.
    ///
    /// # Errors
    /// Fails if the batch is empty or does not fit the model: ids beyond the vocabulary, sequences
    /// that are too long.
    pub fn embed(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<HiddenStates, ModelError> {
        let tokens = self.input.apply(tokens)?;
        Ok(HiddenStates {
            values: self.embeddings.forward(&tokens, dropout),
            layer: 0,
        })
    }

    /// Computes the input of the first layer from word embeddings, `[tokens, embedding]`, in place of those of
    /// the ids, so that gradients with respect to each token's embedding can be computed. Positions and token
    /// types are those of the ids.
    ///
    /// # Errors
    /// Fails as [`embed`](Self::embed) does, and if there is not one embedding for each token.
    pub fn embed_words(
        &self,
        words: Tensor<2>,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<HiddenStates, ModelError> {
        let mut tokens = self.input.apply(tokens)?;
        let count = tokens.ids.len();
        if words.dims()[0] != count {
            return Err(ModelError::BatchLength {
                what: "word embeddings",
                found: words.dims()[0],
                tokens: count,
            });
        }
        tokens.ids = (0..count as u32).collect();
        tokens.used_rows = None;
        Ok(HiddenStates {
            values: self.embeddings.forward_from(words, &tokens, dropout),
            layer: 0,
        })
    }

    /// Returns the word embeddings of ids, `[ids, embedding]`.
    ///
    /// # Panics
    /// Panics if an id is beyond the vocabulary.
    pub fn word_embeddings(&self, ids: &[u32]) -> Tensor<2> {
        let table = self.embeddings.word.val();
        let rows: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let rows = TensorData::new(rows, [ids.len()]);
        let device = table.device().inner();
        table.select(0, Tensor::<1, Int>::from_data(rows, &device))
    }

    /// Runs the layers up to the input of layer `to`. Hidden states that are already there, or beyond,
    /// are returned unchanged.
    pub fn run(
        &self,
        hidden: HiddenStates,
        to: usize,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> HiddenStates {
        let HiddenStates { values, layer } = hidden;
        let to = to.min(self.layers.len()).max(layer);
        let layers = self.layers[layer.min(to)..to].iter();
        HiddenStates {
            values: layers.fold(values, |values, layer| {
                layer.forward(values, offsets, Wanted::All, dropout)
            }),
            layer: to,
        }
    }

    /// Computes the input of the head, one vector per sequence: `[batch, hidden]`. If that is the first
    /// token's, it is cheaper than the output for all tokens, since the last layer handles one token per
    /// sequence.
    pub fn pooled(
        &self,
        hidden: HiddenStates,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        match self.pooling {
            Pooling::First => self.chosen(hidden, &ChosenTokens::first(offsets), offsets, dropout),
            pooling => {
                let all = self.layers.len();
                let hidden = self.run(hidden, all, offsets, dropout);
                pool(self.normalized(hidden.values), offsets, pooling)
            }
        }
    }

    /// Computes the encoder's output for some tokens, `[chosen, hidden]`. This is cheaper than the output
    /// for all of them, since the last layer handles only those.
    pub fn chosen(
        &self,
        hidden: HiddenStates,
        chosen: &ChosenTokens,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        let states = match self.layers.split_last() {
            Some((last, below)) if hidden.layer <= below.len() => {
                let hidden = self.run(hidden, below.len(), offsets, dropout);
                last.forward(hidden.values, offsets, Wanted::Some(chosen), dropout)
            }
            _ => chosen.select(hidden.values),
        };
        self.normalized(states)
    }

    /// Computes the encoder's output for all tokens, `[tokens, hidden]`.
    ///
    /// # Errors
    /// Fails under the same conditions as [`embed`](Self::embed).
    pub fn encode(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, ModelError> {
        let hidden = self.embed(tokens, dropout)?;
        let all = self.layers.len();
        let hidden = self.run(hidden, all, &tokens.offsets, dropout);
        Ok(self.normalized(hidden.values))
    }

    /// Computes what the encoder has to imitate of another one beside what its head reads: see
    /// [`SequenceClassifier::forward_with`](crate::SequenceClassifier::forward_with). Returns the hidden states
    /// after the work so far too.
    pub(crate) fn inner(
        &self,
        hidden: HiddenStates,
        wanted: Inner<bool, bool>,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> (
        HiddenStates,
        Inner<Option<Tensor<2>>, Option<[Tensor<2>; 2]>>,
    ) {
        let all = self.layers.len();
        let (mut hidden, mut attention) = (hidden, None);
        if wanted.attention
            && hidden.layer < all
            && let Some(last) = self.layers.last()
        {
            hidden = self.run(hidden, all - 1, offsets, dropout);
            attention = Some(last.queries_and_keys(hidden.values.clone(), dropout));
        }
        if wanted.hidden {
            hidden = self.run(hidden, all, offsets, dropout);
        }
        let inner = Inner {
            hidden: wanted
                .hidden
                .then(|| self.normalized(hidden.values.clone())),
            attention,
        };
        (hidden, inner)
    }

    /// Applies the final norm, if there is one.
    fn normalized(&self, hidden: Tensor<2>) -> Tensor<2> {
        match &self.final_norm {
            Some(norm) => layer_norm(hidden, norm.val()),
            None => hidden,
        }
    }

    /// Sets the precision of the matrix multiplications.
    pub(crate) fn set_precision(&mut self, precision: Precision) {
        if let Some(projection) = &mut self.embeddings.projection {
            projection.set_precision(precision);
        }
        for layer in &mut self.layers {
            layer.set_precision(precision);
        }
    }

    /// See [`SequenceClassifier::pack_frozen`](crate::SequenceClassifier::pack_frozen).
    pub(crate) fn pack_frozen(&mut self, in_f32: bool) {
        for (.., part) in self.parts_mut() {
            if let PartMut::Linear(linear) = part {
                linear.pack_frozen(in_f32);
            }
        }
    }

    /// Lists the linear layers and norms with their layer indices, in the order of the families'
    /// tables.
    pub(crate) fn parts(&self) -> Vec<(Component, usize, Part<'_>)> {
        let embeddings = &self.embeddings;
        let norm = embeddings.norm.as_ref();
        let norm = norm.map(|norm| Part::NormShift(&norm.beta));
        let norm = norm.map(|part| (Component::EmbeddingNorm, 0, part));
        let mut parts: Vec<_> = norm.into_iter().collect();
        let projection = embeddings.projection.as_ref().map(Part::Linear);
        parts.extend(projection.map(|part| (Component::EmbeddingProjection, 0, part)));
        for (number, layer) in self.layers.iter().enumerate() {
            let of_layer = layer.parts().into_iter();
            parts.extend(of_layer.map(|(component, part)| (component, number, part)));
        }
        let norm = self.final_norm.as_ref();
        let norm = norm.map(|norm| Part::NormShift(&norm.beta));
        parts.extend(norm.map(|part| (Component::FinalNorm, 0, part)));
        parts
    }

    /// Lists the same parts in the same order, borrowed mutably.
    pub(crate) fn parts_mut(&mut self) -> Vec<(Component, usize, PartMut<'_>)> {
        let embeddings = &mut self.embeddings;
        let norm = embeddings.norm.as_mut();
        let norm = norm.map(|norm| PartMut::NormShift(&mut norm.beta));
        let norm = norm.map(|part| (Component::EmbeddingNorm, 0, part));
        let mut parts: Vec<_> = norm.into_iter().collect();
        let projection = embeddings.projection.as_mut().map(PartMut::Linear);
        parts.extend(projection.map(|part| (Component::EmbeddingProjection, 0, part)));
        for (number, layer) in self.layers.iter_mut().enumerate() {
            let of_layer = layer.parts_mut().into_iter();
            parts.extend(of_layer.map(|(component, part)| (component, number, part)));
        }
        let norm = self.final_norm.as_mut();
        let norm = norm.map(|norm| PartMut::NormShift(&mut norm.beta));
        parts.extend(norm.map(|part| (Component::FinalNorm, 0, part)));
        parts
    }
}
