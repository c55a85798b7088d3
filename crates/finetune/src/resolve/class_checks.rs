//! Checks which classes have rows among the chosen ones.

use finetune_data::{Columns, Note, Split, Task, TokenizedDataset};

use crate::{error::Failure, view::progress::count};

/// Fewer rows than this may legitimately all have different labels.
const FEW_ROWS: u64 = 10;

/// Rejects a label column in which no two rows of any of the `splits` have the same label: it holds texts
/// or identifiers, not classes. The classes of `labels` are those found in the rows.
///
/// # Errors
/// Fails if all labels differ, or if the rows cannot be read.
pub fn refuse_all_different(
    splits: &[&Split],
    columns: &Columns,
    labels: &Task,
) -> Result<(), Failure> {
    let (Task::Classes(names), [column]) = (labels, &columns.label[..]) else {
        return Ok(());
    };
    let rows: u64 = splits.iter().map(|split| split.len()).sum();
    // Splits may share rows.
    let longest = splits.iter().map(|split| split.len()).max().unwrap_or(0);
    if rows < FEW_ROWS || (names.len() as u64) < longest {
        return Ok(());
    }
    for split in splits {
        let counts = split.class_counts(columns, labels)?;
        if counts.iter().any(|&count| count > 1) {
            return Ok(());
        }
    }
    Err(Failure::User(format!(
        "column `{column}` has {} classes in {} rows: is this the label column? Name another with --label-column",
        count(names.len() as u64),
        count(rows),
    )))
}

/// The number of rows of each class in every split, in class order.
pub struct Counted<'a> {
    labels: &'a Task,
    training: Vec<u64>,
    others: Vec<(&'static str, Vec<u64>)>,
}

impl<'a> Counted<'a> {
    /// Counts the rows of each class; `None` if the rows have no classes.
    pub fn new(
        labels: &'a Task,
        training: &TokenizedDataset,
        others: &[(&'static str, Option<&TokenizedDataset>)],
    ) -> Option<Self> {
        let others = others.iter().filter_map(|(name, rows)| {
            let counts = rows.as_ref()?.class_counts()?;
            Some((*name, counts))
        });
        Some(Self {
            labels,
            training: training.class_counts()?,
            others: others.collect(),
        })
    }

    /// Checks that the training rows have more than one class, and returns notes on classes without rows.
    /// `by_index` means that labels are indices, from 0, into the names that the user gave.
    ///
    /// # Errors
    /// Fails if all training rows have the same class.
    pub fn check(
        &self,
        columns: &[String],
        training: &str,
        by_index: bool,
    ) -> Result<Vec<Note>, Failure> {
        self.refuse_one_class(columns, training)?;
        let notes = [self.absent(by_index), self.unlearnable()];
        let notes = notes.into_iter().flatten();
        let averages = self.others.iter();
        let averages = averages
            .filter_map(|(name, counts)| averages_of(self.labels.class_names(), counts, name));
        Ok(notes.map(Note::new).chain(averages).collect())
    }

    fn refuse_one_class(&self, columns: &[String], training: &str) -> Result<(), Failure> {
        let names = self.labels.class_names();
        let present = classes(&self.training, |count| count > 0);
        let (Task::Classes(_), [only]) = (self.labels, &present[..]) else {
            return Ok(());
        };
        Err(Failure::User(format!(
            "all {} chosen training rows ({training}) have the label {:?} in column `{}`; classification needs rows of at least two classes. If the rows are sorted by label, draw them at random: --train-split train --train-rows N",
            count(self.training[*only]),
            names[*only],
            columns.join("`, `"),
        )))
    }

    /// Describes the classes without a row in any split.
    fn absent(&self, by_index: bool) -> Option<String> {
        let total = |class: usize| self.training[class] + self.elsewhere(class);
        let absent = classes(&self.training, |count| count == 0);
        let absent: Vec<_> = absent.into_iter().filter(|&c| total(c) == 0).collect();
        if absent.is_empty() {
            return None;
        }
        let names = self.labels.class_names();
        let numbers = match by_index && absent.contains(&0) {
            true => {
                let meant: Vec<_> = (0..names.len().min(3))
                    .map(|class| format!("{class} is {:?}", names[class]))
                    .collect();
                let found: Vec<_> = (0..names.len())
                    .filter(|&class| total(class) > 0)
                    .map(|class| class.to_string())
                    .collect();
                format!(
                    ". The labels are numbers, which count from 0 ({}); if yours count from 1, use --labels {} to match them by number",
                    meant.join(", "),
                    found.join(",")
                )
            }
            false => String::new(),
        };
        Some(format!(
            "no row has {}: the model cannot learn {}{numbers}",
            list_classes(names, &absent, |_| String::new()),
            if absent.len() == 1 { "it" } else { "them" },
        ))
    }

    /// Describes the classes without a training row that other splits have.
    fn unlearnable(&self) -> Option<String> {
        let without = classes(&self.training, |count| count == 0);
        let met: Vec<_> = without
            .into_iter()
            .filter(|&class| self.elsewhere(class) > 0)
            .collect();
        if met.is_empty() {
            return None;
        }
        let elsewhere = |class: usize| {
            let counts = self.others.iter();
            let counts = counts.filter(|(_, counts)| counts[class] > 0);
            let counts: Vec<_> = counts
                .map(|(name, counts)| format!("{} in {name}", count(counts[class])))
                .collect();
            format!(" ({})", counts.join(", "))
        };
        Some(format!(
            "no training row has {}: the model cannot learn {}, and those rows count as errors; use more rows, or a stratified split",
            list_classes(self.labels.class_names(), &met, elsewhere),
            if met.len() == 1 { "it" } else { "them" },
        ))
    }

    fn elsewhere(&self, class: usize) -> u64 {
        self.others.iter().map(|(_, counts)| counts[class]).sum()
    }
}

/// Returns a note on the macro averages of a split in which some classes have no rows.
pub fn averages_of(names: &[String], counts: &[u64], split: &str) -> Option<Note> {
    let empty = classes(counts, |count| count == 0);
    (!empty.is_empty()).then(|| {
        Note::new(format!(
            "no {split} row has {}: macro averages are taken over all {} classes, of which {} as 0",
            list_classes(names, &empty, |_| String::new()),
            names.len(),
            if empty.len() == 1 {
                "this one counts"
            } else {
                "these count"
            },
        ))
    })
}

/// Returns `class a (1 in test)`, or `classes a, b, … 3 more`, with quoted names.
fn list_classes(names: &[String], classes: &[usize], detail: impl Fn(usize) -> String) -> String {
    const SHOWN: usize = 12;
    let shown = classes.iter().take(SHOWN);
    let shown: Vec<_> = shown
        .map(|&class| format!("`{}`{}", names[class], detail(class)))
        .collect();
    let more = match classes.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", … {more} more"),
    };
    let noun = if classes.len() == 1 {
        "class"
    } else {
        "classes"
    };
    format!("{noun} {}{more}", shown.join(", "))
}

/// Returns the classes whose count satisfies `is`.
fn classes(counts: &[u64], is: impl Fn(u64) -> bool) -> Vec<usize> {
    let classes = counts.iter().enumerate();
    let classes = classes.filter(|(_, count)| is(**count));
    classes.map(|(class, _)| class).collect()
}
