//! Bringing back: a table of what was done, of what stood before, and of what undoes it.

use super::*;
use crate::actions::ask::of_line;

fn duty(number: u32, line: &str) -> Duty {
    let (origin, line) = match line.split_once(": ") {
        Some(("on", line)) => (DutyOrigin::OnChange { module: "m".parse().unwrap() }, line),
        Some(("after", line)) => {
            (DutyOrigin::After { module: "m".parse().unwrap(), script: line.into() }, line)
        }
        Some(("check", line)) => {
            (DutyOrigin::Check { module: "m".parse().unwrap(), script: line.into() }, line)
        }
        _ => (DutyOrigin::Actions { seqs: vec![number] }, line),
    };
    let mut effect = of_line(line);
    if line.starts_with("sysctl") {
        effect.argv = line.split(' ').map(str::to_owned).collect();
        effect.kind = EffectKind::Setting;
        effect.target = line.split([' ', '=']).nth(2).unwrap().to_owned();
        effect.program = "/sbin/sysctl".into();
    }
    let service = match ask(&effect) {
        Ask::Services(all) => all.first().map(|(deed, _)| deed.clone()),
        _ => None,
    };
    Duty { number, origin, effect, service }
}

#[test]
fn services_come_back_to_where_they_were() {
    let ran = |state: &str| match state {
        "ran" => Some(true),
        "idle" => Some(false),
        _ => None,
    };
    for (state, before, after, expected) in [
        ("ran", &["service x stop"][..], &[][..], "service x start"),
        ("idle", &["service x stop"], &[], ""),
        ("unknown", &["service x stop"], &[], "service x start"),
        ("ran", &["service x stop"], &["service x start"], "service x restart"),
        ("idle", &["service x stop"], &["service x start"], "service x stop"),
        ("ran", &[], &["service x restart"], "service x restart"),
        ("idle", &[], &["service x restart"], "service x stop"),
        ("ran", &[], &["service x reload"], "service x restart"),
        ("ran", &[], &["service x start"], ""),
        ("idle", &[], &["service x start"], "service x stop"),
        ("idle", &[], &["service x try-restart"], ""),
        ("ran", &[], &["rc-service x restart"], "rc-service x restart"),
        ("ran", &[], &["sysctl -w vm.swappiness=1"], "sysctl -w vm.swappiness=60"),
        ("ran", &[], &["sysctl -w vm.other=1"], "! sysctl -w vm.other=1"),
        ("ran", &[], &["on: newaliases"], "bash -c newaliases"),
        (
            "ran",
            &[],
            &["systemctl daemon-reload", "service x restart"],
            "systemctl daemon-reload; service x restart",
        ),
        (
            "ran",
            &[],
            &["service x frob", "after: 10.sh", "check: c"],
            "! bash -c 'service x frob'; ! m/after/10.sh",
        ),
    ] {
        let (first, later) = (before.iter().zip(0..), after.iter().zip(before.len() as u32..));
        let schedule = Schedule {
            before: first.map(|(line, number)| duty(number, line)).collect(),
            after: later.map(|(line, number)| duty(number, line)).collect(),
            left_out: Vec::new(),
        };
        let stood = Stood {
            services: [("x".to_owned(), ran(state))].into(),
            settings: [("vm.swappiness".to_owned(), "60\n".to_owned())].into(),
            ..Stood::default()
        };
        let begun = schedule.duties().map(|duty| duty.number).collect();
        let back = back(&schedule, &stood, &begun);
        let commands = back.commands.iter().map(Effect::command);
        let told: Vec<String> = commands.chain(back.stays.iter().map(|stays| format!("! {stays}"))).collect();
        assert_eq!(told.join("; "), expected, "{state} {before:?} {after:?}");
        assert_eq!(super::back(&schedule, &stood, &BTreeSet::new()), Back::default(), "nothing was begun");
    }
}

#[test]
fn what_has_to_be_known_before_is_known_from_the_schedule() {
    let after = vec![duty(0, "service x restart"), duty(1, "sysctl -w vm.swappiness=1"), duty(2, "on: true")];
    let schedule = Schedule { after, ..Schedule::default() };
    let (services, settings) = touched(&schedule);
    assert_eq!(services.into_keys().collect::<Vec<_>>(), ["x"]);
    assert_eq!(settings.into_iter().collect::<Vec<_>>(), ["vm.swappiness"]);
}
