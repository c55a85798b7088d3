//! The numbers of the places where a model drops values out. A place's mask is a function of (seed,
//! step, number), so each number is used once, and none may change between a run and its resumption.
//! Adapters have numbers of their own, far above these.

/// After the embeddings.
pub(crate) const EMBEDDINGS: u32 = 0;

/// The places in one layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerSites {
    /// The attention probabilities.
    pub attention: u32,
    /// What attention adds to the residual.
    pub attention_output: u32,
    /// What the feed-forward layers add to the residual.
    pub output: u32,
}

impl LayerSites {
    const COUNT: u32 = 3;

    /// Those of layer `layer`, from 0.
    pub fn new(layer: usize) -> Self {
        let first = 1 + layer as u32 * Self::COUNT;
        Self {
            attention: first,
            attention_output: first + 1,
            output: first + 2,
        }
    }
}

/// The places in the head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadSites {
    /// What the classifier reads.
    pub classifier: u32,
    /// What the dense layer reads, in families that drop that out too.
    pub input: u32,
}

impl HeadSites {
    /// Those of the head above `layers` layers.
    pub fn new(layers: usize) -> Self {
        let first = LayerSites::new(layers).attention;
        Self {
            classifier: first,
            input: first + 1,
        }
    }
}
