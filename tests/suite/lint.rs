//! `disco module lint`: its lines, its JSON, its exit codes; of a folder and of what was fetched last.

use crate::world::World;

#[test]
fn errors_end_with_65_and_warnings_with_0() {
    let Some(world) = World::new() else { return };
    world.write("/tmp/modules/good/scripts/1.sh", "echo fine\n");
    let lint = |more: &[&str]| {
        world.disco(&[&["module", "lint", "--path", "/tmp/modules", "--no-shellcheck"], more].concat())
    };
    lint(&[]).succeeds().stdout_is("").stderr_is("info: 1 module: 0 errors, 0 warnings\n");
    world.write("/tmp/modules/good/script/1.sh", "");
    lint(&[]).succeeds().stdout_has("/tmp/modules/good/script: warning: disco reads none of this");
    world.write("/tmp/modules/bad/scripts/1.sh", "echo\nfi\n");
    let line = "/tmp/modules/bad/scripts/1.sh:2: error: syntax error near unexpected token `fi'\n";
    lint(&["bad"]).exits(65).stdout_is(line).stderr_is("info: 1 module: 1 error, 0 warnings\n");
    lint(&["bad", "--format", "json"]).exits(65).stdout_is(concat!(
        r#"{"schema":1,"severity":"error","check":"bash","file":"/tmp/modules/bad/scripts/1.sh","line":2,"#,
        r#""message":"syntax error near unexpected token `fi'"}"#,
        "\n"
    ));
    lint(&["good"]).succeeds();
    world.disco(&["module", "lint", "--path", "/nowhere"]).exits(74).stderr_has("/nowhere");
}

#[test]
fn what_was_fetched_last_is_checked_and_new_modules_are_clean() {
    let Some(world) = World::new() else { return };
    world.example();
    world.master();
    world.disco(&["dance", "--noop"]).succeeds();
    world.disco(&["module", "lint"]).succeeds().stderr_has("modules: 0 errors").stdout_lacks(" error: ");
    world.sh("mkdir /tmp/new && disco module new a --folder /tmp/new").succeeds();
    world.disco(&["module", "lint", "--path", "/tmp/new"]).succeeds().stdout_is("");
}
