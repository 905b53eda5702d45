//! A replay as a picture: load, pods and waits over the seconds.

use std::error::Error;

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::PathElement;
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color, RGBColor, ShapeStyle, WHITE};

use super::{Outcome, Row};

/// Width and height, in pixels.
const SIZE: (u32, u32) = (960, 720);
const GREY: RGBColor = RGBColor(150, 150, 150);
const BLUE: RGBColor = RGBColor(0, 90, 181);
const ORANGE: RGBColor = RGBColor(220, 100, 0);

/// The picture can't be drawn.
#[derive(Debug, thiserror::Error)]
#[error("plotters: {0}")]
pub struct PlotError(String);

/// A curve: its name, its colour, and its height in a second.
type Curve = (&'static str, RGBColor, fn(&Row) -> f64);
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The plots, one above the other: what they show, and their curves.
const PLOTS: [(&str, &[Curve]); 3] = [
    (
        "requests",
        &[
            ("arrivals in the second", GREY, |row| row.arrivals as f64),
            ("here on average", BLUE, |row| row.concurrency),
            ("waiting at its end", ORANGE, |row| row.waiting as f64),
        ],
    ),
    (
        "pods",
        &[
            ("asked for", GREY, |row| f64::from(row.replicas)),
            ("ready", BLUE, |row| f64::from(row.ready)),
        ],
    ),
    (
        "wait for a pod, ms",
        &[
            ("longest", GREY, |row| row.waits.max),
            ("p95", ORANGE, |row| row.waits.p95),
            ("p50", BLUE, |row| row.waits.p50),
        ],
    ),
];

/// The outcome as SVG.
pub(super) fn svg(outcome: &Outcome) -> Result<String, PlotError> {
    let mut svg = String::new();
    draw(&mut svg, &outcome.rows).map_err(|error| PlotError(error.to_string()))?;
    Ok(svg)
}

fn draw(svg: &mut String, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (title, curves)) in root.split_evenly((PLOTS.len(), 1)).iter().zip(PLOTS) {
        plot(area, title, curves, rows)?;
    }
    root.present()?;
    Ok(())
}

fn plot(
    area: &Area<'_>,
    title: &str,
    curves: &[Curve],
    rows: &[Row],
) -> Result<(), Box<dyn Error>> {
    let heights = curves
        .iter()
        .flat_map(|(_, _, height)| rows.iter().map(height));
    // Room for the legend.
    let top = heights.fold(1.0, f64::max) * 1.4;
    let digits = usize::from(top < 10.0);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(8)
        .margin_right(24)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..rows.len() as f64, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .label_style(("sans-serif", 11))
        .x_label_formatter(&|second| format!("{second:.0} s"))
        .y_label_formatter(&|height| format!("{height:.digits$}"))
        .draw()?;
    for (name, colour, height) in curves {
        let style: ShapeStyle = colour.stroke_width(2);
        let points = rows.iter().map(|row| (row.second as f64, height(row)));
        chart
            .draw_series(LineSeries::new(points, style))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font(("sans-serif", 11))
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}
