//! What the tests find in noise of several kinds, and that they find nothing where nothing is.

use super::*;

/// Noise around 1, of several kinds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Normal, of that deviation.
    Normal(f64),
    /// The same, multiplied: a long tail to the slow side.
    Lognormal(f64),
    /// Student's t with two degrees of freedom: no variance at all.
    Heavy(f64),
    /// Normal, and one in ten takes several times as long.
    Spikes(f64),
    /// Two ways that it can go.
    TwoWays(f64),
    /// In steps, as of a clock that ticks seldom.
    Ticks(f64),
}

/// A value around 1; never below a tenth.
pub(crate) fn draw(random: &mut fastrand::Rng, shape: Shape) -> f64 {
    // Box and Muller; 0 has no logarithm.
    let normal = |random: &mut fastrand::Rng| {
        let (one, two) = (1.0 - random.f64(), random.f64());
        (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos()
    };
    let value = match shape {
        Shape::Normal(by) => 1.0 + by * normal(random),
        Shape::Lognormal(by) => (by * normal(random)).exp(),
        Shape::Heavy(by) => {
            let scale = (normal(random).powi(2) + normal(random).powi(2)) / 2.0;
            1.0 + by * normal(random) / scale.max(1e-6).sqrt()
        }
        Shape::Spikes(by) => {
            let spike = if random.f64() < 0.1 { 2.0 + 6.0 * random.f64() } else { 0.0 };
            1.0 + by * normal(random) + spike
        }
        Shape::TwoWays(by) => 1.0 + by * normal(random) + if random.bool() { 0.1 } else { 0.0 },
        Shape::Ticks(by) => ((1.0 + by * normal(random)) * 20.0).round() / 20.0,
    };
    value.max(0.1)
}

/// Each with how many of 100 planted shifts are found at least, to the last 10 of 20 runs and to the last 5.
const SHAPES: [(Shape, [usize; 2]); 12] = [
    (Shape::Normal(0.02), [97, 97]),
    (Shape::Normal(0.05), [97, 97]),
    (Shape::Normal(0.10), [97, 85]),
    (Shape::Lognormal(0.05), [97, 97]),
    (Shape::Lognormal(0.10), [97, 85]),
    (Shape::Heavy(0.03), [85, 85]),
    (Shape::Heavy(0.06), [75, 60]),
    (Shape::Spikes(0.03), [35, 15]),
    (Shape::Spikes(0.06), [35, 15]),
    (Shape::TwoWays(0.03), [97, 95]),
    (Shape::Ticks(0.03), [97, 97]),
    (Shape::Ticks(0.06), [97, 95]),
];

fn series(random: &mut fastrand::Rng, shape: Shape, length: usize, slower_from: usize) -> Vec<f64> {
    let factor = |index: usize| if index >= slower_from { 1.5 } else { 1.0 };
    (0..length).map(|index| factor(index) * draw(random, shape)).collect()
}

#[test]
fn medians_and_noise_do_not_mind_an_outlier() {
    assert_eq!(median(&[]), None);
    assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0])), (Some(2.0), Some(2.5)));
    assert_eq!(noise(&[1.0]), 0.0);
    assert!((noise(&[1.0, 2.0, 3.0, 4.0, 1e9]) - MAD_TO_SIGMA).abs() < 1e-9);
    let mut random = fastrand::Rng::with_seed(1);
    let normal: Vec<f64> = (0..20_000).map(|_| draw(&mut random, Shape::Normal(0.1))).collect();
    assert!((noise(&normal) - 0.1).abs() < 0.005, "{}", noise(&normal));
}

#[test]
fn ranks_are_shared_by_equals() {
    assert_eq!(ranks(&[5.0, 1.0, 5.0, 0.0]), [3.5, 2.0, 3.5, 1.0]);
}

#[test]
fn mann_and_whitney_agree_with_their_tables() {
    let mut tests = Tests::default();
    let mut p = |first: &[f64], second: &[f64]| tests.mann_whitney([first, second]);
    // The number of choices of 5 of 10 is 252; two of them are as far apart as can be.
    assert!((p(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]) - 2.0 / 252.0).abs() < 1e-12);
    assert!((p(&[1.0, 4.0], &[2.0, 3.0]) - 1.0).abs() < 1e-12);
    // U = 2 of 4 and 4: 8 of 70 choices are so far or farther.
    assert!((p(&[1.0, 2.0, 3.0, 6.0], &[4.0, 5.0, 7.0, 8.0]) - 8.0 / 70.0).abs() < 1e-12);
    assert!((p(&[1.0; 4], &[1.0; 4]) - 1.0).abs() < 1e-12);
}

#[test]
fn half_as_slow_again_is_found_over_20_runs_of_noise() {
    let (rules, mut tests) = (Rules::new(0.0), Tests::default());
    for (shape, expected) in SHAPES {
        // The first slow run, of 20.
        for (slower_from, least) in [10, 15].into_iter().zip(expected) {
            let found = (0..100).filter(|seed| {
                let mut random = fastrand::Rng::with_seed(*seed);
                let values = series(&mut random, shape, 20, slower_from);
                // As one of the 10 series of a report.
                let shifts = tests.shifts(&values, &rules, 10);
                shifts.iter().any(|shift| shift.after > shift.before && shift.at.abs_diff(slower_from) <= 2)
            });
            let found = found.count();
            println!("{shape:?}, slower from {slower_from}: {found} of 100");
            assert!(found >= least, "{shape:?}, slower from {slower_from}: {found} of 100");
        }
    }
}

#[test]
fn four_slow_runs_after_50_are_enough() {
    let (rules, mut tests) = (Rules::new(0.0), Tests::default());
    let found = (0..100).filter(|seed| {
        let mut random = fastrand::Rng::with_seed(*seed);
        let values = series(&mut random, Shape::Lognormal(0.05), 54, 50);
        tests.shifts(&values, &rules, 10).iter().any(|shift| shift.at == 50)
    });
    let found = found.count();
    assert!(found >= 90, "{found} of 100");
}

#[test]
fn nothing_is_told_of_50_runs_of_noise() {
    let (rules, mut tests) = (Rules::new(0.0), Tests::default());
    let wild = [Shape::Normal(0.3), Shape::Lognormal(0.4), Shape::Heavy(0.3)];
    let mut total = 0;
    for shape in SHAPES.into_iter().map(|(shape, _)| shape).chain(wild) {
        let told = (0..200).filter(|seed| {
            let mut random = fastrand::Rng::with_seed(1000 + seed);
            // Reports of 10 series each.
            (0..10).any(|_| !tests.shifts(&series(&mut random, shape, 50, 50), &rules, 10).is_empty())
        });
        let told = told.count();
        println!("{shape:?}: {told} of 200");
        total += told;
    }
    println!("all: {total} of 3000");
    assert!(total <= 3, "one in a thousand is what is promised: {total} of 3000");
}

#[test]
fn one_slow_run_is_no_shift_and_two_shifts_are_two() {
    let (rules, mut tests) = (Rules::new(0.0), Tests::default());
    let mut random = fastrand::Rng::with_seed(3);
    let mut values = series(&mut random, Shape::Normal(0.03), 40, 40);
    values[20] = 9.0;
    values[39] = 9.0;
    assert_eq!(tests.shifts(&values, &rules, 1), []);
    let noise = series(&mut random, Shape::Normal(0.03), 60, 60);
    let level = |index: usize| if (20..40).contains(&index) { 2.0 } else { 1.0 };
    let values: Vec<f64> = noise.iter().enumerate().map(|(index, value)| value * level(index)).collect();
    let shifts = tests.shifts(&values, &rules, 1);
    let told: Vec<_> = shifts.iter().map(|shift| (shift.at, shift.after > shift.before)).collect();
    assert_eq!(told, [(20, true), (40, false)]);
    // Neither too little to matter, nor so few that chance might do it.
    let small: Vec<f64> = (0..40).map(|index| if index < 20 { 1.0 } else { 1.05 }).collect();
    assert_eq!(tests.shifts(&small, &rules, 1), []);
    assert_eq!(tests.shifts(&[1.0, 1.0, 1.0, 9.0, 9.0, 9.0], &rules, 1), []);
    assert_eq!(tests.shifts(&[1.0], &rules, 1), []);
    let short: Vec<f64> = (0..40).map(|index| if index < 20 { 0.001 } else { 0.002 }).collect();
    assert_eq!(tests.shifts(&short, &Rules::new(0.02), 1), []);
    assert_eq!(tests.shifts(&short, &rules, 1).len(), 1);
}

#[test]
fn two_groups_are_compared_and_few_runs_say_nothing() {
    let (rules, mut tests) = (Rules::new(0.0), Tests::default());
    let mut random = fastrand::Rng::with_seed(7);
    let mut told = [0; 2];
    for _ in 0..200 {
        let before = series(&mut random, Shape::Lognormal(0.1), 10, 10);
        for (slower_from, told) in [10, 0].into_iter().zip(&mut told) {
            let after = series(&mut random, Shape::Lognormal(0.1), 10, slower_from);
            *told += usize::from(tests.difference(&before, &after, &rules, 10).unwrap().told);
        }
    }
    println!("told of 200: {told:?}");
    assert!(told[0] <= 2 && told[1] >= 190, "{told:?}");
    let two = tests.difference(&[1.0, 1.0], &[9.0, 9.0], &rules, 1).unwrap();
    assert_eq!((two.p, two.told, two.before, two.after), (None, false, 1.0, 9.0));
    assert_eq!(tests.difference(&[], &[1.0], &rules, 1), None);
}
