//! In which keys two tables differ.

use std::collections::{BTreeMap, BTreeSet};

/// The keys that have other values in `now` than in `was`, in order, each with both.
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
    fn what_came_went_or_changed() {
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
