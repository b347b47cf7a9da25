//! Schedules: tables of what steps ask for and what becomes of it, and any sequence of it.

use proptest::prelude::*;

use super::*;
use crate::model::module::OnChange;
use crate::model::root::LiveRoot;

/// A command of a step; those of the kinds that a line does not say have them before it: `power: reboot`.
fn action(seq: u32, line: &str) -> Action {
    let (kind, line) = match line.split_once(": ") {
        Some(("power", line)) => (EffectKind::Power, line),
        Some(("process", line)) => (EffectKind::Process, line),
        Some(("setting", line)) => (EffectKind::Setting, line),
        _ => (EffectKind::Service, line),
    };
    let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let target =
        argv.last().and_then(|word| word.split_once('=')).map_or(String::new(), |(name, _)| name.into());
    let effect = Effect { kind, target, program: argv[0].clone().into(), argv, ..of_line("x") };
    Action { seq, module: "m".parse().unwrap(), step: "s".into(), effect }
}

fn actions(lines: &[&str]) -> Vec<Action> {
    lines.iter().zip(0..).map(|(line, seq)| action(seq, line)).collect()
}

fn wishes<'a>(actions: &'a [Action]) -> Wishes<'a> {
    Wishes {
        actions,
        changed: &[],
        modules: &[],
        pending: &[],
        scripts: Path::new("/runs/1/live"),
        own: LiveRoot::Own.is_own(),
        systemd: false,
        allow_reboot: false,
    }
}

/// The duties in words, with the numbers of their actions; `|` is the merge.
fn told(schedule: &Schedule) -> String {
    let word = |duty: &Duty| match &duty.origin {
        DutyOrigin::Actions { seqs } => {
            let seqs: Vec<String> = seqs.iter().map(u32::to_string).collect();
            format!("{} ({})", duty.words(), seqs.join(","))
        }
        DutyOrigin::UnitFiles => format!("{} (units)", duty.words()),
        DutyOrigin::OnChange { module } => format!("{} ({module} on-change)", duty.words()),
        DutyOrigin::After { .. } | DutyOrigin::Check { .. } => duty.words(),
    };
    let list = |duties: &[Duty]| duties.iter().map(word).collect::<Vec<_>>().join("; ");
    let left =
        schedule.left_out.iter().map(|left| format!(" ! {:?} {:?} {}", left.seqs, left.commands, left.why));
    format!("{} | {}{}", list(&schedule.before), list(&schedule.after), left.collect::<String>())
}

#[test]
fn stops_come_before_the_merge_and_all_else_after_it_once_a_service() {
    for (lines, expected) in [
        (&["service a stop"][..], "service a stop (0) | "),
        (&["service a restart"], " | service a restart (0)"),
        (&["service a stop", "service a start"], "service a stop (0) | service a start (1)"),
        (&["service a stop", "service a restart"], "service a stop (0) | service a restart (1)"),
        (&["service a start", "service a stop"], "service a stop (0,1) | "),
        (&["service a stop", "service a start", "service a stop"], "service a stop (0,1,2) | "),
        (
            &["service a restart", "service a restart", "systemctl restart a"],
            " | systemctl restart a (0,1,2)",
        ),
        (&["service a reload", "service a restart"], " | service a restart (0,1)"),
        (&["service a restart", "service a reload"], " | service a restart (0,1)"),
        (&["service a start", "service a restart"], " | service a restart (0,1)"),
        (&["service a restart", "service a start"], " | service a restart (0,1)"),
        (&["service a reload", "service a reload"], " | service a reload (0,1)"),
        // Of one that runs a start does nothing, and it has to be reloaded.
        (&["service a start", "service a reload"], " | service a start (0); service a reload (1)"),
        (&["service a reload", "service a start"], " | service a start (1); service a reload (0)"),
        (
            &["service a stop", "service a start", "service a reload"],
            "service a stop (0) | service a start (1,2)",
        ),
        (&["service a stop", "service a try-restart"], "service a stop (0,1) | "),
        (&["service a try-restart", "service a reload"], " | service a try-restart (0,1)"),
        (
            &["service a restart", "service b restart", "service a restart"],
            " | service b restart (1); service a restart (0,2)",
        ),
        (
            &["service a start", "service b start", "service a start"],
            " | service a start (0,2); service b start (1)",
        ),
        (
            &["systemctl stop a b", "systemctl start b"],
            "systemctl stop a (0); systemctl stop b (0) | systemctl start b (1)",
        ),
        (
            &["systemctl disable --now a", "systemctl enable --now b"],
            "systemctl stop a (0) | systemctl start b (1)",
        ),
    ] {
        let actions = actions(lines);
        assert_eq!(told(&schedule(&wishes(&actions))), expected, "{lines:?}");
    }
}

#[test]
fn what_packages_ask_for_makes_nothing_else_needless() {
    for (systemd, lines, expected) in [
        (
            true,
            ["invoke-rc.d --skip-systemd-native a start", "deb-systemd-invoke start a.service"],
            " | invoke-rc.d --skip-systemd-native a start (0); deb-systemd-invoke start a.service (1)",
        ),
        (
            false,
            ["invoke-rc.d --skip-systemd-native a stop", "invoke-rc.d --skip-systemd-native a start"],
            "invoke-rc.d --skip-systemd-native a stop (0) | invoke-rc.d --skip-systemd-native a start (1)",
        ),
        (true, ["deb-systemd-invoke start a.service", "systemctl start a"], " | systemctl start a (0,1)"),
        (
            true,
            ["systemctl restart a", "deb-systemd-invoke restart a.service"],
            " | systemctl restart a (0,1)",
        ),
    ] {
        let actions = actions(&lines);
        assert_eq!(told(&schedule(&Wishes { systemd, ..wishes(&actions) })), expected, "{lines:?}");
    }
}

#[test]
fn what_is_not_understood_keeps_its_place_and_its_number() {
    for (lines, expected) in [
        (
            &[
                "service a frob",
                "process: kill -HUP 5",
                "service a frob",
                "service a restart",
                "process: kill -HUP 5",
            ][..],
            " | service a frob (0); kill -HUP 5 (1); service a frob (2); service a restart (3); kill -HUP 5 (4)",
        ),
        (
            &[
                "setting: sysctl -w a.b=1",
                "process: kill 1",
                "setting: sysctl -w a.b=2",
                "setting: sysctl -w c.d=1",
            ],
            " | kill 1 (1); sysctl -w a.b=2 (0,2); sysctl -w c.d=1 (3)",
        ),
        (
            &["systemctl daemon-reload", "service a start", "deb-systemd-invoke daemon-reload"],
            " | systemctl daemon-reload (0,2); service a start (1)",
        ),
        (
            &["service a start", "systemctl daemon-reload"],
            " | systemctl daemon-reload (1); service a start (0)",
        ),
        (
            &[
                "start-stop-daemon --stop --pidfile /x",
                "start-stop-daemon --start --pidfile /x",
                "service b start",
                "start-stop-daemon --stop --pidfile /x",
                "start-stop-daemon --start --pidfile /x",
            ],
            " | service b start (2); start-stop-daemon --stop --pidfile /x (0,1,3); start-stop-daemon --start --pidfile /x (4)",
        ),
        // Nothing says how to start it again, so that it cannot be stopped before the merge is sure.
        (&["start-stop-daemon --stop --pidfile /x"], " | start-stop-daemon --stop --pidfile /x (0)"),
    ] {
        let actions = actions(lines);
        assert_eq!(told(&schedule(&wishes(&actions))), expected, "{lines:?}");
    }
}

#[test]
fn a_reboot_is_the_last_of_all_or_left_out() {
    let lines = ["power: reboot", "service a restart", "power: shutdown -r now"];
    let actions = actions(&lines);
    let left = " | service a restart (1) ! [0, 2] [\"reboot\", \"shutdown -r now\"] disco/client/allow_reboot is false";
    assert_eq!(told(&schedule(&wishes(&actions))), left);
    let mut checked = Module::of_steps("m".parse().unwrap(), vec![], vec![]);
    checked.checks = vec!["10".to_owned()];
    let wishes = Wishes { allow_reboot: true, modules: &[&checked], ..wishes(&actions) };
    assert_eq!(told(&schedule(&wishes)), " | service a restart (1); m/check/10; shutdown -r now (0,2)");
}

fn module(name: &str, on_change: &[(&str, &str)]) -> Module {
    let mut module = Module::of_steps(name.parse().unwrap(), vec![], vec![]);
    let line = |(globs, command): &(&str, &str)| OnChange {
        globs: globs.split(' ').map(|glob| glob.parse().unwrap()).collect(),
        command: (*command).to_owned(),
    };
    module.on_change = on_change.iter().map(line).collect();
    module
}

#[test]
fn what_modules_want_is_done_once_if_something_of_theirs_has_changed() {
    let (x, y, unit) = ("/etc/x", "/etc/y", "/etc/systemd/system/a.service");
    for (on_change, changed, lines, pending, expected) in [
        (&[("/etc/x", "echo hi")][..], &[x][..], &[][..], &[][..], " | echo hi (m on-change)"),
        (&[("/etc/x", "echo hi")], &[y], &[], &[], " | "),
        (
            &[("/etc/x /etc/y", "echo hi"), ("/etc/**", "echo hi")],
            &[x, y],
            &[],
            &[],
            " | echo hi (m on-change)",
        ),
        (
            &[("/etc/x", "systemctl restart a")],
            &[x],
            &["service a reload"],
            &[],
            " | systemctl restart a (0)",
        ),
        (&[("/etc/x", "systemctl reload a")], &[x], &["service a restart"], &[], " | service a restart (0)"),
        (&[("/etc/x", "systemctl reload a")], &[x], &["service a stop"], &[], "service a stop (0) | "),
        (
            &[("/etc/x", "service a restart")],
            &[x],
            &["service b start"],
            &[],
            " | service b start (0); service a restart (m on-change)",
        ),
        (&[("/etc/x", "service a stop")], &[x], &[], &[], " | service a stop (m on-change)"),
        (&[("/etc/x", "a"), ("/etc/x", "b")], &[x], &[], &["b"], " | b (old on-change); a (m on-change)"),
        (&[], &[], &[], &["a"], " | a (old on-change)"),
        (
            &[],
            &[unit],
            &["systemctl start a"],
            &[],
            " | systemctl daemon-reload (units); systemctl start a (0)",
        ),
        (&[], &[unit], &["systemctl daemon-reload"], &[], " | systemctl daemon-reload (0)"),
        (&[], &["/etc/systemd"], &[], &[], " | "),
    ] {
        let module = module("m", on_change);
        let (actions, changed) = (actions(lines), changed.iter().map(|path| RootedPath::new(path).unwrap()));
        let changed: Vec<RootedPath> = changed.collect();
        let changed: Vec<&RootedPath> = changed.iter().collect();
        let pending: Vec<_> =
            pending.iter().map(|line: &&str| ("old".parse().unwrap(), (*line).to_owned())).collect();
        let wishes = Wishes {
            changed: &changed,
            modules: &[&module],
            pending: &pending,
            systemd: true,
            ..wishes(&actions)
        };
        assert_eq!(told(&schedule(&wishes)), expected, "{on_change:?} {lines:?}");
        let elsewhere = schedule(&Wishes { own: false, ..wishes });
        assert!(elsewhere.before.is_empty() && elsewhere.after.is_empty());
    }
}

#[test]
fn scripts_and_checks_come_in_the_order_of_the_modules() {
    let (mut a, mut b) = (module("a", &[("/etc/x", "hi")]), module("b", &[]));
    (a.after, a.checks) = (vec!["10".into(), "20".into()], vec!["c".into()]);
    (b.after, b.checks) = (vec!["10".into()], vec!["c".into()]);
    let x = RootedPath::new("/etc/x").unwrap();
    let all = Wishes { modules: &[&a, &b], changed: &[&x], ..wishes(&[]) };
    let scheduled = schedule(&all);
    assert_eq!(
        told(&scheduled),
        " | hi (a on-change); a/after/10; a/after/20; b/after/10; a/check/c; b/check/c"
    );
    assert_eq!(scheduled.after[1].effect.argv, ["/bin/bash", "/runs/1/live/a/after/10"]);
    let numbers: Vec<u32> = scheduled.duties().map(|duty| duty.number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    let elsewhere = schedule(&Wishes { own: false, ..all });
    let named = r#" |  ! [] ["hi", "a/after/10", "a/after/20", "b/after/10", "a/check/c", "b/check/c"] nothing runs on another root than this node's own"#;
    assert_eq!(told(&elsewhere), named);
    (a.after, b.after) = (vec![], vec![]);
    assert_eq!(
        told(&schedule(&Wishes { modules: &[&a, &b], ..wishes(&[]) })),
        " | ",
        "where nothing is done, nothing is checked"
    );
}

/// A service as it is: whether it runs, and whether with the new files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Is {
    runs: bool,
    new: bool,
}

fn after(is: Is, verb: ServiceVerb, merged: bool) -> Is {
    let anew = Is { runs: true, new: merged };
    match verb {
        ServiceVerb::Start if is.runs => is,
        ServiceVerb::Start | ServiceVerb::Restart => anew,
        ServiceVerb::Stop => Is { runs: false, new: false },
        ServiceVerb::TryRestart | ServiceVerb::Reload if is.runs => anew,
        ServiceVerb::TryRestart | ServiceVerb::Reload => is,
    }
}

const VERBS: [&str; 5] = ["start", "stop", "restart", "try-restart", "reload"];

proptest! {
    /// Whatever is asked, in whatever order: services end as if each command had been run after the merge, no action is
    /// forgotten, and none is run for nothing.
    #[test]
    fn services_end_as_asked(asked in prop::collection::vec((0..3usize, 0..5usize), 0..12), runs: [bool; 3]) {
        let lines: Vec<String> = asked.iter().map(|(service, verb)| format!("service s{service} {}", VERBS[*verb])).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let actions = actions(&lines);
        let schedule = schedule(&wishes(&actions));
        for (service, runs) in runs.into_iter().enumerate() {
            let name = format!("s{service}");
            let is = Is { runs, new: false };
            let of = |action: &Action| match ask(&action.effect) {
                Ask::Services(all) => all[0].0.clone(),
                other => panic!("{other:?}"),
            };
            let deeds = actions.iter().map(of).filter(|deed| deed.service == name);
            let expected = deeds.fold(is, |is, deed| after(is, deed.verb, true));
            let of = |duties: &[Duty]| -> Vec<ServiceVerb> {
                let deeds = duties.iter().filter_map(|duty| duty.service.clone());
                deeds.filter(|deed| deed.service == name).map(|deed| deed.verb).collect()
            };
            let (before, later) = (of(&schedule.before), of(&schedule.after));
            prop_assert!(before.iter().all(|verb| *verb == ServiceVerb::Stop) && before.len() <= 1);
            prop_assert!(!later.contains(&ServiceVerb::Stop) && later.len() <= 2);
            let is = before.into_iter().fold(is, |is, verb| after(is, verb, false));
            let is = later.into_iter().fold(is, |is, verb| after(is, verb, true));
            prop_assert_eq!(is, expected, "{:?} {}", lines, told(&schedule));
        }
        let mut seqs: Vec<u32> = schedule.duties().flat_map(|duty| match &duty.origin {
            DutyOrigin::Actions { seqs } => seqs.clone(),
            _ => Vec::new(),
        }).collect();
        seqs.sort_unstable();
        prop_assert_eq!(seqs, (0..actions.len() as u32).collect::<Vec<_>>());
    }
}

#[test]
fn a_reboot_of_a_kept_schedule_is_left_out_where_it_is_not_allowed() {
    let actions = actions(&["service a stop", "service b restart", "power: reboot"]);
    let mut schedule = schedule(&Wishes { allow_reboot: true, ..wishes(&actions) });
    assert!(told(&schedule).ends_with("; reboot (2)"), "{}", told(&schedule));
    leave_power_out(&mut schedule);
    let denied = super::schedule(&wishes(&actions));
    assert_eq!(schedule, denied);
}
