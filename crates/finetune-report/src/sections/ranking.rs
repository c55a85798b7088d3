//! Precision-recall and ROC curves.

use finetune_metrics::RankingCurve;
use maud::{Markup, html};

use super::Section;
use crate::{
    HeldOut, ReportError, RunFacts,
    format::{decimals, number},
    plots::{Colour, Line, Lines, Table, every, lines, table},
};

/// The most classes that have curves in one picture.
const MOST_CURVES: usize = 8;
/// The most points of a curve.
const POINTS: usize = 60;
const UNIT: Option<[f64; 2]> = Some([0.0, 1.02]);

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let Some(held_out) = &facts.held_out else {
        return Ok(None);
    };
    if held_out.task.class_names().is_empty() {
        return Ok(None);
    }
    // The curves of two exclusive classes mirror each other.
    let is_binary = held_out.outputs == 2 && held_out.confusion_matrix()?.is_some();
    let classes = if is_binary { 1..2 } else { 0..held_out.outputs };
    let mut curves: Vec<_> = classes
        .map(|class| {
            let rows = held_out.memberships(class).into_iter();
            (class, RankingCurve::new(rows))
        })
        .collect();
    let areas = areas(held_out, &curves);
    curves.retain(|(_, curve)| curve.positives > 0 && curve.negatives > 0);
    let number_of_curves = curves.len();
    curves.sort_by(|a, b| a.1.average_precision.total_cmp(&b.1.average_precision));
    curves.truncate(MOST_CURVES);
    let note = (number_of_curves > MOST_CURVES).then(|| {
        format!(
            "The {MOST_CURVES} of {number_of_curves} classes with the lowest average precision are shown; the table of \
             areas has all."
        )
    });
    let pictures = match curves.is_empty() {
        true => None,
        false => Some(html! { div.figures {
            (precision_recall(held_out, &curves, note.clone())?)
            (roc(held_out, &curves, note)?)
        } }),
    };
    let body = html! {
        @if let Some(pictures) = pictures { (pictures) }
        h3 { "Areas under the curves" }
        (table("Areas under the curves", &areas))
    };
    Ok(Some(Section {
        id: "ranking",
        title: "Ranking",
        body,
    }))
}

fn areas(held_out: &HeldOut, curves: &[(usize, RankingCurve)]) -> Table {
    let rows = curves.iter().map(|(class, curve)| {
        let areas = [curve.average_precision, curve.roc_auc].map(decimals);
        [
            &[held_out.name(*class)][..],
            &areas[..],
            &[curve.positives.to_string()],
        ]
        .concat()
    });
    let head = ["class", "average precision", "ROC AUC", "rows"];
    Table {
        head: head.map(String::from).into(),
        rows: rows.collect(),
    }
}

struct Kind {
    title: &'static str,
    axes: [&'static str; 2],
    /// Where each curve begins.
    first: (f64, f64),
}

fn draw(
    held_out: &HeldOut,
    curves: &[(usize, RankingCurve)],
    note: Option<String>,
    kind: &Kind,
    point: impl Fn(&RankingCurve, &finetune_metrics::CurvePoint) -> (f64, f64),
) -> Result<Markup, ReportError> {
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for ((class, curve), colour) in curves.iter().zip(0..) {
        let points = every(&curve.points, POINTS);
        let name = held_out.name(*class);
        let places: Vec<_> = points.iter().map(|at| point(curve, at)).collect();
        rows.extend(points.iter().zip(&places).map(|(at, (x, y))| {
            vec![
                name.clone(),
                decimals(at.threshold),
                decimals(*x),
                decimals(*y),
            ]
        }));
        all.push(Line {
            name,
            points: std::iter::once(kind.first).chain(places).collect(),
            band: Vec::new(),
            dots: false,
            colour: Colour::Series(colour),
        });
    }
    let [x, y] = kind.axes;
    let head = ["class", "threshold", x, y];
    lines(Lines {
        title: kind.title,
        label: format!("{}: {y} over {x}, over all thresholds", kind.title),
        x,
        y,
        x_range: UNIT,
        y_range: UNIT,
        format: [number, number],
        lines: all,
        upright: None,
        note,
        table: Table {
            head: head.map(String::from).into(),
            rows,
        },
        has_points: false,
    })
}

fn precision_recall(
    held_out: &HeldOut,
    curves: &[(usize, RankingCurve)],
    note: Option<String>,
) -> Result<Markup, ReportError> {
    let kind = Kind {
        title: "Precision and recall",
        axes: ["recall", "precision"],
        first: (0.0, 1.0),
    };
    draw(held_out, curves, note, &kind, |curve, point| {
        let recall = point.true_positives as f64 / curve.positives as f64;
        (recall, point.precision())
    })
}

fn roc(
    held_out: &HeldOut,
    curves: &[(usize, RankingCurve)],
    note: Option<String>,
) -> Result<Markup, ReportError> {
    let kind = Kind {
        title: "ROC",
        axes: ["false positive rate", "true positive rate"],
        first: (0.0, 0.0),
    };
    draw(held_out, curves, note, &kind, |curve, point| {
        let alarms = point.false_positives as f64 / curve.negatives as f64;
        (alarms, point.true_positives as f64 / curve.positives as f64)
    })
}
