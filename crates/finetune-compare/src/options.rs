//! Tables of options, whose keys are written with dots between tables: `lora.r`.

use toml::{Table, Value};

/// Merges `over` into `table`, recursively; its keys take precedence.
pub fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Returns a value below a key with dots, in tables.
pub fn nested(key: &str, value: Value) -> Table {
    let mut parts = key.rsplit('.');
    let last = parts.next().unwrap_or_default();
    let leaf = Table::from_iter([(last.to_owned(), value)]);
    parts.fold(leaf, |table, part| {
        Table::from_iter([(part.to_owned(), Value::Table(table))])
    })
}

/// Returns the key, with dots, of a table that has one.
pub fn single_key(table: &Table) -> Option<String> {
    let (key, value) = table.iter().next()?;
    match value {
        Value::Table(inner) if inner.len() == 1 => Some(format!("{key}.{}", single_key(inner)?)),
        _ => Some(key.clone()),
    }
}

/// Returns whether options have a key with dots, or something below or above it.
pub fn has(options: &Table, key: &str) -> bool {
    let mut table = options;
    for part in key.split('.') {
        match table.get(part) {
            Some(Value::Table(inner)) => table = inner,
            found => return found.is_some(),
        }
    }
    true
}

/// Says in words how options have changed, a text per key.
pub fn changes(before: &Table, now: &Table) -> Vec<String> {
    changes_below("", before, now)
}

fn changes_below(above: &str, before: &Table, now: &Table) -> Vec<String> {
    let mut changed = Vec::new();
    let keys = before
        .keys()
        .chain(now.keys().filter(|key| !before.contains_key(*key)));
    for key in keys {
        let path = match above {
            "" => key.clone(),
            above => format!("{above}.{key}"),
        };
        match (before.get(key), now.get(key)) {
            (before, now) if before == now => {}
            (Some(Value::Table(before)), Some(Value::Table(now))) => {
                changed.extend(changes_below(&path, before, now));
            }
            (before, now) => {
                let shown = |value: Option<&Value>| value.map_or("unset".into(), Value::to_string);
                changed.push(format!(
                    "{path} was {} and is now {}",
                    shown(before),
                    shown(now)
                ));
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn keys_with_dots_reach_tables() {
        let mut options = table("epochs = 1\nlora.alpha = 2");
        merge(&mut options, nested("lora.r", Value::Integer(8)));
        assert_eq!(options, table("epochs = 1\nlora.alpha = 2\nlora.r = 8"));
        assert_eq!(
            single_key(&nested("a.b.c", Value::Integer(1))).unwrap(),
            "a.b.c"
        );
        assert!(has(&options, "lora.r") && has(&options, "lora") && has(&options, "epochs.x"));
        assert!(!has(&options, "lora.dropout"));
    }

    #[test]
    fn changes_are_named_by_key() {
        let changed = changes(
            &table("a = 1\nb.c = 2\nd = 3"),
            &table("a = 1\nb.c = 4\ne = 5"),
        );
        assert_eq!(
            changed,
            [
                "b.c was 2 and is now 4",
                "d was 3 and is now unset",
                "e was unset and is now 5"
            ]
        );
    }
}
