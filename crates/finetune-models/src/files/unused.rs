//! Summarises the weights in a file that a model does not use.

use std::collections::BTreeMap;

use crate::ModelConfig;

/// Maximum number of names in a list.
const LISTED: usize = 6;

/// Returns a clause for each kind of unused weight: layers beyond those of the configuration, and the
/// rest.
pub(crate) fn describe(names: &[String], config: &ModelConfig) -> Vec<String> {
    let family = config.family;
    // `bert.encoder.layer.`; in the file of a bare encoder it lacks `bert.`.
    let mut names_of_layers = family.weights.iter();
    let stem = names_of_layers.find_map(|(_, name)| Some(name.split_once("{}")?.0));
    let stem = stem.unwrap_or_default();
    let bare = stem.strip_prefix(family.prefix).unwrap_or(stem);
    let layer = |name: &str| -> Option<usize> {
        let rest = name
            .strip_prefix(stem)
            .or_else(|| name.strip_prefix(bare))?;
        let number = rest.split_once('.')?.0.parse().ok()?;
        (number >= config.num_hidden_layers).then_some(number)
    };
    let mut layers: BTreeMap<usize, usize> = BTreeMap::new();
    let mut others = Vec::new();
    for name in names {
        match layer(name) {
            Some(number) => *layers.entry(number).or_default() += 1,
            None => others.push(name.as_str()),
        }
    }
    let mut clauses = Vec::new();
    if let (Some((first, _)), Some((last, _))) = (layers.first_key_value(), layers.last_key_value())
    {
        let has_prefix = names.iter().any(|name| name.starts_with(stem));
        let stem = if has_prefix { stem } else { bare };
        let which = match first == last {
            true => format!("{stem}{first}.*"),
            false => format!("{stem}{first}.* to {stem}{last}.*"),
        };
        clauses.push(format!(
            "{which} ({} tensors): config.json says {} layers ({})",
            layers.values().sum::<usize>(),
            config.num_hidden_layers,
            family.keys.layers
        ));
    }
    if !others.is_empty() {
        let more = others.len().saturating_sub(LISTED);
        others.truncate(LISTED);
        let mut listed = others.join(", ");
        if more > 0 {
            listed += &format!(" and {more} more");
        }
        clauses.push(listed);
    }
    clauses
}
