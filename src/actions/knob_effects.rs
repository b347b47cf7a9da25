//! A pretended write to a file of the kernel, as the command that makes it. Pure.

use std::path::{Path, PathBuf};

use crate::actions::knobs::name_of;
use crate::model::action::{Effect, EffectKind};

/// A write that was pretended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnobWrite {
    /// The file, such as `/proc/sys/net/ipv4/ip_forward`.
    pub path: PathBuf,
    /// What was written, as it was.
    pub written: Vec<u8>,
    /// The process that wrote, as the host numbers it; 0 where that is not known.
    pub pid: u32,
}

impl KnobWrite {
    /// What was asked for. `sysctl` is the node's own program of that name, where it has one.
    pub fn effect(&self, sysctl: Option<&Path>) -> Effect {
        let value = Value::of(&self.written);
        let name = name_of(&self.path);
        let (program, argv) = match (&name, sysctl, &value) {
            (Some(name), Some(sysctl), Value::Plain(text)) => {
                (sysctl.to_owned(), vec!["sysctl".to_owned(), "-w".to_owned(), format!("{name}={text}")])
            }
            (Some(_) | None, Some(_) | None, Value::Plain(_) | Value::Empty | Value::Bytes(_)) => {
                (PathBuf::from("/bin/sh"), vec!["sh".to_owned(), "-c".to_owned(), self.script(&value)])
            }
        };
        let kind = match self.path == Path::new("/proc/sysrq-trigger") {
            true => EffectKind::Power,
            false => EffectKind::Setting,
        };
        let target = name.unwrap_or_else(|| self.path.display().to_string());
        let (cwd, processes) = (PathBuf::from("/"), Vec::new());
        Effect { kind, target, program, argv, cwd, line: None, input: None, processes }
    }

    /// What a step's label names: `sysctl`, or the folder that the file is in: `/sys`, `/proc/irq`.
    pub fn because(&self) -> String {
        if name_of(&self.path).is_some() {
            return "sysctl".to_owned();
        }
        let depth = if self.path.starts_with("/proc") { 3 } else { 2 };
        let top: PathBuf = self.path.components().take(depth).collect();
        top.display().to_string()
    }

    fn script(&self, value: &Value) -> String {
        let path = shell_words::quote(&self.path.to_string_lossy()).into_owned();
        match value {
            Value::Plain(text) => format!("printf %s {} > {path}", shell_words::quote(text)),
            Value::Empty => format!("echo > {path}"),
            Value::Bytes(octal) => format!("printf '{octal}' > {path}"),
        }
    }
}

/// What was written, as a command can say it.
enum Value {
    /// A line of text, without its end.
    Plain(String),
    /// An empty line.
    Empty,
    /// Anything else, as escapes of printf(1).
    Bytes(String),
}

impl Value {
    fn of(written: &[u8]) -> Value {
        let line = written.strip_suffix(b"\n").unwrap_or(written);
        match std::str::from_utf8(line) {
            Ok("") => Value::Empty,
            Ok(text) if text.chars().all(|c| c == '\t' || !c.is_control()) => Value::Plain(text.to_owned()),
            Ok(_) | Err(_) => Value::Bytes(written.iter().map(|byte| format!("\\{byte:03o}")).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_a_command() {
        for (path, written, kind, target, command, because) in [
            (
                "/proc/sys/net/ipv4/ip_forward",
                "1\n",
                EffectKind::Setting,
                "net.ipv4.ip_forward",
                "sysctl -w net.ipv4.ip_forward=1",
                "sysctl",
            ),
            (
                "/proc/sys/kernel/core_pattern",
                "|/bin/x '%p'\n",
                EffectKind::Setting,
                "kernel.core_pattern",
                r#"sysctl -w 'kernel.core_pattern=|/bin/x '\''%p'\'''"#,
                "sysctl",
            ),
            (
                "/sys/block/vda/queue/scheduler",
                "bfq",
                EffectKind::Setting,
                "/sys/block/vda/queue/scheduler",
                "sh -c 'printf %s bfq > /sys/block/vda/queue/scheduler'",
                "/sys",
            ),
            (
                "/proc/irq/1/smp_affinity",
                "\n",
                EffectKind::Setting,
                "/proc/irq/1/smp_affinity",
                "sh -c 'echo > /proc/irq/1/smp_affinity'",
                "/proc/irq",
            ),
            (
                "/proc/sysrq-trigger",
                "b\n",
                EffectKind::Power,
                "/proc/sysrq-trigger",
                "sh -c 'printf %s b > /proc/sysrq-trigger'",
                "/proc/sysrq-trigger",
            ),
        ] {
            let write = KnobWrite { path: path.into(), written: written.into(), pid: 0 };
            let effect = write.effect(Some(Path::new("/usr/sbin/sysctl")));
            assert_eq!((effect.kind, effect.target.as_str()), (kind, target));
            assert_eq!(effect.command(), command);
            assert_eq!(write.because(), because);
        }
    }

    #[test]
    fn any_bytes_survive_the_shell() {
        for (path, written) in [
            ("/proc/sys/kernel/x", &b"a\nb"[..]),
            ("/sys/with space/a'b", b"it's $(false) \\ %d"),
            ("/sys/x", b"\x00\xff%\\"),
        ] {
            let effect = KnobWrite { path: path.into(), written: written.into(), pid: 0 }.effect(None);
            let words = shell_words::split(&effect.argv[2].replace(" > ", " ")).unwrap();
            let [printf, arguments @ .., file] = words.as_slice() else { panic!("{words:?}") };
            assert_eq!((printf.as_str(), file.as_str()), ("printf", path));
            let out = std::process::Command::new("printf").args(arguments).output().unwrap();
            assert_eq!(out.stdout, written, "{}", effect.command());
        }
    }
}
