//! The confusion matrix as text.

use std::fmt;

use crate::confusion::ConfusionMatrix;

/// Formats a confusion matrix as a table with a line per target and a column per prediction.
#[derive(Clone, Copy, Debug)]
pub struct NamedConfusionMatrix<'a> {
    pub(crate) matrix: &'a ConfusionMatrix,
    pub(crate) names: &'a [String],
}

impl fmt::Display for NamedConfusionMatrix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CORNER: &str = "target \\ predicted";
        let length = |text: &str| text.chars().count();
        let first = self
            .names
            .iter()
            .map(|name| length(name))
            .fold(length(CORNER), usize::max);
        let widths: Vec<usize> = (0..self.names.len())
            .map(|prediction| {
                (0..self.names.len())
                    .map(|target| self.matrix.count(target, prediction).to_string().len())
                    .fold(length(&self.names[prediction]), usize::max)
            })
            .collect();
        write!(f, "{CORNER:<first$}")?;
        for (name, width) in self.names.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        writeln!(f)?;
        for (target, name) in self.names.iter().enumerate() {
            write!(f, "{name:<first$}")?;
            for (prediction, width) in widths.iter().enumerate() {
                let count = self.matrix.count(target, prediction);
                write!(f, "  {count:>width$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_for_names_and_counts_of_any_width() {
        let mut matrix = ConfusionMatrix::new(3);
        for (target, prediction, times) in [(0, 0, 12345), (0, 1, 2), (1, 2, 7), (2, 2, 10)] {
            for _ in 0..times {
                matrix.update(target, prediction).unwrap();
            }
        }
        let names = ["né", "a rather long class name", "x"].map(String::from);
        let text = matrix.named(&names).unwrap().to_string();
        assert_eq!(
            text,
            "target \\ predicted           né  a rather long class name   x\n\
             né                        12345                         2   0\n\
             a rather long class name      0                         0   7\n\
             x                             0                         0  10\n"
        );
    }
}
