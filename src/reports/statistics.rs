//! Whether something has become slower, or only seems so: medians, the noise around them, and two tests of ranks. Pure; what
//! is drawn at random is drawn the same each time.
//!
//! Ranks and medians are used throughout, so that one run that met a full disk or a slow network decides nothing. A
//! difference is told only if it is neither chance, nor within the noise, nor too small to matter ([`Rules`]).

use std::collections::BTreeMap;

/// How many median absolute deviations of a normal distribution are its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// A level has to last for so many runs.
pub const SHORTEST: usize = 3;
/// So many orders of the runs are tried to learn what chance does.
const DRAWS: usize = 100_000;
/// The most values that a test of two groups takes from each.
pub const MOST: usize = 60;

/// What has to hold for a difference to be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How likely it may be that a whole trend tells of a shift where nothing has changed: it is looked at every day.
    pub shift: f64,
    /// How likely it may be that a whole comparison tells of a difference where there is none: it is asked once, of few runs.
    pub difference: f64,
    /// The least part by which the medians differ.
    pub ratio: f64,
    /// The least difference of the medians, in the values' own unit.
    pub least: f64,
    /// The least difference of the medians, in the noise's.
    pub noise: f64,
}

impl Rules {
    /// The rules for values of which differences below `least` matter to nobody.
    pub fn new(least: f64) -> Rules {
        Rules { shift: 0.01, difference: 0.05, ratio: 0.10, least, noise: 2.0 }
    }

    /// Whether a difference is large enough to be told.
    fn matters(&self, before: f64, after: f64, noise: f64) -> bool {
        let by = (after - before).abs();
        by >= self.least && by >= self.ratio * before.min(after).abs() && by >= self.noise * noise
    }
}

/// The middle value, or the mean of the two; `None` where there is none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
        _ => Some(sorted[middle]),
    }
}

/// How far values are from their median: the median of that, as large as the standard deviation where they are normal.
pub fn noise(values: &[f64]) -> f64 {
    let center = median(values).unwrap_or(0.0);
    noise_around(values.iter().map(|value| value - center))
}

fn noise_around(residuals: impl Iterator<Item = f64>) -> f64 {
    let distances: Vec<f64> = residuals.map(f64::abs).collect();
    MAD_TO_SIGMA * median(&distances).unwrap_or(0.0)
}

/// Where values have gone from one level to another, and stayed there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The first value of the new level.
    pub at: usize,
    /// The median of the level before.
    pub before: f64,
    /// The median of the new one.
    pub after: f64,
    /// How often chance alone would do it, among all series of the report.
    pub p: f64,
}

/// Both tests; remembers what chance does with so many values.
#[derive(Debug, Default)]
pub struct Tests(BTreeMap<usize, Chance>);

/// What chance does with so many values.
#[derive(Debug)]
struct Chance {
    /// How many values.
    total: usize,
    /// [`Sums`] of each number of chosen ranks, up to half of them.
    sums: Vec<Sums>,
    /// The smallest probabilities of many orders by chance, ascending; empty until they are needed.
    orders: Vec<f64>,
}

/// How likely it is that the sum of so many ranks, chosen by chance, is so far from the middle of all sums, or farther: by
/// twice that distance.
#[derive(Debug)]
struct Sums(Vec<f64>);

impl Tests {
    /// The shifts of one series of `family`, in their order.
    pub fn shifts(&mut self, values: &[f64], rules: &Rules, family: usize) -> Vec<Shift> {
        let mut found = Vec::new();
        self.search(values, 0, rules.shift / family.max(1) as f64, &mut found);
        found.sort_by_key(|(at, _)| *at);
        // One that is not worth telling is none: the levels around it are one.
        loop {
            let shifts = levels(values, &found);
            let small = |(_, (shift, noise)): &(usize, &(Shift, f64))| {
                !rules.matters(shift.before, shift.after, *noise)
            };
            let size = |(_, (shift, _)): &(usize, &(Shift, f64))| (shift.after - shift.before).abs();
            let smallest = shifts.iter().enumerate().filter(small);
            match smallest.min_by(|one, other| size(one).total_cmp(&size(other))) {
                Some((index, _)) => found.remove(index),
                None => {
                    let told =
                        |(shift, _): (Shift, f64)| Shift { p: shift.p * family.max(1) as f64, ..shift };
                    return shifts.into_iter().map(told).collect();
                }
            };
        }
    }

    fn search(&mut self, values: &[f64], offset: usize, alpha: f64, found: &mut Vec<(usize, f64)>) {
        let chance = self.0.entry(values.len()).or_insert_with(|| Chance::new(values.len()));
        let Some((at, least)) = chance.most_apart(&ranks(values)) else { return };
        // Somewhere is never less likely than here; to know how likely it is takes longer.
        if least > alpha {
            return;
        }
        let p = chance.of_orders(least);
        if p > alpha {
            return;
        }
        found.push((offset + at, p));
        self.search(&values[..at], offset, alpha, found);
        self.search(&values[at..], offset + at, alpha, found);
    }
}

/// The shifts at these places, each with the noise around it.
fn levels(values: &[f64], found: &[(usize, f64)]) -> Vec<(Shift, f64)> {
    let starts = std::iter::once(0).chain(found.iter().map(|(at, _)| *at));
    let ends = found.iter().map(|(at, _)| *at).chain([values.len()]);
    let levels: Vec<&[f64]> = starts.zip(ends).map(|(start, end)| &values[start..end]).collect();
    let around = levels.windows(2).zip(found).map(|(pair, (at, p))| {
        let [before, after] = [pair[0], pair[1]].map(|level| median(level).unwrap_or(0.0));
        let noise = noise_of_levels([pair[0], pair[1]], [before, after]);
        (Shift { at: *at, before, after, p: *p }, noise)
    });
    around.collect()
}

impl Chance {
    fn new(total: usize) -> Chance {
        let most = total / 2;
        // How many choices of `count` of the ranks have which sum; one rank after the other.
        let highest = most * total;
        let mut ways = vec![vec![0.0_f64; highest + 1]; most + 1];
        ways[0][0] = 1.0;
        for rank in 1..=total {
            for count in (1..=most.min(rank)).rev() {
                let (fewer, more) = ways.split_at_mut(count);
                let added = more[0].iter_mut().skip(rank).zip(&fewer[count - 1]);
                added.for_each(|(ways, others)| *ways += others);
            }
        }
        let sums = ways.iter().enumerate().map(|(count, ways)| Sums::new(ways, count * (total + 1)));
        Chance { total, sums: sums.collect(), orders: Vec::new() }
    }

    /// How likely it is that so many ranks have a sum at least so far from the middle.
    fn of_sum(&self, count: usize, sum: f64) -> f64 {
        // The others are as far from theirs.
        let middle = count as f64 * (self.total as f64 + 1.0) / 2.0;
        self.sums.get(count.min(self.total - count)).map_or(1.0, |sums| sums.at((sum - middle).abs()))
    }

    /// Where the ranks before are least likely to be apart so far from those after by chance, and that probability. `None`
    /// where there are too few.
    fn most_apart(&self, ranks: &[f64]) -> Option<(usize, f64)> {
        let (mut best, mut sum) = (None, 0.0);
        for (index, rank) in ranks.iter().enumerate() {
            sum += rank;
            let at = index + 1;
            if at < SHORTEST || ranks.len() - at < SHORTEST {
                continue;
            }
            let p = self.of_sum(at, sum);
            if best.is_none_or(|(_, least)| p < least) {
                best = Some((at, p));
            }
        }
        best
    }

    /// How likely it is that the ranks are somewhere so far apart where the values came in any order.
    fn of_orders(&mut self, least: f64) -> f64 {
        if self.orders.is_empty() {
            self.orders = self.by_chance();
        }
        let lower = self.orders.partition_point(|other| *other <= least * (1.0 + 1e-9));
        (lower + 1) as f64 / (self.orders.len() + 1) as f64
    }

    fn by_chance(&self) -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(self.total as u64);
        let mut ranks: Vec<f64> = (1..=self.total).map(|rank| rank as f64).collect();
        let mut draw = || {
            random.shuffle(&mut ranks);
            self.most_apart(&ranks).map_or(1.0, |(_, p)| p)
        };
        let mut least: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
        least.sort_by(f64::total_cmp);
        least
    }
}

impl Sums {
    /// `ways` says how many choices have which sum; `twice_middle` is twice the mean of them.
    fn new(ways: &[f64], twice_middle: usize) -> Sums {
        let all: f64 = ways.iter().sum();
        let mut at_distance = vec![0.0; twice_middle + 1];
        for (sum, ways) in ways.iter().enumerate() {
            if *ways > 0.0 {
                at_distance[(2 * sum).abs_diff(twice_middle)] += ways / all;
            }
        }
        // From the farthest to the middle.
        for distance in (0..twice_middle).rev() {
            at_distance[distance] += at_distance[distance + 1];
        }
        Sums(at_distance)
    }

    fn at(&self, distance: f64) -> f64 {
        // A half, from ranks that are shared, counts for the nearer distance, which is more likely. Not negative, and small.
        let twice = (2.0 * distance.max(0.0)).floor() as usize;
        self.0.get(twice).copied().unwrap_or(0.0)
    }
}

impl Tests {
    /// Compares two groups by the exact test of Mann and Whitney, as one comparison of `family`; `None` where a group is
    /// empty.
    pub fn difference(
        &mut self,
        before: &[f64],
        after: &[f64],
        rules: &Rules,
        family: usize,
    ) -> Option<Difference> {
        let groups = [newest(before), newest(after)];
        let medians = [median(groups[0])?, median(groups[1])?];
        let noise = noise_of_levels(groups, medians);
        let enough = groups.iter().all(|group| group.len() >= SHORTEST);
        let p = enough.then(|| (self.mann_whitney(groups) * family.max(1) as f64).min(1.0));
        let told = p.is_some_and(|p| p <= rules.difference) && rules.matters(medians[0], medians[1], noise);
        Some(Difference { before: medians[0], after: medians[1], noise, p, told })
    }

    /// Whether there are enough values that a difference, however clear, could be told from chance.
    pub fn can_tell(&mut self, before: &[f64], after: &[f64], rules: &Rules, family: usize) -> bool {
        let counts = [newest(before).len(), newest(after).len()];
        let total: usize = counts.iter().sum();
        let chance = self.0.entry(total).or_insert_with(|| Chance::new(total));
        let lowest: f64 = (1..=counts[0]).map(|rank| rank as f64).sum();
        chance.of_sum(counts[0], lowest) * family.max(1) as f64 <= rules.difference
    }

    /// How likely it is that the ranks of two groups are at least so far apart, to either side, where both are of one kind:
    /// exact where no values are equal, and rather too high where some are.
    fn mann_whitney(&mut self, [first, second]: [&[f64]; 2]) -> f64 {
        let all = [first, second].concat();
        let sum: f64 = ranks(&all)[..first.len()].iter().sum();
        let chance = self.0.entry(all.len()).or_insert_with(|| Chance::new(all.len()));
        chance.of_sum(first.len(), sum)
    }
}

/// The noise of two levels together, each around its own median.
fn noise_of_levels(levels: [&[f64]; 2], medians: [f64; 2]) -> f64 {
    let residuals = levels.into_iter().zip(medians);
    noise_around(residuals.flat_map(|(level, median)| level.iter().map(move |value| value - median)))
}

/// Ranks from 1; equal values share theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let same = |at: &&usize| values[**at] == values[order[from]];
        let count = order[from..].iter().take_while(same).count();
        let rank = from as f64 + (count as f64 + 1.0) / 2.0;
        order[from..from + count].iter().for_each(|at| ranks[*at] = rank);
        from += count;
    }
    ranks
}

/// What two groups of values have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The median of the first group.
    pub before: f64,
    /// The median of the second.
    pub after: f64,
    /// The noise around both.
    pub noise: f64,
    /// How often chance alone would set two such groups so far apart, among all series of the report; `None` where that
    /// cannot be said of so few.
    pub p: Option<f64>,
    /// Whether it is worth telling.
    pub told: bool,
}

/// The last of the values, as many as a test takes.
fn newest(values: &[f64]) -> &[f64] {
    &values[values.len().saturating_sub(MOST)..]
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
