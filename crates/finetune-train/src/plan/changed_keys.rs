//! Comparison of two maps, key by key.

use std::collections::{BTreeMap, BTreeSet};

/// Returns the keys whose values differ between `was` and `now`, in order, each with both values.
pub(crate) fn changed_keys<'a, T: PartialEq>(
    was: &'a BTreeMap<String, T>,
    now: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a str, Option<&'a T>, Option<&'a T>)> {
    let keys: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
    let both = keys
        .into_iter()
        .map(|key| (key.as_str(), was.get(key), now.get(key)));
    both.filter(|(_, was, now)| was != now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_removed_and_changed_keys() {
        let map = |pairs: &[(&str, u8)]| -> BTreeMap<String, u8> {
            let owned = pairs.iter().map(|(key, value)| (key.to_string(), *value));
            owned.collect()
        };
        let was = map(&[("a", 1), ("b", 2), ("d", 4)]);
        let now = map(&[("a", 1), ("b", 3), ("c", 5)]);
        let changed: Vec<_> = changed_keys(&was, &now).collect();
        assert_eq!(
            changed,
            [
                ("b", Some(&2), Some(&3)),
                ("c", None, Some(&5)),
                ("d", Some(&4), None)
            ]
        );
        assert_eq!(changed_keys(&was, &was).count(), 0);
    }
}
