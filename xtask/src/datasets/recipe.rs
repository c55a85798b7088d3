//! The recipe of a data set: what it is made from and how (`datasets/NAME/recipe.toml`).

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// The contents of `recipe.toml`. Unknown keys are rejected, so a typing error is not silently
/// ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// A one-line summary.
    pub summary: String,
    /// SPDX expression of the data's licence.
    pub license: String,
    /// The package with the raw data; absent for data made here or from other data sets.
    pub source: Option<Source>,
    /// How rows are made.
    pub transform: Transform,
    /// How rows are split; absent if they come already split.
    pub split: Option<Split>,
    /// The expected number of rows per split, so that a change of the result is noticed.
    pub rows: Rows,
}

/// A file from a package index, and a place inside it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name on the Python package index.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// File name of the source distribution.
    pub file: String,
    /// SHA-256 of that file in lowercase hex.
    pub sha256: String,
    /// Path of the raw data: a member of the file, then a member of that archive, and so on.
    pub member: Vec<String>,
}

/// How rows are made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Transform {
    /// Lines of `id TAB mean rating TAB text`; the sign of the rating is the class.
    RatedSnippets {
        /// Name of the class of negative ratings, then that of positive ones.
        classes: [String; 2],
        /// Rows whose rating is closer to zero than this are left out.
        min_abs_rating: f64,
    },
    /// The rows of other data sets, with the name of the data set as the class; splits are kept.
    Union {
        /// Names of the data sets, which are also the class names; sorted.
        parts: Vec<String>,
    },
    /// CSV files that are committed to the repository; they are only checked, not built.
    Committed {
        /// Class names; sorted.
        classes: Vec<String>,
    },
    /// Sentences made from templates with a seeded generator.
    Toy {
        /// Seed of the generator.
        seed: u64,
    },
}

/// The shares of the splits. The split of a row depends only on the hash of its text.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Share of the training split.
    pub train: f64,
    /// Share of the validation split.
    pub validation: f64,
    /// Share of the test split.
    pub test: f64,
}

/// Numbers of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Rows in the training split.
    pub train: usize,
    /// Rows in the validation split.
    pub validation: usize,
    /// Rows in the test split.
    pub test: usize,
}

impl Recipe {
    /// Reads and checks the recipe in the folder of a data set. Also returns its text, from which
    /// the stamp of a finished build is made.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is not TOML of this form, or contains impossible values.
    pub fn read(folder: &Path) -> Result<(Self, String)> {
        let path = folder.join("recipe.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the recipe {}", path.display()))?;
        let recipe =
            Self::parse(&text).with_context(|| format!("in the recipe {}", path.display()))?;
        Ok((recipe, text))
    }

    /// Parses and checks a recipe.
    ///
    /// # Errors
    /// Fails if the text is not TOML of this form or contains impossible values.
    pub fn parse(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text)?;
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.license.trim().is_empty(), "`license` is empty");
        if let Some(source) = &self.source {
            source.check()?;
        }
        if let Some(split) = &self.split {
            split.check()?;
        }
        match &self.transform {
            Transform::RatedSnippets {
                classes,
                min_abs_rating,
            } => {
                ensure!(
                    *min_abs_rating > 0.0 && min_abs_rating.is_finite(),
                    "`transform.min_abs_rating` must be above 0, found {min_abs_rating}: a rating \
                     of zero has no sign"
                );
                ensure!(
                    classes[0] != classes[1],
                    "`transform.classes` names `{}` twice",
                    classes[0]
                );
                self.needs(true, true, "rated_snippets")
            }
            Transform::Union { parts } => {
                check_classes("transform.parts", parts)?;
                self.needs(false, false, "union")
            }
            Transform::Committed { classes } => {
                check_classes("transform.classes", classes)?;
                self.needs(false, false, "committed")
            }
            Transform::Toy { .. } => self.needs(false, true, "toy"),
        }
    }

    fn needs(&self, source: bool, split: bool, kind: &str) -> Result<()> {
        for (name, needed, present) in [
            ("source", source, self.source.is_some()),
            ("split", split, self.split.is_some()),
        ] {
            match (needed, present) {
                (true, false) => bail!("`transform.kind = \"{kind}\"` needs a section [{name}]"),
                (false, true) => bail!("`transform.kind = \"{kind}\"` has no section [{name}]"),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Source {
    fn check(&self) -> Result<()> {
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        ensure!(
            self.sha256.len() == 64 && self.sha256.chars().all(hex),
            "`source.sha256` must be 64 lowercase hex digits, found `{}`",
            self.sha256
        );
        let plain = |name: &str| !name.is_empty() && !name.starts_with('-');
        ensure!(
            plain(&self.package) && plain(&self.version),
            "`source.package` and `source.version` must name one exact release, found `{}=={}`",
            self.package,
            self.version
        );
        ensure!(
            plain(&self.file) && !self.file.contains(['/', '\\']),
            "`source.file` must be a file name without folders, found `{}`",
            self.file
        );
        ensure!(
            !self.member.is_empty(),
            "`source.member` must name at least one member of `{}`",
            self.file
        );
        Ok(())
    }
}

impl Split {
    fn check(&self) -> Result<()> {
        let Self {
            train,
            validation,
            test,
        } = *self;
        let shares = [train, validation, test];
        ensure!(
            shares.iter().all(|share| (0.0..=1.0).contains(share))
                && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9,
            "the shares in [split] must lie between 0 and 1 and add up to 1, found train {train}, \
             validation {validation}, test {test}"
        );
        Ok(())
    }
}

fn check_classes(key: &str, names: &[String]) -> Result<()> {
    ensure!(
        names.len() >= 2 && names.is_sorted_by(|a, b| a < b),
        "`{key}` must be at least two different names in sorted order, found {names:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
summary = "Reviews"
license = "MIT"

[source]
package = "vaderSentiment"
version = "0.5"
file = "vaderSentiment-0.5.zip"
sha256 = "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a"
member = ["a.tar.gz", "b.txt"]

[transform]
kind = "rated_snippets"
classes = ["negative", "positive"]
min_abs_rating = 0.5

[split]
train = 0.8
validation = 0.1
test = 0.1

[rows]
train = 8
validation = 1
test = 1
"#;

    fn error(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from} is not in the good recipe");
        let error = Recipe::parse(&GOOD.replace(from, to)).unwrap_err();
        format!("{error:#}")
    }

    #[test]
    fn a_good_recipe_is_read() {
        let recipe = Recipe::parse(GOOD).unwrap();
        assert_eq!(recipe.source.unwrap().member, ["a.tar.gz", "b.txt"]);
        assert_eq!(recipe.rows.train, 8);
        let classes = ["negative".to_owned(), "positive".to_owned()];
        assert_eq!(
            recipe.transform,
            Transform::RatedSnippets {
                classes,
                min_abs_rating: 0.5
            }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, expected) in [
            ("license = \"MIT\"", "", "missing field `license`"),
            ("license = \"MIT\"", "license = \" \"", "`license` is empty"),
            ("summary", "sumary", "unknown field `sumary`"),
            ("version = \"0.5\"", "version = \"\"", "one exact release"),
            ("5d97", "5D97", "64 lowercase hex digits"),
            ("5d97", "", "64 lowercase hex digits"),
            ("vaderSentiment-0.5.zip", "../x.zip", "without folders"),
            (r#"["a.tar.gz", "b.txt"]"#, "[]", "at least one member"),
            ("rated_snippets", "rated", "unknown variant `rated`"),
            ("min_abs_rating", "minimum", "unknown field `minimum`"),
            ("min_abs_rating = 0.5", "min_abs_rating = 0.0", "above 0"),
            (r#""positive""#, r#""negative""#, "twice"),
            ("train = 0.8", "train = 0.9", "add up to 1"),
            ("train = 8", "train = -8", "invalid value"),
            (
                "[split]\ntrain = 0.8\nvalidation = 0.1\ntest = 0.1",
                "",
                "needs a section [split]",
            ),
            ("summary", "= summary", "line 2"),
        ] {
            let message = error(from, to);
            assert!(message.contains(expected), "{from} -> {to}: {message}");
        }
    }

    #[test]
    fn a_union_needs_sorted_parts_and_no_source() {
        let text = |parts: &str, extra: &str| {
            format!(
                "summary = \"\"\nlicense = \"MIT\"\n[transform]\nkind = \"union\"\nparts = {parts}\n\
                 {extra}[rows]\ntrain = 1\nvalidation = 1\ntest = 1\n"
            )
        };
        assert!(Recipe::parse(&text(r#"["a", "b"]"#, "")).is_ok());
        let unsorted = Recipe::parse(&text(r#"["b", "a"]"#, "")).unwrap_err();
        assert!(unsorted.to_string().contains("sorted order"), "{unsorted}");
        let split = "[split]\ntrain = 1.0\nvalidation = 0.0\ntest = 0.0\n";
        let divided = Recipe::parse(&text(r#"["a", "b"]"#, split)).unwrap_err();
        assert!(
            divided.to_string().contains("has no section [split]"),
            "{divided}"
        );
    }
}
