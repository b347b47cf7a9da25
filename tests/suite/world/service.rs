//! Real services of a hermetic node: an init script, start-stop-daemon, and a process.

use super::World;

impl World {
    /// Installs a service of that name and starts it.
    pub fn service(&self, name: &str) {
        let script = include_str!("service.sh").replace("@NAME@", name);
        self.write_with_mode(&format!("/etc/init.d/{name}"), "755", &script);
        self.run(&["service", name, "start"]).succeeds();
        self.wait_until("the service runs", || self.service_runs(name));
    }

    /// Whether the process of that service is alive.
    pub fn service_runs(&self, name: &str) -> bool {
        self.sh(&format!("read -r pid </run/{name}.pid && kill -0 $pid")).status == Some(0)
    }

    /// The pid of the service's process, to tell whether it was restarted.
    pub fn service_pid(&self, name: &str) -> String {
        self.read(&format!("/run/{name}.pid"))
    }
}
