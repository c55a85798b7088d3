//! Which classes have rows, among the rows that were chosen: what is refused, and what is said.

use finetune_data::{Columns, Note, Split, Task, TokenizedDataset};

use crate::{error::Failure, view::progress::count};

/// Fewer rows than this may all have different labels by chance or on purpose.
const FEW_ROWS: u64 = 10;

/// Refuses a label column in which no two rows of all `splits` have the same label: a text or an
/// identifier, not a class. The classes of `labels` are those that were found in the rows.
pub fn refuse_all_different(
    splits: &[&Split],
    columns: &Columns,
    labels: &Task,
) -> Result<(), Failure> {
    let (Task::Classes(names), [column]) = (labels, &columns.label[..]) else {
        return Ok(());
    };
    let rows: u64 = splits.iter().map(|split| split.len()).sum();
    // Rows of one split may be rows of another too.
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

/// Rows of each class in every split, in the order of the classes.
pub struct Counted<'a> {
    labels: &'a Task,
    training: Vec<u64>,
    others: Vec<(&'static str, Vec<u64>)>,
}

impl<'a> Counted<'a> {
    /// `None` where rows have no classes.
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

    /// Refuses training rows of one class only, and says which classes have no rows. `by_index`: labels
    /// are numbers, from 0, of names that the user gave.
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
            "all {} training rows chosen ({training}) have the label {:?} in column `{}`; classification needs rows of at least two classes. If the rows are sorted by label, choose them from everywhere: --train-split train with --train-rows N draws at random",
            count(self.training[*only]),
            names[*only],
            columns.join("`, `"),
        )))
    }

    /// Classes without a row anywhere.
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
                    ". The labels are numbers, which are counted from 0 ({}); if yours begin with 1, say --labels {} to have them by number",
                    meant.join(", "),
                    found.join(",")
                )
            }
            false => String::new(),
        };
        Some(format!(
            "no row has {}: the model cannot learn {}{numbers}",
            named(names, &absent, |_| String::new()),
            if absent.len() == 1 { "it" } else { "them" },
        ))
    }

    /// Classes without a training row that other splits have.
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
            named(self.labels.class_names(), &met, elsewhere),
            if met.len() == 1 { "it" } else { "them" },
        ))
    }

    fn elsewhere(&self, class: usize) -> u64 {
        self.others.iter().map(|(_, counts)| counts[class]).sum()
    }
}

/// What the macro averages of a split are over, if some classes have no rows there.
pub fn averages_of(names: &[String], counts: &[u64], split: &str) -> Option<Note> {
    let empty = classes(counts, |count| count == 0);
    (!empty.is_empty()).then(|| {
        Note::new(format!(
            "no {split} row has {}: macro averages are over all {} classes, where {} as 0",
            named(names, &empty, |_| String::new()),
            names.len(),
            if empty.len() == 1 {
                "it counts"
            } else {
                "they count"
            },
        ))
    })
}

/// `class a (1 in test)`, or `classes a, b, … 3 more`, the names quoted.
fn named(names: &[String], classes: &[usize], detail: impl Fn(usize) -> String) -> String {
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

/// The classes whose count is as `is` says.
fn classes(counts: &[u64], is: impl Fn(u64) -> bool) -> Vec<usize> {
    let classes = counts.iter().enumerate();
    let classes = classes.filter(|(_, count)| is(**count));
    classes.map(|(class, _)| class).collect()
}
