//! Colours by what they stand for. The page's style sheet says what they are, in light and in dark.

use plotters::style::RGBColor;

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// A series, by its number; the style sheet has eight.
    Series(u8),
    /// Something that is only there for comparison.
    Muted,
    /// Titles and numbers of axes.
    Text,
    /// Lines of the grid.
    Grid,
}

/// Number of colours for series.
pub(crate) const SERIES: u8 = 8;

impl Colour {
    const ALL_OTHERS: [Self; 3] = [Self::Muted, Self::Text, Self::Grid];

    /// Returns the colour that plotters writes in its place.
    pub(super) fn placeholder(self) -> RGBColor {
        match self {
            Self::Series(number) => RGBColor(0, 0, 1 + number % SERIES),
            Self::Muted => RGBColor(0, 1, 0),
            Self::Text => RGBColor(0, 1, 1),
            Self::Grid => RGBColor(0, 1, 2),
        }
    }

    /// Returns the name of its variable in the style sheet.
    pub(crate) fn variable(self) -> String {
        match self {
            Self::Series(number) => format!("var(--series-{})", 1 + number % SERIES),
            Self::Muted => "var(--muted)".into(),
            Self::Text => "var(--ink)".into(),
            Self::Grid => "var(--grid)".into(),
        }
    }
}

/// Replaces the placeholders in the attributes of an SVG by variables. Texts cannot have a quote, which plotters
/// escapes, so they are left alone.
pub(super) fn with_variables(svg: &str) -> String {
    let series = (0..SERIES).map(Colour::Series);
    let mut svg = svg.to_owned();
    for colour in series.chain(Colour::ALL_OTHERS) {
        let RGBColor(r, g, b) = colour.placeholder();
        let placeholder = format!("=\"#{r:02X}{g:02X}{b:02X}\"");
        svg = svg.replace(&placeholder, &format!("=\"{}\"", colour.variable()));
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_attributes_are_replaced() {
        let svg =
            "<text fill=\"#000101\">#000001 &quot;#000001&quot;</text><line stroke=\"#000008\"/>";
        assert_eq!(
            with_variables(svg),
            "<text fill=\"var(--ink)\">#000001 &quot;#000001&quot;</text><line stroke=\"var(--series-8)\"/>"
        );
    }
}
