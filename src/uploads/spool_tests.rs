//! What waits, and for how long.

use proptest::prelude::*;

use super::*;

fn run() -> RunId {
    "20261122-104734-042-1234".parse().unwrap()
}

fn spool() -> (tempfile::TempDir, Spool) {
    let home = tempfile::tempdir().unwrap();
    let spool = Spool::of(home.path());
    (home, spool)
}

fn refused(item: Item) -> Aside {
    let (to, refused) = ("https://f".to_owned(), clock::now());
    Aside { item, to, refused, status: 422, answer: "no".to_owned() }
}

fn bodies(spool: &Spool) -> Vec<String> {
    spool.waiting().unwrap().iter().map(|one| spool.read(one).unwrap().unwrap().body).collect()
}

#[test]
fn what_waits_keeps_its_order_and_facts_are_replaced() {
    let (home, spool) = spool();
    assert_eq!(spool.waiting().unwrap(), []);
    for (target, body) in
        [(Target::Report, "1"), (Target::Facts, "2"), (Target::Report, "3"), (Target::Facts, "4")]
    {
        assert!(spool.add(target, &run(), body.into()).unwrap().is_empty());
    }
    assert_eq!(bodies(&spool), ["1", "3", "4"]);
    let folder = home.path().join("spool");
    assert_eq!(files::mode(&folder).unwrap(), 0o700);
    for name in files::list_dir(&folder).unwrap() {
        assert_eq!(files::mode(&folder.join(&name)).unwrap(), 0o600, "{name:?}");
    }
    let first = spool.waiting().unwrap().remove(0);
    spool.remove(&first).unwrap();
    spool.remove(&first).unwrap();
    // Its number is not given again, also not where all are gone.
    spool.waiting().unwrap().iter().for_each(|one| spool.remove(one).unwrap());
    spool.add(Target::Webhook, &run(), "5".into()).unwrap();
    let last = spool.waiting().unwrap().remove(0);
    assert_eq!(spool.read(&last).unwrap().unwrap().delivery(), "20261122-104734-042-1234.4");
}

#[test]
fn too_much_is_dropped_and_told_once() {
    let (_home, spool) = spool();
    let mut told = Vec::new();
    for number in 0..MOST + 3 {
        told.extend(spool.add(Target::Report, &run(), number.to_string()).unwrap());
    }
    assert_eq!((bodies(&spool).len(), bodies(&spool)[0].as_str()), (MOST, "3"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(spool.takes(Target::Report).unwrap(), 3);
    assert_eq!(spool.add(Target::Report, &run(), "x".into()).unwrap().len(), 1, "it is told anew");
}

#[test]
fn pauses_grow_and_outlive_the_process() {
    let (home, spool) = spool();
    spool.add(Target::Report, &run(), String::new()).unwrap();
    for failures in 1..=3 {
        spool.takes_not(Target::Report, "no route", None).unwrap();
        let standing = Spool::of(home.path()).standing(Target::Report).unwrap();
        let left = standing.not_before - clock::since_epoch().as_secs();
        let pause = answer::pause(failures);
        assert!((pause - 2..=pause).contains(&left), "{failures} {left}");
        assert_eq!((standing.failures, standing.why.as_deref()), (failures, Some("no route")));
    }
    spool.takes_not(Target::Report, "busy", Some(1_000_000)).unwrap();
    let standing = spool.standing(Target::Report).unwrap();
    let now = clock::since_epoch().as_secs();
    assert!(standing.not_before - now <= 3600 && !standing.is_due(now));
    assert!(standing.is_due(standing.not_before) && standing.is_due(now - 100_000), "a clock was set back");
    assert_eq!(spool.standing(Target::Webhook).unwrap(), Standing::default());
    spool.takes(Target::Report).unwrap();
    assert_eq!(spool.standing(Target::Report).unwrap(), Standing::default());
}

#[test]
fn what_is_refused_or_damaged_is_put_aside() {
    let (home, spool) = spool();
    let folder = home.path().join("spool");
    for body in ["poison", "damaged", "good"] {
        spool.add(Target::Report, &run(), body.into()).unwrap();
    }
    let waiting = spool.waiting().unwrap();
    let item = spool.read(&waiting[0]).unwrap().unwrap();
    spool.put_aside(&waiting[0], &refused(item)).unwrap();
    std::fs::write(folder.join(waiting[1].name()), "{\"schema\"").unwrap();
    assert_eq!(spool.read(&waiting[1]).unwrap(), None);
    assert_eq!(bodies(&spool), ["good"]);
    let refused = spool.refused().unwrap();
    assert_eq!((refused.len(), refused[0].status, refused[0].item.body.as_str()), (1, 422, "poison"));
    assert!(folder.join("aside/0000000001-report.json.damaged").exists());
    // A damaged state says nothing, and stops nothing.
    std::fs::write(folder.join("state.json"), "x").unwrap();
    spool.add(Target::Report, &run(), "next".into()).unwrap();
    assert_eq!(bodies(&spool), ["good", "next"]);
}

#[test]
fn of_what_is_damaged_the_newest_is_kept_within_bounds() {
    let (home, spool) = spool();
    let aside = home.path().join("spool/aside");
    let damage = |number: u64, bytes: usize, age: u64| {
        spool.add(Target::Report, &run(), number.to_string()).unwrap();
        let waiting = spool.waiting().unwrap().pop().unwrap();
        let path = home.path().join("spool").join(waiting.name());
        std::fs::write(&path, vec![b'x'; bytes]).unwrap();
        let time = std::time::SystemTime::now() - Duration::from_secs(age);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(spool.read(&waiting).unwrap(), None);
    };
    let left = || -> Vec<u64> {
        let names = files::list_dir(&aside).unwrap();
        let mut numbers: Vec<u64> = names
            .iter()
            .filter_map(|name| Some(parse(name.to_str()?.strip_suffix(".damaged")?)?.0))
            .collect();
        numbers.sort();
        numbers
    };
    std::fs::create_dir_all(&aside).unwrap();
    std::fs::write(aside.join("notes.damaged"), "mine").unwrap();
    (0..25).for_each(|number| damage(number, 10, 1000 - number));
    assert_eq!(left(), (5..25).collect::<Vec<u64>>(), "the newest twenty");
    damage(25, 10, 5000);
    assert_eq!(left(), (5..25).collect::<Vec<u64>>(), "the oldest goes, whatever its number");
    damage(26, 5 << 20, 100);
    damage(27, 5 << 20, 50);
    let many: Vec<u64> = (6..25).chain([27]).collect();
    assert_eq!(left(), many, "what is too much together goes, the older first");
    damage(28, 9 << 20, 10);
    assert_eq!(left(), many, "nothing goes for what is itself too much");
    let bytes: u64 = left()
        .iter()
        .map(|number| {
            std::fs::metadata(aside.join(format!("{number:010}-report.json.damaged"))).unwrap().len()
        })
        .sum();
    assert!(bytes <= MOST_DAMAGED_BYTES);
    assert_eq!(std::fs::read_to_string(aside.join("notes.damaged")).unwrap(), "mine", "it is none of ours");
}

#[test]
fn what_was_refused_waits_again_in_its_old_place_or_goes() {
    let (home, spool) = spool();
    for target in [Target::Report, Target::Facts, Target::Report] {
        spool.add(target, &run(), target.word().to_owned()).unwrap();
    }
    let before = spool.waiting().unwrap();
    for waiting in &before[..2] {
        let item = spool.read(waiting).unwrap().unwrap();
        spool.put_aside(waiting, &refused(item)).unwrap();
    }
    assert_eq!((spool.refused().unwrap().len(), bodies(&spool)), (2, vec!["report".to_owned()]));
    // Facts that were made meanwhile are the newer ones.
    spool.add(Target::Facts, &run(), "newer".into()).unwrap();
    assert_eq!(spool.put_back().unwrap(), 2);
    assert_eq!(bodies(&spool), ["report", "report", "newer"]);
    assert_eq!(spool.waiting().unwrap()[0].number, before[0].number);
    assert_eq!((spool.refused().unwrap(), spool.put_back().unwrap()), (vec![], 0));
    let waiting = spool.waiting().unwrap();
    let item = spool.read(&waiting[0]).unwrap().unwrap();
    spool.put_aside(&waiting[0], &refused(item)).unwrap();
    // One of before has no address in it.
    let aside = home.path().join("spool/aside/0000000000-report.json");
    let text = std::fs::read_to_string(&aside).unwrap();
    std::fs::write(&aside, text.replace(r#""to":"https://f","#, "")).unwrap();
    assert_eq!(spool.refused().unwrap()[0].to, "");
    assert_eq!((spool.drop_refused().unwrap(), spool.drop_refused().unwrap()), (1, 0));
    assert_eq!(bodies(&spool), ["report", "newer"]);
}

#[test]
fn one_sends_at_a_time() {
    let (_home, spool) = spool();
    spool.add(Target::Report, &run(), String::new()).unwrap();
    let held = spool.lock(Instant::now()).unwrap();
    assert!(held.is_some() && spool.lock(Instant::now() + Duration::from_millis(120)).unwrap().is_none());
    drop(held);
    assert!(spool.lock(Instant::now()).unwrap().is_some());
}

proptest! {
    #[test]
    fn what_is_left_is_within_all_bounds(
        all in proptest::collection::vec((0..3_usize, 0..2 * LONGEST, 0..MOST_BYTES / 3), 0..300),
    ) {
        let now = 2 * LONGEST;
        let waiting: Vec<Waiting> = all
            .iter()
            .zip(0..)
            .map(|((target, made, bytes), number)| Waiting { number, target: Target::ALL[*target], made: *made, bytes: *bytes })
            .collect();
        let dropped = surplus(&waiting, now);
        prop_assert!(dropped.windows(2).all(|pair| pair[0].number < pair[1].number), "the oldest first");
        let left: Vec<&Waiting> = waiting.iter().filter(|one| !dropped.contains(one)).collect();
        for target in Target::ALL {
            let number = left.iter().filter(|one| one.target == target).count();
            let most = if target.is_replaced() { 1 } else { MOST };
            prop_assert!(number <= most);
        }
        prop_assert!(left.iter().map(|one| one.bytes).sum::<u64>() <= MOST_BYTES);
        prop_assert!(left.iter().all(|one| now - one.made <= LONGEST));
    }

    #[test]
    fn any_name_is_read(name in "\\PC{0,30}") {
        if let Some((number, target)) = parse(&name) {
            prop_assert_eq!(Target::of_word(target.word()), Some(target));
            prop_assert!(name.contains(&number.to_string()) || name.starts_with('+'));
        }
    }
}
