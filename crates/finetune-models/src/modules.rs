//! The building blocks, each a Burn module around one operation of `finetune-kernels`.

use burn::{
    Tensor,
    module::{Module, Param},
    tensor::{Device, Int, TensorData},
};
use finetune_kernels::{
    Activation, AttentionShape, DropoutSource, EmbeddingTables, Norm, Offsets, PackedTokens,
    Precision, Site, attention, dropout, dropout_residual_norm, embedding_norm,
};
use finetune_peft::Linear;

use crate::{ModelConfig, ModelError};

/// Where modules get their initial values: `(path, rows, columns)` to a row-major `[rows, columns]`
/// buffer (`rows` is 1 for vectors). The path is that of [`Parameter`](crate::Parameter).
pub(crate) trait Values {
    fn take(&mut self, path: &str) -> Result<(Vec<f32>, Vec<usize>), ModelError>;
    fn device(&self) -> &Device;

    fn matrix(&mut self, path: &str) -> Result<Param<Tensor<2>>, ModelError> {
        let (values, shape) = self.take(path)?;
        Ok(Param::from_tensor(Tensor::from_data(
            TensorData::new(values, shape),
            self.device(),
        )))
    }

    fn vector(&mut self, path: &str) -> Result<Param<Tensor<1>>, ModelError> {
        let (values, shape) = self.take(path)?;
        Ok(Param::from_tensor(Tensor::from_data(
            TensorData::new(values, shape),
            self.device(),
        )))
    }

    fn linear(&mut self, path: &str) -> Result<Linear, ModelError> {
        Ok(Linear::new(
            self.matrix(&format!("{path}.weight"))?,
            self.vector(&format!("{path}.bias"))?,
        ))
    }
}

/// Scale and shift of a layer norm.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[hidden]`
    pub gamma: Param<Tensor<1>>,
    /// `[hidden]`
    pub beta: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    fn new(values: &mut dyn Values, path: &str, epsilon: f64) -> Result<Self, ModelError> {
        Ok(Self {
            gamma: values.vector(&format!("{path}.gamma"))?,
            beta: values.vector(&format!("{path}.beta"))?,
            epsilon,
        })
    }

    fn val(&self) -> Norm {
        Norm {
            gamma: self.gamma.val(),
            beta: self.beta.val(),
            epsilon: self.epsilon,
        }
    }
}

/// Word, position and token type embeddings, summed and normalised.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// `[vocab_size, hidden]`
    pub word: Param<Tensor<2>>,
    /// `[max_position_embeddings, hidden]`
    pub position: Param<Tensor<2>>,
    /// `[type_vocab_size, hidden]`, absent in DistilBERT.
    pub token_type: Option<Param<Tensor<2>>>,
    /// Norm of the sum.
    pub norm: LayerNorm,
}

impl Embeddings {
    pub(crate) fn new(values: &mut dyn Values, config: &ModelConfig) -> Result<Self, ModelError> {
        Ok(Self {
            word: values.matrix("embeddings.word")?,
            position: values.matrix("embeddings.position")?,
            token_type: match config.family.token_types {
                true => Some(values.matrix("embeddings.token_type")?),
                false => None,
            },
            norm: LayerNorm::new(values, "embeddings.norm", config.norm_epsilon)?,
        })
    }

    /// `[tokens, hidden]`
    pub(crate) fn forward(
        &self,
        tokens: &PackedTokens,
        dropout: finetune_kernels::Dropout,
    ) -> Tensor<2> {
        let tables = EmbeddingTables {
            word: self.word.val(),
            position: self.position.val(),
            token_type: self.token_type.as_ref().map(Param::val),
        };
        embedding_norm(tables, self.norm.val(), tokens, dropout)
    }
}

/// One encoder layer: attention, then feed-forward, each with a residual and a norm after it.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    /// Projection to the queries.
    pub query: Linear,
    /// Projection to the keys.
    pub key: Linear,
    /// Projection to the values.
    pub value: Linear,
    /// Projection of the heads' outputs.
    pub output: Linear,
    /// Norm after attention.
    pub attention_norm: LayerNorm,
    /// Feed-forward, `hidden` to `intermediate_size`.
    pub up: Linear,
    /// Feed-forward, back to `hidden`.
    pub down: Linear,
    /// Norm after feed-forward.
    pub output_norm: LayerNorm,
    #[module(skip)]
    shape: LayerShape,
}

/// What a layer needs of the configuration.
#[derive(Clone, Copy, Debug)]
struct LayerShape {
    heads: usize,
    activation: Activation,
    dropout: f64,
    attention_dropout: f64,
    attention_output_dropout: f64,
    precision: Precision,
}

impl EncoderLayer {
    pub(crate) fn new(
        values: &mut dyn Values,
        config: &ModelConfig,
        layer: usize,
    ) -> Result<Self, ModelError> {
        let path = |stem: &str| format!("layers.{layer}.{stem}");
        let epsilon = config.norm_epsilon;
        Ok(Self {
            query: values.linear(&path("query"))?,
            key: values.linear(&path("key"))?,
            value: values.linear(&path("value"))?,
            output: values.linear(&path("output"))?,
            attention_norm: LayerNorm::new(values, &path("attention_norm"), epsilon)?,
            up: values.linear(&path("up"))?,
            down: values.linear(&path("down"))?,
            output_norm: LayerNorm::new(values, &path("output_norm"), epsilon)?,
            shape: LayerShape {
                heads: config.num_attention_heads,
                activation: config.activation,
                dropout: config.dropout,
                attention_dropout: config.attention_dropout,
                attention_output_dropout: match config.family.attention_output_dropout {
                    true => config.dropout,
                    false => 0.0,
                },
                precision: Precision::F32,
            },
        })
    }

    /// `[tokens, hidden]` to the results of `wanted` tokens, as layer `number` of its encoder.
    pub(crate) fn forward(
        &self,
        hidden: Tensor<2>,
        offsets: &Offsets,
        wanted: Wanted,
        source: DropoutSource,
        number: usize,
    ) -> Tensor<2> {
        let shape = &self.shape;
        let identity = Activation::Identity;
        let (key, value) = (
            self.key.forward(hidden.clone(), identity, source),
            self.value.forward(hidden.clone(), identity, source),
        );
        let (hidden, attention_shape) = match wanted {
            Wanted::All => (
                hidden,
                AttentionShape::of_all(offsets, shape.heads, shape.precision),
            ),
            Wanted::First => (
                first_tokens(hidden, offsets),
                AttentionShape::of_first(offsets, shape.heads, shape.precision),
            ),
        };
        let context = attention(
            self.query.forward(hidden.clone(), identity, source),
            key,
            value,
            attention_shape,
            source.site(Site::attention(number), shape.attention_dropout),
        );
        let attended = dropout_residual_norm(
            self.output.forward(context, identity, source),
            hidden,
            self.attention_norm.val(),
            source.site(
                Site::attention_output(number),
                shape.attention_output_dropout,
            ),
        );
        let inner = self.up.forward(attended.clone(), shape.activation, source);
        dropout_residual_norm(
            self.down.forward(inner, identity, source),
            attended,
            self.output_norm.val(),
            source.site(Site::layer_output(number), shape.dropout),
        )
    }

    pub(crate) fn set_precision(&mut self, precision: Precision) {
        self.shape.precision = precision;
        for linear in self.linears_mut() {
            linear.set_precision(precision);
        }
    }
}

/// Of which tokens a layer's results are wanted. The head reads the first ones only, so the last
/// layer does the work of one token per sequence, but for keys and values: of six layers that saves
/// a seventh of all work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `[tokens, hidden]`
    All,
    /// The first token of each sequence, `[batch, hidden]`.
    First,
}

/// The classification head on the first token: linear, activation, dropout, linear. BERT's pooler
/// and DistilBERT's pre_classifier are the first linear layer.
#[derive(Module, Debug)]
pub struct Head {
    /// `hidden` to `hidden`
    pub dense: Linear,
    /// `hidden` to the outputs
    pub classifier: Linear,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    dropout: f64,
}

impl Head {
    pub(crate) fn new(values: &mut dyn Values, config: &ModelConfig) -> Result<Self, ModelError> {
        Ok(Self {
            dense: values.linear("head.dense")?,
            classifier: values.linear("head.classifier")?,
            activation: config.family.head_activation,
            dropout: config.classifier_dropout,
        })
    }

    /// First tokens of the sequences, `[batch, hidden]`, to `[batch, outputs]`.
    pub(crate) fn forward(&self, first: Tensor<2>, source: DropoutSource, site: Site) -> Tensor<2> {
        let pooled = self.dense.forward(first, self.activation, source);
        let pooled = dropout(pooled, source.site(site, self.dropout));
        self.classifier
            .forward(pooled, Activation::Identity, source)
    }
}

/// The first token of each sequence: `[tokens, hidden]` to `[batch, hidden]`.
pub fn first_tokens(hidden: Tensor<2>, offsets: &Offsets) -> Tensor<2> {
    let rows: Vec<i32> = offsets.first_rows().iter().map(|&row| row as i32).collect();
    let shape = [rows.len()];
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, shape), &hidden.device().inner());
    hidden.select(0, rows)
}
