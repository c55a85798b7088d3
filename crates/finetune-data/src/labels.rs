use crate::ProblemType;

/// What the label columns mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSchema {
    /// One class per row; the names in the order of their indices.
    Classes(Vec<String>),
    /// Any number of classes per row; the names in the order of their indices.
    MultiLabel(Vec<String>),
    /// One or several floating-point numbers per row; a name for each.
    Regression(Vec<String>),
}

impl LabelSchema {
    /// What a model for these labels is to predict.
    pub fn problem_type(&self) -> ProblemType {
        match self {
            LabelSchema::Classes(_) => ProblemType::SingleLabelClassification,
            LabelSchema::MultiLabel(_) => ProblemType::MultiLabelClassification,
            LabelSchema::Regression(_) => ProblemType::Regression,
        }
    }

    /// Names of the model's outputs: of the classes, or of the numbers of a regression.
    pub fn names(&self) -> &[String] {
        match self {
            LabelSchema::Classes(names)
            | LabelSchema::MultiLabel(names)
            | LabelSchema::Regression(names) => names,
        }
    }

    /// Class names by index; empty for regression.
    pub fn class_names(&self) -> &[String] {
        match self {
            LabelSchema::Regression(_) => &[],
            _ => self.names(),
        }
    }

    /// Width of the model's output.
    pub fn num_labels(&self) -> usize {
        self.names().len()
    }
}
