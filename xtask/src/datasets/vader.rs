//! Parses the files of Hutto & Gilbert (2014): one line per text, `id TAB mean rating TAB text`.

use anyhow::{Context, Result, bail, ensure};

use super::split::Example;
use super::text::clean;

/// The rows of a file, and how many were left out because their rating is too close to zero.
#[derive(Debug, PartialEq)]
pub struct Rated {
    /// The rows; class 0 is negative, class 1 positive.
    pub examples: Vec<Example>,
    /// Number of lines whose `|rating|` is below the threshold.
    pub near_zero: usize,
}

/// Parses a whole file (UTF-8, LF or CRLF).
///
/// # Errors
/// Fails if the bytes are not UTF-8, and if a line does not have three fields or a rating from -4
/// to 4; the message names the line.
pub fn parse(bytes: &[u8], min_abs_rating: f64) -> Result<Rated> {
    let text = std::str::from_utf8(bytes).context("the file is not UTF-8")?;
    let mut examples = Vec::new();
    let mut near_zero = 0;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let (rating, text) = parse_line(line).with_context(|| format!("line {}", index + 1))?;
        if rating.abs() < min_abs_rating {
            near_zero += 1;
            continue;
        }
        examples.push(Example {
            text: clean(text),
            label: i64::from(rating > 0.0),
            rating: Some(rating as f32),
        });
    }
    Ok(Rated {
        examples,
        near_zero,
    })
}

fn parse_line(line: &str) -> Result<(f64, &str)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [_, rating, text] = fields[..] else {
        bail!(
            "expected 3 fields separated by tabs (id, rating, text), found {}",
            fields.len()
        );
    };
    let rating: f64 = rating
        .trim()
        .parse()
        .with_context(|| format!("the rating `{rating}` is not a number"))?;
    ensure!(
        (-4.0..=4.0).contains(&rating),
        "the rating {rating} is not from -4 to 4"
    );
    Ok((rating, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_of_the_rating_is_the_class() {
        let file = "\u{feff}1_1\t-0.5\t Bad &amp; long \r\n1_2\t0.49\tSo so\r\n\r\n1_3\t2.25\tGood";
        let rated = parse(file.as_bytes(), 0.5).unwrap();
        let example = |text: &str, label, rating| Example {
            text: text.to_owned(),
            label,
            rating: Some(rating),
        };
        assert_eq!(
            rated,
            Rated {
                examples: vec![example("Bad & long", 0, -0.5), example("Good", 1, 2.25)],
                near_zero: 1,
            }
        );
    }

    #[test]
    fn a_broken_line_is_named() {
        for (file, expected) in [
            ("1\t2.0\ta\n2\t1.0", "line 2: expected 3 fields"),
            ("1\t2.0\ta\tb", "line 1: expected 3 fields"),
            ("1\tgood\ta", "line 1: the rating `good` is not a number"),
            ("1\t4.5\ta", "line 1: the rating 4.5 is not from -4 to 4"),
            ("1\tNaN\ta", "line 1: the rating NaN is not from -4 to 4"),
        ] {
            let message = format!("{:#}", parse(file.as_bytes(), 0.5).unwrap_err());
            assert!(message.starts_with(expected), "{file:?}: {message}");
        }
        let message = parse(b"1\t2.0\t\xff", 0.5).unwrap_err().to_string();
        assert_eq!(message, "the file is not UTF-8");
    }
}
