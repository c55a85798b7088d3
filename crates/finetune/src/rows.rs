//! The rows of a run: which, from where, with what labels.

use finetune_data::{
    Columns, Dataset, LabelSchema, Split, TextTokenizer, TokenizedDataset,
    check_classes_in_training,
};
use finetune_train::TrainData;

use crate::{data::tokenize, error::Failure, train_options::TrainOptions};

/// The rows of a run, their columns and labels.
pub struct Rows {
    /// The data set as named by the user.
    pub dataset: String,
    train: Split,
    /// Split expression of the training rows.
    pub train_name: String,
    validation: Split,
    /// Split expression of the validation rows; empty: a share of the training rows.
    pub validation_name: String,
    test: Option<(Split, String)>,
    pub columns: Columns,
    pub labels: LabelSchema,
}

impl Rows {
    /// Opens the data set and finds rows, columns and classes.
    pub fn choose(options: &TrainOptions) -> Result<Self, Failure> {
        let Some(path) = options.dataset.clone() else {
            return Err(Failure::User(
                "no data: name a file, a directory with one file per split, or a glob with --dataset".into(),
            ));
        };
        let dataset = Dataset::open(&path)?;
        let seed = options.seed.unwrap_or(42);
        let train_name = options
            .train_split
            .clone()
            .unwrap_or_else(|| "train".into());
        let whole_train = dataset.split(&train_name)?;
        let columns = Columns::resolve(
            &whole_train,
            &options.text_column,
            &options.label_column,
            true,
        )?;
        let test_name = match &options.test_split {
            Some(name) => Some(name.clone()).filter(|name| !name.is_empty()),
            None => dataset.has_split("test").then(|| "test".to_string()),
        };
        let test = match test_name {
            Some(name) => Some((dataset.split(&name)?, name)),
            None => None,
        };
        let validation_name = match &options.validation_split {
            Some(name) => name.clone(),
            None if dataset.has_split("validation") => "validation".into(),
            None => String::new(),
        };
        let named_validation = match validation_name.is_empty() {
            true => None,
            false => Some(dataset.split(&validation_name)?),
        };

        let splits: Vec<&Split> = [Some(&whole_train), named_validation.as_ref()]
            .into_iter()
            .chain([test.as_ref().map(|(split, _)| split)])
            .flatten()
            .collect();
        let names = Some(options.labels.as_slice()).filter(|names| !names.is_empty());
        let labels = LabelSchema::infer(&splits, &columns, names, options.problem_type)?;
        let (train, validation) = match named_validation {
            Some(validation) => (whole_train, validation),
            None => {
                let fraction = options.validation_fraction.unwrap_or(0.1);
                let rows = whole_train.len();
                let parts =
                    whole_train.stratified_split(&columns, Some(&labels), fraction, seed)?;
                if parts.1.is_empty() {
                    return Err(Failure::User(format!(
                        "{path} has no validation split, and a share of {fraction} of its {rows} training rows, of which each class keeps one, is no row; use more rows, a larger --validation-fraction, or name rows with --validation-split"
                    )));
                }
                parts
            }
        };
        Ok(Self {
            dataset: path,
            train: train.shuffle_take(seed, options.train_rows.unwrap_or(1000))?,
            train_name,
            validation: validation.shuffle_take(seed, options.eval_rows.unwrap_or(200))?,
            validation_name,
            test,
            columns,
            labels,
        })
    }

    /// Tokenizes all splits and checks that training has every class.
    pub fn tokenize(
        &self,
        max_length: usize,
        tokenizer: &TextTokenizer,
    ) -> Result<(TrainData, Option<TokenizedDataset>), Failure> {
        let tokens =
            |split: &Split| tokenize(split, &self.columns, &self.labels, tokenizer, max_length);
        let data = TrainData {
            train: tokens(&self.train)?,
            validation: tokens(&self.validation)?,
        };
        let test = match &self.test {
            Some((split, _)) => Some(tokens(split)?),
            None => None,
        };
        self.check_classes(&data.train, &data.validation, "validation")?;
        if let Some(test) = &test {
            self.check_classes(&data.train, test, "test")?;
        }
        Ok((data, test))
    }

    /// Training needs rows of every class that is evaluated. Of many labels per row some are so rare
    /// that a draw of the rows misses them, so there it is only said.
    fn check_classes(
        &self,
        training: &TokenizedDataset,
        other: &TokenizedDataset,
        name: &str,
    ) -> Result<(), Failure> {
        let (Some(training), Some(other)) = (training.class_counts(), other.class_counts()) else {
            return Ok(());
        };
        let checked = check_classes_in_training(self.labels.class_names(), &training, &other, name);
        match (checked, &self.labels) {
            (Err(error), LabelSchema::MultiLabel(_)) => eprintln!("note: {error}"),
            (checked, _) => checked?,
        }
        Ok(())
    }

    /// Split expression of the test rows; empty: none.
    pub fn test_name(&self) -> String {
        let name = self.test.as_ref().map(|(_, name)| name.clone());
        name.unwrap_or_default()
    }

    /// What the labels are, in words.
    pub fn describe_labels(&self) -> String {
        let names = self.labels.names();
        let named = |what: &str| match names.len() {
            ..=12 => format!("{what} {}", names.join(", ")),
            count => format!("{count} {what}"),
        };
        match &self.labels {
            LabelSchema::Classes(_) => named("classes"),
            LabelSchema::MultiLabel(_) => format!("any number of the {}", named("labels")),
            LabelSchema::Regression(_) => named("numbers"),
        }
    }
}
