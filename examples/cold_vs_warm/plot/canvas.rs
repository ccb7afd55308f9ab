//! An SVG while it is drawn: shapes with classes, for which the report's style has colours.

use std::fmt::{Display, Write};

use crate::plot::Size;

/// Makes text safe wherever it stands in HTML or SVG.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // HTML has no place for them, and in a terminal's copy they would do harm.
            control if control.is_control() && control != '\n' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// At which point of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// An SVG while it is drawn.
pub(super) struct Canvas {
    size: Size,
    label: String,
    text: String,
}

impl Canvas {
    /// Begins one; the label is what somebody hears who does not see it.
    pub(super) fn new(size: Size, label: &str) -> Self {
        Self { size, label: escape(label), text: String::new() }
    }

    pub(super) fn finish(self, height: f64) -> String {
        let (width, class) = (self.size.width(), self.size.class());
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            self.label, self.text
        )
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
        ));
    }

    pub(super) fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64)) {
        let ((x, y), (width, height)) = (at, size);
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"/>\n"
        ));
    }

    pub(super) fn path(
        &mut self,
        class: &str,
        points: impl IntoIterator<Item = (f64, f64)>,
        is_closed: bool,
    ) {
        let mut data = String::new();
        for (x, y) in points {
            let step = if data.is_empty() { 'M' } else { 'L' };
            let _ = write!(data, "{step}{x:.1} {y:.1}");
        }
        let end = if is_closed { "Z" } else { "" };
        self.put(format_args!("<path class=\"{class}\" d=\"{data}{end}\"/>\n"));
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let ((x, y), text) = (at, escape(text));
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"
        ));
    }

    /// Puts what is drawn into a group with a class, and a title that shows under the pointer.
    pub(super) fn group(&mut self, class: &str, title: &str, draw: impl FnOnce(&mut Self)) {
        self.put(format_args!("<g class=\"{class}\"><title>{}</title>\n", escape(title)));
        draw(self);
        self.put("</g>\n");
    }

    pub(super) fn put(&mut self, shape: impl Display) {
        let _ = write!(self.text, "{shape}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        let name = "</svg><script>alert(\"x\" & 'y')\u{1b}[2J";
        let safe = "&lt;/svg&gt;&lt;script&gt;alert(&quot;x&quot; &amp; &#39;y&#39;)\u{fffd}[2J";
        assert_eq!(escape(name), safe);
        let mut canvas = Canvas::new(Size::Wide, name);
        canvas.text("label", (0.0, 0.0), Anchor::Start, name);
        canvas.group("fresh", name, |_| ());
        let svg = canvas.finish(10.0);
        assert_eq!(svg.matches("<script").count(), 0);
        assert_eq!(svg.matches("</svg>").count(), 1);
        assert_eq!(svg.matches(safe).count(), 3);
    }

    #[test]
    fn a_path_begins_with_a_move() {
        let mut canvas = Canvas::new(Size::Narrow, "");
        canvas.path("curve", [(0.0, 1.0), (2.0, 3.0)], true);
        assert!(canvas.finish(1.0).contains("d=\"M0.0 1.0L2.0 3.0Z\""));
    }
}
