//! Times: what many of them come to, and how one is written.

use std::time::Duration;

/// The times of one stage, sorted, in nanoseconds; there is at least one.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<u64>);

/// A share of the samples, as percentiles name it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percentile(f64);

impl Percentile {
    pub(crate) const MEDIAN: Self = Self(0.5);
    pub(crate) const P95: Self = Self(0.95);
    pub(crate) const P99: Self = Self(0.99);

    /// Takes how many nines it has: 0 is the lowest, 1 is 90 %, 3 is 99.9 %.
    pub(crate) fn from_nines(nines: f64) -> Self {
        Self(1.0 - 10f64.powf(-nines))
    }

    /// Tells where it stands on an axis of nines.
    pub(crate) fn nines(self) -> f64 {
        -(1.0 - self.0).log10()
    }

    pub(crate) fn percent(self) -> f64 {
        self.0 * 100.0
    }
}

impl Samples {
    /// Answers none when there are none.
    pub(crate) fn new(times: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // No clock is so fine that a time of zero could be told from one of a nanosecond.
        let mut times: Vec<u64> = times.into_iter().map(|time| nanos(time).max(1)).collect();
        times.sort_unstable();
        (!times.is_empty()).then_some(Self(times))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn lowest(&self) -> Duration {
        Duration::from_nanos(self.0[0])
    }

    pub(crate) fn highest(&self) -> Duration {
        Duration::from_nanos(self.0[self.0.len() - 1])
    }

    pub(crate) fn median(&self) -> Duration {
        self.rank(Percentile::MEDIAN)
    }

    /// Returns a percentile, or none when so few samples would make it just another name for the highest.
    pub(crate) fn percentile(&self, percentile: Percentile) -> Option<Duration> {
        self.carries(percentile).then(|| self.rank(percentile))
    }

    /// Tells the last percentile that the samples carry, in nines.
    fn most_nines(&self) -> f64 {
        (self.0.len() as f64).log10()
    }

    /// Samples the percentile curve evenly over the nines, from the lowest time to the last that is carried.
    pub(crate) fn curve(&self, points: usize, most_nines: f64) -> Vec<(f64, Duration)> {
        let most = self.most_nines().min(most_nines);
        let at = |i: usize| most * i as f64 / (points - 1) as f64;
        (0..points).map(|i| (at(i), self.rank(Percentile::from_nines(at(i))))).collect()
    }

    /// Counts the samples in bins; `place` says where a time stands from 0 to 1, and what is outside counts not.
    pub(crate) fn histogram(&self, bins: usize, place: impl Fn(Duration) -> f64) -> Vec<usize> {
        let mut counts = vec![0; bins];
        for at in self.iter().map(place).filter(|at| (0.0..=1.0).contains(at)) {
            counts[((at * bins as f64) as usize).min(bins - 1)] += 1;
        }
        counts
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Duration> {
        self.0.iter().map(|nanos| Duration::from_nanos(*nanos))
    }

    fn carries(&self, percentile: Percentile) -> bool {
        // Without the small allowance 20 samples would not carry 95 %.
        self.0.len() as f64 * (1.0 - percentile.0) >= 1.0 - 1e-9
    }

    /// The nearest rank: a time that was measured, never one between two.
    fn rank(&self, percentile: Percentile) -> Duration {
        let rank = (percentile.0 * self.0.len() as f64 - 1e-9).ceil() as usize;
        Duration::from_nanos(self.0[rank.clamp(1, self.0.len()) - 1])
    }
}

/// Writes a time with three digits and its unit.
pub(crate) fn time(time: Duration) -> String {
    let nanos = time.as_nanos() as f64;
    let (value, unit) = match nanos {
        ..999.5 => (nanos, "ns"),
        ..999.5e3 => (nanos / 1e3, "us"),
        ..999.5e6 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = match value {
        _ if unit == "ns" => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// Writes a number with a comma between thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number of bytes.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        ..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.0} KB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(nanos: impl IntoIterator<Item = u64>) -> Samples {
        Samples::new(nanos.into_iter().map(Duration::from_nanos)).unwrap()
    }

    fn nanos(time: Option<Duration>) -> Option<u64> {
        time.map(|time| time.as_nanos() as u64)
    }

    #[test]
    fn no_samples_are_no_samples() {
        assert!(Samples::new([]).is_none());
    }

    #[test]
    fn one_sample_is_its_own_median_and_carries_nothing_else() {
        let one = samples([7]);
        assert_eq!((nanos(Some(one.median())), one.count()), (Some(7), 1));
        assert_eq!((one.lowest(), one.percentile(Percentile::P95)), (one.highest(), None));
        assert_eq!(one.curve(3, 3.0).len(), 3);
    }

    #[test]
    fn a_percentile_needs_enough_samples() {
        assert_eq!(samples(1..=19).percentile(Percentile::P95), None);
        assert_eq!(nanos(samples(1..=20).percentile(Percentile::P95)), Some(19));
        assert_eq!(samples(1..=99).percentile(Percentile::P99), None);
        assert_eq!(nanos(samples(1..=100).percentile(Percentile::P99)), Some(99));
    }

    #[test]
    fn percentiles_are_times_that_were_measured_whatever_their_order() {
        let even = samples([40, 10, 30, 20]);
        assert_eq!(nanos(Some(even.median())), Some(20));
        assert_eq!((even.lowest().as_nanos(), even.highest().as_nanos()), (10, 40));
        assert_eq!(nanos(Some(samples([3, 1, 2]).median())), Some(2));
    }

    #[test]
    fn a_time_of_zero_is_kept_off_the_logarithm() {
        assert_eq!(samples([0]).lowest().as_nanos(), 1);
    }

    #[test]
    fn the_curve_climbs_from_the_lowest_and_ends_where_samples_end() {
        let curve = samples(1..=1_000).curve(31, 4.0);
        assert_eq!((curve[0].0, curve[0].1.as_nanos()), (0.0, 1));
        assert!((curve[30].0 - 3.0).abs() < 1e-9 && curve[30].1.as_nanos() == 999);
        assert!(curve.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        assert!((Percentile::P99.nines() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn samples_fall_into_bins_and_those_outside_into_none() {
        let counts = samples([1, 5, 9, 10, 99]).histogram(2, |time| time.as_nanos() as f64 / 10.0);
        assert_eq!(counts, [1, 3]);
    }

    #[test]
    fn times_have_three_digits_and_round_into_the_next_unit() {
        let write = |nanos| time(Duration::from_nanos(nanos));
        assert_eq!([write(7), write(999), write(1_234)], ["7 ns", "999 ns", "1.23 us"]);
        assert_eq!([write(12_345), write(123_456), write(999_999)], ["12.3 us", "123 us", "1.00 ms"]);
        assert_eq!([write(9_999), write(1_500_000_000)], ["10.0 us", "1.50 s"]);
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([grouped(7.4), grouped(999.6), grouped(1_234_567.0)], ["7", "1,000", "1,234,567"]);
        assert_eq!([bytes(999), bytes(4_192), bytes(1_633_612)], ["999 B", "4 KB", "1.6 MB"]);
    }
}
