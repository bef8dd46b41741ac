//! The figures as a picture: packing against size, and commitments as a share of what the CPU allows.

use std::fmt::Write;

use crate::plan::Whose;
use crate::rounds::Row;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 460.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 400.0;
const LEFT: f64 = 64.0;
/// Where the first panel ends.
const MIDDLE: f64 = 430.0;
/// Where the bars begin.
const BARS: f64 = 690.0;

/// Colours that stay apart for colour-blind eyes (Okabe and Ito).
const COLOURS: [&str; 5] = ["#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7"];

const LINES: [(&str, usize); 5] = [
    ("pack: bauta to nowhere", 2),
    ("pack: bauta to nowhere", 1),
    ("unpack: bauta to a file", 1),
    ("pack: best libraries, in memory", 1),
    ("pack: rage, ipfs-car, data-segment", 1),
];

/// One SVG document.
pub fn of(rows: &[Row]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    lines(&mut svg, rows);
    bars(&mut svg, rows);
    svg.push_str("</svg>\n");
    svg
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

/// Throughput against size, both on scales of powers.
fn lines(svg: &mut String, rows: &[Row]) {
    text(svg, LEFT, 24.0, "start", "File to CAR and commitment, GB/s against size");
    let shown = |row: &&Row| LINES.contains(&(row.name, row.threads)) && row.files == 1;
    let (mut least, mut most) = (f64::MAX, f64::MIN);
    for row in rows.iter().filter(shown) {
        let size = (row.bytes as f64).log2();
        (least, most) = (least.min(size), most.max(size));
    }
    if least >= most {
        return;
    }
    let x = |bytes: u64| LEFT + ((bytes as f64).log2() - least) / (most - least) * (MIDDLE - LEFT - 40.0);
    // From 1 MB/s to 10 GB/s.
    let y = |gbps: f64| BOTTOM - (gbps.clamp(1e-3, 10.0).log10() + 3.0) / 4.0 * (BOTTOM - TOP);
    for (gbps, label) in [(1e-3, "0.001"), (1e-2, "0.01"), (0.1, "0.1"), (1.0, "1"), (10.0, "10")] {
        let at = y(gbps);
        let _ = writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{MIDDLE}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>");
        text(svg, LEFT - 6.0, at + 4.0, "end", label);
    }
    let mut sizes: Vec<_> = rows.iter().filter(shown).map(|row| (row.bytes, row.input.as_str())).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for (bytes, label) in sizes {
        text(svg, x(bytes), BOTTOM + 18.0, "middle", label);
    }
    for ((name, threads), colour) in LINES.iter().zip(COLOURS) {
        let mut points: Vec<_> = rows.iter().filter(|row| row.name == *name && row.threads == *threads).collect();
        points.sort_by_key(|row| row.bytes);
        let path: Vec<_> = points.iter().map(|row| format!("{:.1},{:.1}", x(row.bytes), y(row.gbps))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for row in &points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(row.bytes),
                y(row.gbps)
            );
        }
    }
    for (i, ((name, threads), colour)) in LINES.iter().zip(COLOURS).enumerate() {
        let at = BOTTOM - 12.0 - 16.0 * (LINES.len() - 1 - i) as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>",
            LEFT + 10.0,
            at - 9.0
        );
        let cores = if *threads == 1 { "one core".into() } else { format!("{threads} cores") };
        text(svg, LEFT + 26.0, at, "start", &format!("{name}, {cores}"));
    }
}

/// Every commitment on one core, as a share of what the fastest instructions allow.
fn bars(svg: &mut String, rows: &[Row]) {
    let limit = rows.iter().filter(|row| row.name.starts_with("commp: instructions alone")).map(|row| row.gbps);
    let Some(limit) = limit.reduce(f64::max) else { return };
    text(svg, MIDDLE + 60.0, 24.0, "start", &format!("CommP on one core, share of the CPU's limit ({limit:.2} GB/s)"));
    let mut shown: Vec<&Row> = Vec::new();
    for row in rows.iter().filter(|row| row.section == "commp" && row.whose != Whose::Limit && row.threads == 1) {
        match shown.iter_mut().find(|other| other.name == row.name) {
            Some(other) if other.bytes < row.bytes => *other = row,
            Some(_) => {}
            None => shown.push(row),
        }
    }
    shown.sort_by(|a, b| b.gbps.total_cmp(&a.gbps));
    let step = (BOTTOM - TOP) / shown.len().max(1) as f64;
    for (i, row) in shown.iter().enumerate() {
        let (at, share) = (TOP + step * i as f64, row.gbps / limit);
        let colour = if row.whose == Whose::Ours { COLOURS[0] } else { COLOURS[3] };
        let width = (share * (WIDTH - BARS - 60.0)).max(1.0);
        text(svg, BARS - 8.0, at + step * 0.6, "end", row.name.trim_start_matches("commp: "));
        let _ = writeln!(
            svg,
            "<rect x=\"{BARS}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
            at + step * 0.15,
            step * 0.7
        );
        text(svg, BARS + width + 6.0, at + step * 0.6, "start", &format!("{:.1} %", share * 100.0));
    }
}
