//! Which commands of `on-change` a run owes, and what pays them. Pure.

use crate::actions::ask::{Ask, ask, of_line};
use crate::model::duty::{Duty, DutyOrigin, Schedule};

/// Whether a command of `on-change` has been done, now that `duty` of the schedule is: as itself, or as part of what it was
/// joined with.
pub fn pays(schedule: &Schedule, duty: &Duty, command: &str) -> bool {
    let owed = of_line(command);
    match (ask(&owed), &duty.origin) {
        (Ask::Services(all), _) => all.iter().all(|(deed, _)| {
            let of_it = |duty: &&Duty| duty.service.as_ref().is_some_and(|done| done.service == deed.service);
            schedule.duties().filter(of_it).last().is_some_and(|last| last.number == duty.number)
                || duty.effect == owed
        }),
        (Ask::ReadUnits, _) => ask(&duty.effect) == Ask::ReadUnits,
        (Ask::Daemon { .. } | Ask::Setting(_) | Ask::Power | Ask::Other, DutyOrigin::OnChange { .. }) => {
            duty.effect == owed
        }
        (Ask::Daemon { .. } | Ask::Setting(_) | Ask::Power | Ask::Other, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_paid_by_itself_or_by_what_it_was_joined_with() {
        let duty = |number, origin: &DutyOrigin, line: &str| {
            let effect = of_line(line);
            let service = match ask(&effect) {
                Ask::Services(all) => Some(all[0].0.clone()),
                _ => None,
            };
            Duty { number, origin: origin.clone(), effect, service }
        };
        let asked = DutyOrigin::Actions { seqs: vec![0] };
        let wanted = DutyOrigin::OnChange { module: "m".parse().unwrap() };
        let after = vec![
            duty(0, &asked, "systemctl daemon-reload"),
            duty(1, &asked, "service x start"),
            duty(2, &asked, "service x reload"),
            duty(3, &wanted, "newaliases"),
            duty(4, &asked, "systemctl stop a b"),
        ];
        let schedule = Schedule { after, ..Schedule::default() };
        for (command, paid_by) in [
            ("service x reload", &[2][..]),
            ("systemctl restart x", &[2]),
            ("systemctl daemon-reload", &[0]),
            ("newaliases", &[3]),
            ("service y reload", &[]),
            ("true", &[]),
        ] {
            let by: Vec<u32> = schedule
                .duties()
                .filter(|duty| pays(&schedule, duty, command))
                .map(|duty| duty.number)
                .collect();
            assert_eq!(by, paid_by, "{command}");
        }
    }
}
