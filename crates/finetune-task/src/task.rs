//! What a model predicts: its problem type and the names of its outputs.

use crate::ProblemType;

/// What a model predicts: its problem type and the names of its outputs in order (transformers'
/// `id2label`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// One class per row, with one logit per class (`single_label_classification`).
    Classes(Vec<String>),
    /// Any number of classes per row, with one logit per class (`multi_label_classification`).
    MultiLabel(Vec<String>),
    /// One or several floating-point values per row (`regression`).
    Regression(Vec<String>),
}

impl Task {
    /// Creates a task of this problem type whose outputs have these names.
    pub fn new(problem_type: ProblemType, names: Vec<String>) -> Self {
        match problem_type {
            ProblemType::SingleLabelClassification => Self::Classes(names),
            ProblemType::MultiLabelClassification => Self::MultiLabel(names),
            ProblemType::Regression => Self::Regression(names),
        }
    }

    /// Returns the problem type.
    pub fn problem_type(&self) -> ProblemType {
        match self {
            Self::Classes(_) => ProblemType::SingleLabelClassification,
            Self::MultiLabel(_) => ProblemType::MultiLabelClassification,
            Self::Regression(_) => ProblemType::Regression,
        }
    }

    /// Returns the names of the outputs in order: classes, or regression values.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Classes(names) | Self::MultiLabel(names) | Self::Regression(names) => names,
        }
    }

    /// Returns the names of the classes in order; empty for regression.
    pub fn class_names(&self) -> &[String] {
        match self {
            Self::Regression(_) => &[],
            _ => self.names(),
        }
    }

    /// Returns the number of outputs, transformers' `num_labels`.
    pub fn num_labels(&self) -> usize {
        self.names().len()
    }

    /// Whether there is a single number to predict, which needs no name.
    pub fn is_single_number(&self) -> bool {
        matches!(self, Self::Regression(names) if names.len() == 1)
    }

    /// Returns whether the names are transformers' defaults.
    pub fn is_unnamed(&self) -> bool {
        *self.names() == Self::default_names(self.num_labels())
    }

    /// Returns a task of the same problem type with other names.
    pub fn renamed(&self, names: Vec<String>) -> Self {
        Self::new(self.problem_type(), names)
    }

    /// What names begin with where nobody gave any; the number of the output follows.
    pub const DEFAULT_PREFIX: &str = "LABEL_";

    /// Returns transformers' default names: `LABEL_0`, `LABEL_1`, …
    pub fn default_names(count: usize) -> Vec<String> {
        let name = |id| format!("{}{id}", Self::DEFAULT_PREFIX);
        (0..count).map(name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_its_problem_type_and_names() {
        for problem_type in ProblemType::ALL {
            let names = vec!["a".to_owned(), "b".to_owned()];
            let task = Task::new(problem_type, names.clone());
            assert_eq!(task.problem_type(), problem_type);
            assert_eq!(task.names(), names);
            assert_eq!(task.num_labels(), 2);
            assert_eq!(
                task.class_names().is_empty(),
                problem_type == ProblemType::Regression
            );
            assert!(!task.is_unnamed() && !task.is_single_number());
            let single = task.renamed(Task::default_names(1));
            assert_eq!(
                single.is_single_number(),
                problem_type == ProblemType::Regression
            );
            let unnamed = task.renamed(Task::default_names(2));
            assert!(unnamed.is_unnamed());
            assert_eq!(unnamed.problem_type(), problem_type);
        }
    }

    #[test]
    fn variants_have_the_problem_types_of_transformers() {
        let names = || vec!["x".to_owned()];
        for (task, name, classes) in [
            (Task::Classes(names()), "single_label_classification", 1),
            (Task::MultiLabel(names()), "multi_label_classification", 1),
            (Task::Regression(names()), "regression", 0),
        ] {
            assert_eq!(task.problem_type().name(), name);
            assert_eq!(task.class_names().len(), classes);
        }
    }

    #[test]
    fn only_the_default_names_in_order_are_unnamed() {
        assert_eq!(Task::default_names(2), ["LABEL_0", "LABEL_1"]);
        assert!(Task::default_names(0).is_empty());
        let swapped = ["LABEL_1", "LABEL_0"].map(String::from).to_vec();
        assert!(!Task::Classes(swapped).is_unnamed());
    }
}
