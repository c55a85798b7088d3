//! Names of modules that mean the same in every family, for patterns of parameters.

use std::borrow::Cow;

use finetune_models::{Component, Family, Parameter, Place};

/// The linear layers of a feed-forward block, as torch's `TransformerEncoderLayer` calls them.
const FEED_FORWARD: [(Component, &str); 2] =
    [(Component::Up, "linear1"), (Component::Down, "linear2")];
const HEAD: &str = "head";

/// The words by which patterns name the same parameters in every family.
pub(super) const WORDS: [&str; 3] = ["linear1", "linear2", HEAD];

/// Returns the name by which `pattern` knows a parameter: transformers' name, unless the pattern speaks
/// of `linear1`, `linear2` or `head` and this is such a parameter. Then it is, whatever the family,
/// `bert.encoder.layer.0.linear2.weight` or `head.classifier.weight`.
pub(super) fn known_as<'a>(
    parameter: &'a Parameter,
    pattern: &str,
    family: &Family,
) -> Cow<'a, str> {
    if parameter.place.is_head() && pattern.contains(HEAD) {
        return format!("{HEAD}.{}", parameter.name).into();
    }
    let Place::Layer(layer) = parameter.place else {
        return Cow::Borrowed(&parameter.name);
    };
    let common = |(component, word): (Component, &str)| {
        let leaf = parameter
            .name
            .strip_prefix(&family.name_of(component, layer)?)?;
        let lines = &mut family.weights.iter();
        let (_, template) = lines.find(|(other, _)| *other == component)?;
        let (block, _) = template.split_once("{}")?;
        Some(format!("{block}{layer}.{word}{leaf}"))
    };
    let words = FEED_FORWARD.into_iter();
    let mut spoken = words.filter(|(_, word)| pattern.contains(word));
    match spoken.find_map(common) {
        Some(name) => Cow::Owned(name),
        None => Cow::Borrowed(&parameter.name),
    }
}
