//! Charts: bands between the smallest and the largest value of each column, and lanes of facts.
//!
//! *What it decides.* Axes, ticks, paths. Lines keep their width however the chart is stretched, so
//! that one column of a thousand is seen on a phone too. *What it must never do.* Draw a line across
//! columns without a record. Shown by: the tests below.

use super::columns::Range;
use super::page::escaped;
use std::fmt::Write;

/// Height of a chart, in its own units.
const HEIGHT: f32 = 1000.0;
/// Values below are drawn at the edge of an axis by powers of ten.
const LOG_MIN: f32 = 0.1;

/// How values lie on the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Axis {
    /// Evenly, from the first to the second.
    Linear(f32, f32),
    /// By powers of ten, from the first to the second.
    Log(f32, f32),
}

impl Axis {
    /// Evenly, around all that is there, with zero in it.
    pub(super) fn linear(ranges: impl IntoIterator<Item = Range>) -> Self {
        let all = joined(ranges);
        let (low, high) =
            if all.is_none() { (0.0, 1.0) } else { (all.min.min(0.0), all.max.max(0.0)) };
        let (low, high) = if high - low < 1e-6 { (low - 0.5, high + 0.5) } else { (low, high) };
        let step = nice_step(high - low);
        Self::Linear((low / step).floor() * step, (high / step).ceil() * step)
    }

    /// By powers of ten, whole ones.
    pub(super) fn log(ranges: impl IntoIterator<Item = Range>) -> Self {
        let all = joined(ranges);
        if all.is_none() {
            return Self::Log(1.0, 10.0);
        }
        let low = all.min.max(LOG_MIN).log10().floor();
        let high = all.max.max(LOG_MIN).log10().ceil().max(low + 1.0);
        Self::Log(10_f32.powf(low), 10_f32.powf(high))
    }

    /// From 0 at the top to [`HEIGHT`].
    fn place(self, value: f32) -> f32 {
        let part = match self {
            Self::Linear(low, high) => (value - low) / (high - low),
            Self::Log(low, high) => {
                (value.max(low).log10() - low.log10()) / (high.log10() - low.log10())
            }
        };
        (1.0 - part.clamp(0.0, 1.0)) * HEIGHT
    }

    fn ticks(self) -> Vec<f32> {
        match self {
            Self::Linear(low, high) => {
                let step = nice_step(high - low);
                let mut ticks = Vec::new();
                let mut n = 0.0;
                while low + step * n <= high + step * 0.01 {
                    ticks.push(low + step * n);
                    n += 1.0;
                }
                ticks
            }
            Self::Log(low, high) => {
                let mut ticks = vec![low];
                while ticks.last().is_some_and(|last| last * 10.0 <= high * 1.01) {
                    ticks.push(ticks.last().map_or(high, |last| last * 10.0));
                }
                ticks
            }
        }
    }
}

fn joined(ranges: impl IntoIterator<Item = Range>) -> Range {
    let mut all = Range::NONE;
    ranges.into_iter().filter(|range| !range.is_none()).for_each(|range| all.join(range));
    all
}

/// 1, 2 or 5 times a power of ten: about four of them in `span`.
fn nice_step(span: f32) -> f32 {
    let rough = f64::from(span) / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= rough * 0.99);
    #[expect(clippy::cast_possible_truncation, reason = "for a chart")]
    let step = (step.unwrap_or(10.0) * power) as f32;
    step
}

/// A number as short as it can be told.
pub(super) fn number(value: f32) -> String {
    let text = match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        large if large >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    let short =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if short == "-0" { "0".to_owned() } else { short.replace('-', "−") }
}

/// What is drawn into a chart: its colour's class and its columns.
pub(super) struct Band<'a> {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) ranges: &'a [Range],
}

/// A chart with its caption, its axes and words for those who do not see it.
pub(super) fn figure(
    title: &str,
    unit: &str,
    axis: Axis,
    bands: &[Band<'_>],
    span_s: f64,
) -> String {
    let count = bands.iter().map(|band| band.ranges.len()).max().unwrap_or(0).max(1);
    let mut keys = String::new();
    let mut alternative = format!("{title}, {unit}, over {span_s:.1} s.");
    let mut paths = String::new();
    for band in bands {
        let all = joined(band.ranges.iter().copied());
        let range = if all.is_none() {
            "no value".to_owned()
        } else {
            format!("{} to {}", number(all.min), number(all.max))
        };
        let dash = if band.class == "asked" { " class=\"dash\"" } else { "" };
        // Writing to a text never fails.
        write!(
            keys,
            "<span class=\"key\"><i{dash} style=\"border-color:var(--{})\"></i>{} {}</span>",
            band.class,
            escaped(band.name),
            escaped(&range)
        )
        .ok();
        write!(alternative, " {}: {range}.", band.name).ok();
        let path = band_path(axis, band.ranges);
        if !path.is_empty() {
            write!(paths, "<path class=\"band {}\" d=\"{path}\"/>", band.class).ok();
        }
    }
    let (grid, labels) = grid(axis, count);
    format!(
        "<figure><figcaption><b>{}</b><span class=\"dim\">{}</span>{keys}</figcaption>\
         <div class=\"plot\"><div class=\"y\" aria-hidden=\"true\">{labels}</div>\
         <svg class=\"tall\" viewBox=\"0 0 {count} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">{grid}{paths}</svg>{}</div></figure>\n",
        escaped(title),
        escaped(unit),
        escaped(&alternative),
        time_axis(span_s)
    )
}

fn grid(axis: Axis, count: usize) -> (String, String) {
    let (mut lines, mut labels) = (String::new(), String::new());
    let mut ticks = axis.ticks();
    // From the top down, as the labels stand.
    ticks.reverse();
    for tick in ticks {
        let y = axis.place(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        write!(lines, "<path class=\"{class}\" d=\"M0 {y:.0}H{count}\"/>").ok();
        write!(labels, "<span style=\"top:{:.1}%\">{}</span>", y / HEIGHT * 100.0, number(tick))
            .ok();
    }
    (lines, labels)
}

/// Seconds from the first record, at round ones, and where it ends.
pub(super) fn time_axis(span_s: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "for a chart")]
    let step = f64::from(nice_step(span_s as f32 / 2.0));
    let mut text = String::from("<div class=\"x\" aria-hidden=\"true\">");
    let mut n = 0_u32;
    // The end is told by itself: what is too near to it would stand under it.
    while f64::from(n) * step < span_s - step * 0.4 {
        // On a phone there is room for half of them, and for none beside the end.
        let is_wide = !n.is_multiple_of(2) || f64::from(n) * step > span_s - step * 0.9;
        let class = if is_wide { " class=\"more\"" } else { "" };
        let (at_s, part) = (f64::from(n) * step, f64::from(n) * step / span_s * 100.0);
        write!(text, "<span{class} style=\"left:{part:.1}%\">{}</span>", short(at_s)).ok();
        n += 1;
    }
    write!(text, "<span style=\"left:100%\">{} s</span></div>", short(span_s)).ok();
    text
}

/// Seconds with as many digits as they need.
fn short(seconds: f64) -> String {
    let digits = if seconds < 10.0 { 3 } else { 1 };
    let text = format!("{seconds:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Around each run of columns that have a value: along the largest, and back along the smallest.
fn band_path(axis: Axis, ranges: &[Range]) -> String {
    let mut path = String::new();
    let mut begin = 0;
    while begin < ranges.len() {
        let run = ranges.get(begin..).unwrap_or_default();
        let length = run.iter().position(|range| range.is_none()).unwrap_or(run.len());
        let run = run.get(..length).unwrap_or_default();
        if !run.is_empty() {
            let mut command = 'M';
            for (at, range) in run.iter().enumerate() {
                write!(path, "{command}{} {:.0}", begin + at, axis.place(range.max)).ok();
                command = 'L';
            }
            // The last column has a width too, and a run of one would be nothing without it.
            let last = run.last().copied().unwrap_or(Range::NONE);
            let right = begin + run.len();
            write!(path, "H{right}V{:.0}", axis.place(last.min)).ok();
            for (at, range) in run.iter().enumerate().rev() {
                write!(path, "L{} {:.0}", begin + at, axis.place(range.min)).ok();
            }
            path.push('Z');
        }
        begin += length + 1;
    }
    path
}

/// A row of facts: its name, and a bar wherever it was so.
pub(super) struct Lane {
    pub(super) class: &'static str,
    pub(super) name: String,
    pub(super) is_on: Vec<bool>,
}

/// Lanes under each other, with the time axis below.
pub(super) fn lanes(title: &str, lanes: &[Lane], width_s: f64, span_s: f64) -> String {
    let mut text =
        format!("<figure class=\"lanes\"><figcaption><b>{}</b></figcaption>", escaped(title));
    text.push_str("<div class=\"plot\">");
    for (row, lane) in lanes.iter().enumerate() {
        let count = lane.is_on.len().max(1);
        let runs = runs(&lane.is_on);
        let mut path = String::new();
        for (begin, end) in &runs {
            write!(path, "M{begin} 0H{end}V10H{begin}Z").ok();
        }
        let told: Vec<String> = runs
            .iter()
            .take(5)
            .map(|(begin, end)| {
                let at = |column: &usize| {
                    f64::from(u32::try_from(*column).unwrap_or(u32::MAX)) * width_s
                };
                format!("{:.2} to {:.2} s", at(begin), at(end).min(span_s))
            })
            .collect();
        let more = if runs.len() > told.len() {
            format!(" and {} more", runs.len() - told.len())
        } else {
            String::new()
        };
        let name = escaped(&lane.name);
        let first = if row == 0 { " first" } else { "" };
        write!(
            text,
            "<div class=\"name\" title=\"{name}\">{name}</div><svg class=\"low{first}\" \
             viewBox=\"0 0 {count} 10\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"{name}: {}{more}\"><path class=\"on {}\" d=\"{path}\"/></svg>",
            told.join(", "),
            lane.class
        )
        .ok();
    }
    text + &time_axis(span_s) + "</div></figure>\n"
}

/// Where it was so, from column to column.
fn runs(is_on: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in is_on.iter().enumerate().filter(|(_, on)| **on).map(|(at, _)| at) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::columns::Range;
    use super::{Axis, band_path, nice_step, number, runs, time_axis};

    fn range(min: f32, max: f32) -> Range {
        Range { min, max }
    }

    #[test]
    fn axes_hold_all_that_is_there_and_end_at_round_numbers() {
        assert_eq!(Axis::linear([range(-0.37, 0.82)]), Axis::Linear(-0.5, 1.0));
        assert_eq!(Axis::linear([Range::NONE]).ticks(), [0.0, 0.5, 1.0]);
        assert_eq!(Axis::linear([range(0.0, 0.0)]), Axis::Linear(-0.5, 0.5));
        assert_eq!(Axis::log([range(3.0, 9500.0)]), Axis::Log(1.0, 10_000.0));
        assert_eq!(Axis::log([range(3.0, 9500.0)]).ticks(), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(Axis::log([range(0.0, 0.0)]), Axis::Log(0.1, 1.0));
        for span in [1e-4_f32, 0.3, 1.0, 7.0, 5000.0] {
            let ticks = span / nice_step(span);
            assert!((1.9..=4.5).contains(&ticks), "{span}: {ticks}");
        }
        assert_eq!([0.25, -1.5, 1234.5, -0.0].map(number), ["0.25", "−1.5", "1234", "0"]);
    }

    #[test]
    fn bands_go_through_every_extreme_and_never_across_a_gap() {
        let axis = Axis::Linear(0.0, 1.0);
        let path =
            band_path(axis, &[range(0.0, 1.0), range(0.5, 0.5), Range::NONE, range(0.25, 0.75)]);
        assert_eq!(path, "M0 0L1 500H2V500L1 500L0 1000ZM3 250H4V750L3 750Z");
        assert_eq!(band_path(axis, &[Range::NONE; 3]), "");
    }

    #[test]
    fn time_is_told_at_round_seconds_and_at_its_end() {
        let ticks = |span_s| {
            let axis = time_axis(span_s);
            let parts = axis.split("</span>").filter_map(|part| part.rsplit('>').next());
            parts.map(str::to_owned).filter(|part| !part.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(ticks(22.8), ["0", "5", "10", "15", "20", "22.8 s"]);
        assert_eq!(ticks(3600.0).len(), 8, "{:?}", ticks(3600.0));
        assert_eq!(ticks(0.4).len(), 9, "{:?}", ticks(0.4));
    }

    #[test]
    fn runs_are_where_it_was_so() {
        assert_eq!(runs(&[false, true, true, false, true]), [(1, 3), (4, 5)]);
        assert_eq!(runs(&[]), []);
    }
}
