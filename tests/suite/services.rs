//! Services under a real systemd, and daemons of Debian with it and with init scripts, reconfigured by modules: each restarts once,
//! with the new file, and comes back with the old one where a health check fails. What a validator refuses never reaches the disk.

use crate::world::{Packages, World};

/// A node with a service `web` that runs as its unit file and `/etc/web.conf` say; what it saw when it started and when it
/// was stopped is in `/run/web.log`.
fn node() -> Option<World> {
    let world = World::with_systemd()?;
    world.write("/etc/web.conf", "old\n");
    world.write("/etc/systemd/system/web.service", &unit("old"));
    world.sh("systemctl daemon-reload; systemctl enable --quiet --now web").succeeds();
    world.wait_until("the service runs", || log(&world) == "start old old\n");
    Some(world)
}

fn unit(version: &str) -> String {
    let tells =
        |verb: &str| format!("/bin/sh -c 'echo {verb} {version} $(cat /etc/web.conf) >>/run/web.log'");
    format!(
        "[Unit]\nDescription=A test\n[Service]\nExecStartPre={}\nExecStart=sleep 1000002\nExecStop={}\n[Install]\nWantedBy=multi-user.target\n",
        tells("start"),
        tells("stop")
    )
}

fn log(world: &World) -> String {
    world.sh("cat /run/web.log 2>/dev/null; true").stdout.clone()
}

fn pid(world: &World, unit: &str) -> String {
    world.run(&["systemctl", "show", "-p", "MainPID", "--value", unit]).succeeds().stdout.trim().to_owned()
}

/// A script that writes the unit anew and asks for a restart in more than one way.
fn reconfigures() -> String {
    let unit = unit("new");
    format!(
        "set -e; cat >/etc/systemd/system/web.service <<'E'\n{unit}E\necho new >/etc/web.conf
        systemctl restart web; systemctl reload-or-restart web.service; service web restart"
    )
}

#[test]
fn a_unit_that_has_changed_is_read_again_and_restarted_once() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", &reconfigures());
    world.master();
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has("warning: Would execute : systemctl daemon-reload\n");
    assert_eq!(log(&world), "start old old\n");
    let live = world.disco(&["dance"]);
    live.succeeds().stderr_has(
        "info: Executed : systemctl daemon-reload : done\ninfo: Executed : service web restart : done\n",
    );
    // The unit was stopped as the new one has it, for that was read before; each once.
    assert_eq!(log(&world), "start old old\nstop new new\nstart new new\n", "{live}");
    assert_eq!(world.run(&["systemctl", "show", "-p", "NeedDaemonReload", "--value", "web"]).stdout, "no\n");
    world.disco(&["dance"]).succeeds().stderr_has("Executed : service web restart");

    world.module("m").script("10.sh", "systemctl stop web; echo newer >/etc/web.conf; systemctl start web");
    world.publish();
    world.sh("rm /run/web.log").succeeds();
    world.disco(&["dance"]).succeeds();
    assert_eq!(log(&world), "stop new new\nstart new newer\n");
}

#[test]
fn a_failing_health_check_brings_back_the_old_unit_and_its_service() {
    let Some(world) = node() else { return };
    world.write("/etc/systemd/system/idle.service", "[Service]\nExecStart=sleep 1000003\n");
    world.sh("systemctl daemon-reload").succeeds();
    world
        .module("m")
        .script("10.sh", &format!("{}; systemctl start idle", reconfigures()))
        .any("check/10-web", "systemctl is-active web idle; cat /run/web.log; false");
    world.master();
    let before = world.manifest();
    let live = world.disco(&["dance"]);
    live.exits(1).stderr_has("active\nactive\nstart old old\nstop new new\nstart new new\n");
    live.stderr_has("Undone : the merge was taken back : m/check/10-web: exit status 1\n").stderr_has(
        "info: Brought back : systemctl daemon-reload : done\ninfo: Brought back : systemctl restart web : done\ninfo: Brought back : systemctl stop idle : done\n",
    );
    assert_eq!(world.manifest().since(&before), [""; 0], "{live}");
    assert_eq!(log(&world), "start old old\nstop new new\nstart new new\nstop old old\nstart old old\n");
    world.run(&["systemctl", "is-active", "web"]).succeeds();
    world.run(&["systemctl", "is-active", "idle"]).exits(3);
    assert_ne!(pid(&world, "web"), "0");
}

/// A daemon of a package: the file that it is configured by, its content with `TEXT` for what shows, and how that shows.
struct Daemon {
    package: &'static str,
    service: &'static str,
    pid_file: &'static str,
    file: &'static str,
    content: &'static str,
    /// What shows of a good configuration, twice, and one that the validator refuses; that one is of another length, since
    /// rsync takes two files of one second and one length for the same.
    texts: [&'static str; 3],
    validate: &'static str,
    /// Prints what shows, or nothing.
    shows: &'static str,
}

const NGINX: Daemon = Daemon {
    package: "nginx-light",
    service: "nginx",
    pid_file: "/run/nginx.pid",
    file: "/etc/nginx/conf.d/text.conf",
    content: "server { listen 127.0.0.1:8081; location / { return 200 \"TEXT\"; } }\n",
    texts: ["old", "new", "bad\"; nonsense \""],
    validate: "nginx -t",
    shows: "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3",
};

const SSH: Daemon = Daemon {
    package: "openssh-server",
    service: "ssh",
    pid_file: "/run/sshd.pid",
    file: "/etc/ssh/sshd_config.d/text.conf",
    content: "Port TEXT\n",
    texts: ["2201", "2202", "nowhere"],
    validate: "mkdir -p /run/sshd; sshd -t",
    shows: "for port in 2201 2202; do ! (exec 3<>/dev/tcp/127.0.0.1/$port && head -c 4 <&3 >/dev/null) || printf $port; done",
};

const CRON: Daemon = Daemon {
    package: "cron",
    service: "cron",
    pid_file: "/run/crond.pid",
    file: "/etc/default/cron",
    content: "EXTRA_OPTS=\"-L TEXT\"\n",
    texts: ["4", "5", "none"],
    validate: ". /etc/default/cron; [[ $EXTRA_OPTS =~ ^-L\\ [0-9]$ ]]",
    shows: "mapfile -d '' words <\"/proc/$(cat /run/crond.pid)/cmdline\" && printf %s \"${words[-1]}\"",
};

impl Daemon {
    fn content(&self, text: &str) -> String {
        self.content.replace("TEXT", text)
    }

    fn shows(&self, world: &World) -> String {
        world.sh(&format!("{{ {}; }} 2>/dev/null", self.shows)).stdout.trim().to_owned()
    }

    fn pid(&self, world: &World) -> String {
        world.read(self.pid_file)
    }

    /// Reconfigures the daemon, with the first text running: by a module that asks for a restart in two ways.
    fn is_reconfigured(&self, world: &World) {
        let [old, new, bad] = self.texts;
        let restarts = format!("info: Executed : service {} restart : done\n", self.service);
        let script = |text: &str| {
            let content = self.content(text);
            let (file, service) = (self.file, self.service);
            format!(
                "set -e; cat >{file} <<'E'\n{content}E\nservice {service} reload || true; service {service} restart; service {service} restart"
            )
        };
        world.setting("disco/server/uri", "/tmp/master");
        let dance = |text: &str, check: &str| {
            let module = world.module("m").script("10.sh", &script(text));
            module.any("validate/10-syntax", self.validate).any("check/10-shows", check);
            world.publish();
            world.disco(&["dance"])
        };
        let waits = |text: &str| {
            format!(
                "for try in {{1..100}}; do [ \"$({{ {}; }} 2>/dev/null)\" != '{text}' ] || exit 0; sleep 0.05; done; exit 9",
                self.shows
            )
        };

        let pid = self.pid(world);
        let live = dance(new, &waits(new));
        live.succeeds();
        assert_eq!(live.stderr.matches("info: Executed : service").count(), 1, "{live}");
        assert!(live.stderr.contains(&restarts), "{live}");
        assert_eq!(self.shows(world), new);
        let restarted = self.pid(world);
        assert_ne!(restarted, pid, "{} was not restarted", self.service);

        let refused = dance(bad, "true");
        refused.exits(1).stderr_lacks("Executed");
        assert_eq!(
            (world.read(self.file), self.pid(world)),
            (self.content(new), restarted.clone()),
            "{refused}"
        );

        let undone = dance(old, &format!("{}; ! true", waits(old).replace("exit 0", "break")));
        undone.exits(1).stderr_has("error: Undone : ").stderr_has(&restarts);
        assert_eq!(world.read(self.file), self.content(new), "{undone}");
        world.wait_until("the old configuration shows again", || self.shows(world) == new);
        assert_ne!(self.pid(world), restarted);
    }
}

/// A node with init scripts, and the daemon running with the first of its texts.
fn with_init_scripts(daemon: &Daemon) {
    let (Some(world), Some(packages)) = (World::new(), Packages::of(daemon.package)) else { return };
    world.put_packages(&packages, "/root/packages");
    world.write("/etc/dpkg/dpkg.cfg.d/keep", "force-confold\n");
    // The first time is for those that must be there before others are unpacked.
    let quiet = "export DEBIAN_FRONTEND=noninteractive; all=/root/packages/*.deb
        { dpkg -i $all || dpkg -i $all; } </dev/null >/tmp/said 2>&1 || { cat /tmp/said; false; }";
    world.sh(quiet).succeeds();
    starts(&world, daemon);
    daemon.is_reconfigured(&world);
}

fn starts(world: &World, daemon: &Daemon) {
    world.write(daemon.file, &daemon.content(daemon.texts[0]));
    world
        .sh(&format!(
            "service {} restart </dev/null >/tmp/said 2>&1 || {{ cat /tmp/said; false; }}",
            daemon.service
        ))
        .succeeds();
    world.wait_until("the daemon shows its configuration", || daemon.shows(world) == daemon.texts[0]);
}

#[test]
fn nginx_with_its_init_script() {
    with_init_scripts(&NGINX);
}

#[test]
fn ssh_with_its_init_script() {
    with_init_scripts(&SSH);
}

#[test]
fn cron_with_its_init_script() {
    with_init_scripts(&CRON);
}

#[test]
fn nginx_and_cron_under_systemd() {
    let Some(world) = World::with_systemd() else { return };
    let install = "DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends cron nginx-light";
    world.sh(&format!("{install} </dev/null >/tmp/said 2>&1 || {{ cat /tmp/said; false; }}")).succeeds();
    for daemon in [NGINX, CRON] {
        starts(&world, &daemon);
        daemon.is_reconfigured(&world);
    }
}
