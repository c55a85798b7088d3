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

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that is resumed draws the masks that it would have drawn.
    #[test]
    fn numbers_are_those_of_earlier_versions_and_unique() {
        let mut all = vec![EMBEDDINGS];
        for layer in 0..4 {
            let sites = LayerSites::new(layer);
            all.extend([sites.attention, sites.attention_output, sites.output]);
        }
        let head = HeadSites::new(4);
        all.extend([head.classifier, head.input]);
        assert_eq!(all, (0..=14).collect::<Vec<_>>());
    }
}
