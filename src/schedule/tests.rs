//! Moments of nodes, over clocks that behave and clocks that do not.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Moments, Next, Wakefulness};

#[test]
fn moments_of_a_node_are_its_own_and_never_change() {
    let (a, b) = (Moments::of("web1", 3600, 3600), Moments::of("web2", 3600, 3600));
    // These are what nodes do today: other numbers here are other moments of all nodes after an update.
    assert_eq!((a.offset, b.offset), (WEB1, WEB2));
    assert_eq!(a.after(0), a.offset as i64);
    assert_eq!(a.after(a.offset as i64), a.offset as i64 + 3600);
    assert_eq!(Moments::of("web1", 3600, 0).offset, 0);
    assert!(Moments::of("web1", 3600, 600).offset < 600);
}

const WEB1: u64 = 2846;
const WEB2: u64 = 3137;

#[test]
fn nodes_are_spread_evenly() {
    let mut tenths = [0_u32; 10];
    for number in 0..1000 {
        let moments = Moments::of(&format!("node{number}.example.com"), 1800, 1800);
        tenths[(moments.offset / 180) as usize] += 1;
    }
    assert!(tenths.iter().all(|tenth| (60..=140).contains(tenth)), "{tenths:?}");
}

#[test]
fn a_clock_that_was_put_back_does_nothing_again_and_is_not_waited_for() {
    let moments = Moments::of("web1", 3600, 0);
    // A run began at 7200, and the clock went back by two seconds.
    assert_eq!(moments.next(7200, 0, 7198), Next::At(10_800));
    // The clock had been years ahead.
    assert_eq!(moments.next(9_000_000, 0, 7198), Next::At(7200));
}

#[test]
fn a_node_that_slept_catches_up_once_and_not_together_with_all_others() {
    let moments = Moments::of("web1", 86400, 3600);
    let (asleep, awake) = (86400 * 10 + 20_000, 86400 * 15 + 20_000);
    let Next::At(late) = moments.next(asleep, awake, awake) else { panic!("not at once") };
    assert_eq!(late, awake + moments.catch_up as i64);
    assert_eq!(moments.next(asleep, awake, late), Next::Now);
    assert_eq!(moments.next(late, awake, late), Next::At(86400 * 16 + moments.offset as i64));
    // Called by somebody else's timer nobody knows since when: at once.
    assert_eq!(moments.next(asleep, i64::MIN, awake), Next::Now);
}

#[test]
fn sleep_is_seen() {
    let mut awake = Wakefulness::new(100);
    assert_eq!([160, 220, 300].map(|now| awake.since(now, 60)), [100, 100, 100]);
    assert_eq!(awake.since(421, 60), 421);
    assert_eq!(awake.since(420, 60), 420);
}

fn any_moments() -> impl Strategy<Value = Moments> {
    ("[a-z]{1,8}", prop_oneof![60..100_000_u64, any::<u64>()], prop_oneof![0..100_000_u64, any::<u64>()])
        .prop_map(|(node, interval, splay)| Moments::of(&node, interval, splay))
}

proptest! {
    /// Whatever clocks say: an answer, in the future where it is not now; and after a run it is never now again.
    #[test]
    fn no_clock_makes_it_run_for_ever(moments in any_moments(), last: i64, awake: i64, now: i64) {
        if let Next::At(at) = moments.next(last, awake, now) {
            prop_assert!(at > now);
        }
        prop_assert!(now == i64::MAX || moments.next(now, awake, now) != Next::Now);
    }

    /// Nobody waits longer than two intervals, whatever was noted.
    #[test]
    fn it_is_never_far_away(moments in any_moments(), last in 0..4_000_000_i64, awake in 0..4_000_000_i64, now in 0..4_000_000_i64) {
        if moments.interval < 1 << 40 && let Next::At(at) = moments.next(last, awake, now) {
            prop_assert!(at <= now + 2 * moments.interval as i64, "{at}");
        }
    }

    /// A node that stays awake runs at each of its moments, once, and at no other time.
    #[test]
    fn awake_it_runs_at_each_moment(name in "[a-z]{1,8}", interval in 60..100_000_u64, splay in 0..100_000_u64, start in 0..1_000_000_i64) {
        let moments = Moments::of(&name, interval, splay);
        let (mut now, mut last) = (start, start);
        for _ in 0..20 {
            let expected = moments.after(last);
            prop_assert_eq!(moments.next(last, start, now), Next::At(expected));
            now = expected;
            prop_assert_eq!(moments.next(last, start, now), Next::Now);
            last = now;
        }
    }

    /// With sleep, and a clock that jumps both ways: between two runs there is at least one moment, unless the clock went back; and
    /// who looks once more right after a run never runs again.
    #[test]
    fn each_run_has_a_moment_of_its_own(
        name in "[a-z]{1,8}",
        interval in 60..5000_u64,
        splay in 0..5000_u64,
        steps in vec(prop_oneof![8 => 1..61_i64, 1 => 61..20_000_i64, 1 => -20_000..0_i64], 1..200),
    ) {
        let moments = Moments::of(&name, interval, splay);
        let mut now = 10_000_000;
        let mut wakefulness = Wakefulness::new(now);
        let mut last = now;
        let mut went_back = false;
        for step in steps {
            now += step;
            went_back |= step < 0;
            let awake = wakefulness.since(now, 60);
            if moments.next(last, awake, now) == Next::Now {
                prop_assert!(went_back || moments.after(last) <= now);
                prop_assert_ne!(moments.next(now, awake, now), Next::Now);
                (last, went_back) = (now, false);
            }
        }
    }

    /// A moment that was slept through is caught up on within five minutes of waking up.
    #[test]
    fn what_was_missed_is_caught_up_on(name in "[a-z]{1,8}", interval in 60..100_000_u64, splay in 0..100_000_u64, last in 0..1_000_000_i64, slept in 1..1_000_000_i64) {
        let moments = Moments::of(&name, interval, splay);
        let awake = last + slept;
        let missed = moments.after(last) < awake;
        let due = match moments.next(last, awake, awake) {
            Next::Now => awake,
            Next::At(at) => at,
        };
        prop_assert_eq!(moments.next(last, awake, due), Next::Now);
        prop_assert!(!missed || due <= awake + 300);
        prop_assert!(missed || due == moments.after(last));
    }
}
