use disco::sandbox::{Sandbox, Spec, Event, inside, protocol::*};
use disco::sys::interrupt::Interrupt;
fn main() {
    if let Some(p) = disco::sandbox::shims::client::called_as() { std::process::exit(disco::sandbox::shims::client::main(p) as i32); }
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(String::as_str) == Some("__enter") { inside::main().unwrap(); return; }
    let t = std::path::PathBuf::from("/var/tmp/disco-try"); let _ = std::fs::remove_dir_all(&t);
    let (home, view, scratch) = (t.join("home"), t.join("view"), t.join("home/scratch/x"));
    for d in [&home, &view.join("parameters"), &view.join("modules"), &scratch] { std::fs::create_dir_all(d).unwrap(); }
    let interrupt = Interrupt::watch().unwrap();
    let t0 = std::time::Instant::now();
    let mut s = Sandbox::open(&Spec { scratch: &scratch, home: &home, view: &view, hidden: vec![], own_network: true }).unwrap();
    eprintln!("open {:?}", t0.elapsed());
    for script in &args[1..] {
        let t0 = std::time::Instant::now();
        let r = s.run(Task::Execute(Command { argv: vec!["/bin/bash".into(), "-c".into(), script.clone()], environment: disco::sys::execute::ENVIRONMENT.map(|(a,b)|(a.to_string(),b.to_string())).into(), directory: "/".into() }), None, std::time::Duration::from_secs(100), &interrupt, &mut |e| match e { Event::Line{stream,text} => println!("{stream:?}: {text}"), Event::Asked(q) => println!("ASKED {:?}", q) }).unwrap();
        eprintln!("{:?} {:?}", t0.elapsed(), r);
    }
    for e in s.layers().entries().unwrap().iter().take(60) { println!("{} {:?}", e.path, e.kind); }
    let t0 = std::time::Instant::now();
    s.seal().unwrap();
    eprintln!("seal {:?}", t0.elapsed());
}
