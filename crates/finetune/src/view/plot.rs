//! Plots points as letters, small enough for any terminal.

use finetune_compare::table::Point;

/// Size of the plot in characters.
const WIDTH: usize = 60;
const HEIGHT: usize = 10;
/// The horizontal axis is logarithmic if its ends differ by more than this factor.
const LOGARITHMIC_FROM: f64 = 20.0;
/// What marks several points in one place.
const SEVERAL: char = '#';

/// Plots the points, each as the letter that its name gets below. `unit` formats the ends of the horizontal axis.
pub fn scatter(points: &[Point<'_>], unit: impl Fn(f64) -> String) -> String {
    let ends = |value: &dyn Fn(&Point<'_>) -> f64| {
        let values = points.iter().map(value);
        let least = values.clone().fold(f64::INFINITY, f64::min);
        (least, values.fold(f64::NEG_INFINITY, f64::max))
    };
    let (left, right) = ends(&|point| point.x);
    let (bottom, top) = ends(&|point| point.y);
    let is_logarithmic = left > 0.0 && right / left > LOGARITHMIC_FROM;
    let axis = |x: f64| if is_logarithmic { x.ln() } else { x };
    let cell = |value: f64, least: f64, most: f64, cells: usize| match most > least {
        true => ((value - least) / (most - least) * (cells - 1) as f64).round() as usize,
        false => cells / 2,
    };
    let mut grid = vec![[' '; WIDTH]; HEIGHT];
    for (number, point) in points.iter().enumerate() {
        let column = cell(axis(point.x), axis(left), axis(right), WIDTH);
        let row = HEIGHT - 1 - cell(point.y, bottom, top, HEIGHT);
        let place = &mut grid[row.min(HEIGHT - 1)][column.min(WIDTH - 1)];
        *place = if *place == ' ' {
            letter(number)
        } else {
            SEVERAL
        };
    }
    let mut text = String::new();
    for (number, row) in grid.iter().enumerate() {
        let label = match number {
            0 => format!("{top:.4}"),
            number if number == HEIGHT - 1 && bottom < top => format!("{bottom:.4}"),
            _ => String::new(),
        };
        let row: String = row.iter().collect();
        text += format!("{label:>10} │{row}").trim_end();
        text.push('\n');
    }
    text += &format!("{:>10} └{}\n", "", "─".repeat(WIDTH));
    let scale = if is_logarithmic { " (logarithmic)" } else { "" };
    let (first, last) = (unit(left), format!("{}{scale}", unit(right)));
    let gap = WIDTH
        .saturating_sub(first.chars().count() + last.chars().count())
        .max(1);
    text += &format!("{:>11} {first}{}{last}\n", "", " ".repeat(gap));
    for (number, point) in points.iter().enumerate() {
        text += &format!("  {} {}\n", letter(number), point.name);
    }
    text
}

/// The letter of a point; they begin again after Z and z.
fn letter(number: usize) -> char {
    let letters = ('A'..='Z').chain('a'..='z');
    letters.cycle().nth(number % 52).unwrap_or(SEVERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stand_where_they_belong() {
        let point = |name, x, y| Point { name, x, y };
        let points = [
            point("low", 1.0, 0.5),
            point("high", 10.0, 0.9),
            point("too", 10.0, 0.9),
        ];
        let plot = scatter(&points, |x| format!("{x} s"));
        let lines: Vec<_> = plot.lines().collect();
        assert!(
            lines[0].starts_with("    0.9000 │") && lines[0].ends_with('#'),
            "{plot}"
        );
        assert_eq!(lines[HEIGHT - 1], "    0.5000 │A");
        assert!(lines[HEIGHT + 1].trim_start().starts_with("1 s"), "{plot}");
        assert!(lines[HEIGHT + 1].ends_with("10 s"), "{plot}");
        assert_eq!(lines[HEIGHT + 2..], ["  A low", "  B high", "  C too"]);
        let same = scatter(&points[1..], |x| format!("{x}"));
        assert!(same.contains('#'), "{same}");
        let wide = scatter(&[point("a", 1.0, 0.0), point("b", 100.0, 1.0)], |x| {
            format!("{x}")
        });
        assert!(wide.contains("100 (logarithmic)"), "{wide}");
    }

    #[test]
    fn letters_begin_again() {
        assert_eq!([0, 25, 26, 51, 52].map(letter), ['A', 'Z', 'a', 'z', 'A']);
    }
}
