//! Plots as SVG text. Colours are classes, so that the page's style decides them, light or dark.

use std::fmt::Write;

use rules::evaluate::{Bin, Bucket, Estimate, Probability, SystemReport, Week};

use super::html::escape;
use super::page::bucket_name;

/// Rows below which a bin says more about chance than about the system; it is not drawn.
pub(super) const FEWEST_IN_BIN: u64 = 20;
/// Bets below which a bucket has no say in the scale; what leaves the scale is drawn at its edge.
pub(super) const FEWEST_FOR_SCALE: u64 = 50;

/// From a figure to a place on the page.
struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    fn at(&self, value: f64) -> f64 {
        let share = (value.clamp(self.from, self.to) - self.from) / (self.to - self.from);
        self.start + share * (self.end - self.start)
    }

    /// About `most` round figures within.
    fn ticks(&self, most: f64) -> Vec<f64> {
        let raw = (self.to - self.from) / most;
        let size = 10_f64.powf(raw.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|n| n * size).into_iter().find(|step| *step >= raw).unwrap_or(raw);
        let first = (self.from / step - 1e-9).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// An SVG under way.
struct Svg(String);

impl Svg {
    fn new(width: f64, height: f64, label: &str) -> Self {
        let label = escape(label);
        Self(format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" style=\"max-width:{width:.0}px\" role=\"img\" aria-label=\"{label}\">\n"
        ))
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.0,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    /// A dot that tells its figures when it is pointed at.
    fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, tip: &str) {
        let tip = escape(tip);
        let _ = writeln!(
            self.0,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"><title>{tip}</title></circle>"
        );
    }

    fn path(&mut self, class: &str, places: &[(f64, f64)]) {
        let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.0, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let text = escape(text);
        let _ = writeln!(self.0, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
    }

    fn end(self) -> String {
        self.0 + "</svg>\n"
    }
}

/// Each system's figure with its interval beside nothing: what is left of the line in the middle is better than the market.
pub(super) fn forest(label: &str, rows: &[(String, Estimate)], digits: usize) -> String {
    const ROW: f64 = 24.0;
    let ends = rows.iter().flat_map(|(_, e)| [Some(e.value), e.low, e.high]).flatten();
    let (least, most) = ends.fold((0.0_f64, 0.0_f64), |(a, b), value| (a.min(value), b.max(value)));
    let room = ((most - least) * 0.06).max(1e-6);
    let x = Scale { from: least - room, to: most + room, start: 230.0, end: 700.0 };
    let bottom = rows.len() as f64 * ROW + 12.0;
    let mut svg = Svg::new(720.0, bottom + 24.0, label);
    for tick in x.ticks(6.0) {
        let place = x.at(tick);
        svg.line(if tick == 0.0 { "zero" } else { "grid" }, (place, 4.0), (place, bottom));
        svg.text("tick middle", (place, bottom + 16.0), &format!("{:+.digits$}", tick + 0.0));
    }
    for (at, (name, estimate)) in rows.iter().enumerate() {
        let y = at as f64 * ROW + 18.0;
        svg.text("name end", (220.0, y + 4.0), name);
        let mut tip = format!("{name}: {:+.digits$}", estimate.value);
        if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
            svg.line("ours interval", (x.at(low), y), (x.at(high), y));
            tip += &format!(" [{low:+.digits$}, {high:+.digits$}]");
        }
        svg.dot("ours", (x.at(estimate.value), y), 4.5, &tip);
    }
    svg.end()
}

/// Mean absolute error by week: the named systems as s1, s2 …, the line dashed.
pub(super) fn weeks(label: &str, systems: &[&SystemReport]) -> String {
    let Some(longest) = systems.iter().max_by_key(|system| system.weeks.len()) else { return String::new() };
    let mondays: Vec<_> = longest.weeks.iter().map(|week| week.monday).collect();
    let all = systems.iter().flat_map(|system| &system.weeks).flat_map(|week| [week.mae, week.line_mae]);
    let (least, most) = all.fold((f64::INFINITY, 0.0_f64), |(a, b), value| (a.min(value), b.max(value)));
    let room = ((most - least) * 0.08).max(0.02);
    let y = Scale { from: least - room, to: most + room, start: 250.0, end: 10.0 };
    let last = mondays.len().saturating_sub(1).max(1) as f64;
    let x = Scale { from: 0.0, to: last, start: 78.0, end: 672.0 };
    let mut svg = Svg::new(720.0, 286.0, label);
    for tick in y.ticks(5.0) {
        svg.line("grid", (50.0, y.at(tick)), (700.0, y.at(tick)));
        svg.text("tick end", (44.0, y.at(tick) + 4.0), &format!("{tick:.2}"));
    }
    let every = mondays.len().div_ceil(8).max(1);
    for (at, monday) in mondays.iter().enumerate().step_by(every) {
        svg.text("tick middle", (x.at(at as f64), 272.0), &monday.to_string());
    }
    let mut series = |class: &str, name: &str, weeks: &[Week], of: fn(&Week) -> f64| {
        let place = |week: &Week| {
            let at = mondays.iter().position(|monday| *monday == week.monday)?;
            Some((x.at(at as f64), y.at(of(week))))
        };
        let places: Vec<_> = weeks.iter().filter_map(|week| Some((place(week)?, week))).collect();
        svg.path(&format!("curve {class}"), &places.iter().map(|(place, _)| *place).collect::<Vec<_>>());
        for (place, week) in places {
            let tip = format!("{name}, week of {}: {:.3} on {} rows", week.monday, of(week), week.n);
            svg.dot(class, place, 3.5, &tip);
        }
    };
    series("line", "the line", &longest.weeks, |week| week.line_mae);
    for (at, system) in systems.iter().enumerate() {
        series(&format!("s{}", at + 1), system.system.as_str(), &system.weeks, |week| week.mae);
    }
    svg.end()
}

/// How far from one half the bins of a market lie: the same for each of its plots, so that they can be compared.
pub(super) fn reach<'a>(probabilities: impl Iterator<Item = &'a Probability>) -> f64 {
    let bins = probabilities.flat_map(|p| p.reliability.iter().chain(&p.market_reliability));
    let far = bins
        .filter(|bin| bin.n >= FEWEST_IN_BIN)
        .flat_map(|bin| [bin.mean_probability, bin.share_over])
        .fold(0.1_f64, |far, value| far.max((value - 0.5).abs()));
    ((far * 10.0).ceil() / 10.0).min(0.5)
}

/// What was said against what happened: on the diagonal is calibrated.
pub(super) fn reliability(label: &str, found: &Probability, reach: f64) -> String {
    let x = Scale { from: 0.5 - reach, to: 0.5 + reach, start: 34.0, end: 200.0 };
    let y = Scale { start: 176.0, end: 10.0, ..x };
    let mut svg = Svg::new(210.0, 200.0, label);
    for tick in x.ticks(4.0) {
        svg.line("grid", (x.at(tick), 10.0), (x.at(tick), 176.0));
        svg.line("grid", (34.0, y.at(tick)), (200.0, y.at(tick)));
        svg.text("tick middle", (x.at(tick), 192.0), &format!("{tick:.1}"));
        svg.text("tick end", (30.0, y.at(tick) + 4.0), &format!("{tick:.1}"));
    }
    svg.line("zero", (x.at(x.from), y.at(x.from)), (x.at(x.to), y.at(x.to)));
    let largest = found.reliability.iter().map(|bin| bin.n).max().unwrap_or(1) as f64;
    let mut dots = |class: &str, who: &str, bins: &[Bin]| {
        for bin in bins.iter().filter(|bin| bin.n >= FEWEST_IN_BIN) {
            let tip = format!(
                "{who} said {:.3}, {:.3} went over, {} rows",
                bin.mean_probability, bin.share_over, bin.n
            );
            let radius = 3.0 + 5.0 * (bin.n as f64 / largest).sqrt().min(1.0);
            svg.dot(class, (x.at(bin.mean_probability), y.at(bin.share_over)), radius, &tip);
        }
    };
    dots("market", "the market", &found.market_reliability);
    dots("ours", "it", &found.reliability);
    svg.end()
}

/// The largest return or end of an interval among the buckets of a market that have enough bets, within -100 % to 100 %: a
/// handful of bets would make every other interval a dot.
pub(super) fn span<'a>(buckets: impl Iterator<Item = &'a Bucket>) -> f64 {
    let ends = buckets
        .filter(|bucket| bucket.bets >= FEWEST_FOR_SCALE)
        .filter_map(|bucket| bucket.roi)
        .flat_map(|e| [Some(e.value), e.low, e.high])
        .flatten();
    ends.fold(0.1_f64, |most, value| most.max(value.abs())).min(1.0)
}

/// Return on one unit by size of the margin, with intervals.
pub(super) fn returns(label: &str, buckets: &[Bucket], span: f64) -> String {
    let y = Scale { from: -span, to: span, start: 170.0, end: 10.0 };
    let x = Scale { from: -0.5, to: buckets.len() as f64 - 0.5, start: 42.0, end: 236.0 };
    let mut svg = Svg::new(240.0, 208.0, label);
    for tick in y.ticks(5.0) {
        svg.line(if tick == 0.0 { "zero" } else { "grid" }, (42.0, y.at(tick)), (236.0, y.at(tick)));
        svg.text("tick end", (38.0, y.at(tick) + 4.0), &format!("{:+.0}%", tick * 100.0 + 0.0));
    }
    for (at, bucket) in buckets.iter().enumerate() {
        let (place, name) = (x.at(at as f64), bucket_name(bucket));
        svg.text("tick middle", (place, 186.0), &name);
        svg.text("tick middle", (place, 201.0), &bucket.bets.to_string());
        let Some(roi) = bucket.roi else { continue };
        let mut tip = format!("margin {name}: {:+.1}%", roi.value * 100.0);
        if let (Some(low), Some(high)) = (roi.low, roi.high) {
            svg.line("ours interval", (place, y.at(low)), (place, y.at(high)));
            tip += &format!(" [{:+.1}%, {:+.1}%]", low * 100.0, high * 100.0);
        }
        svg.dot("ours", (place, y.at(roi.value)), 4.5, &format!("{tip} of {} bets", bucket.bets));
    }
    svg.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let scale = |from, to| Scale { from, to, start: 0.0, end: 100.0 };
        let shown = |from, to, most| -> Vec<String> {
            scale(from, to).ticks(most).into_iter().map(|tick| format!("{:.2}", tick + 0.0)).collect()
        };
        assert_eq!(shown(-0.11, 0.23, 4.0), ["-0.10", "0.00", "0.10", "0.20"]);
        assert_eq!(shown(4.81, 5.32, 5.0), ["5.00", "5.20"]);
        assert_eq!(shown(0.3, 0.7, 4.0), ["0.30", "0.40", "0.50", "0.60", "0.70"]);
        assert_eq!(scale(0.0, 10.0).at(25.0), 100.0, "what is outside is drawn at the edge");
    }
}
