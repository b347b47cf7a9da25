//! What is on the page, and what never is.

use super::*;
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ContentChange};
use crate::model::path::RootedPath;
use crate::model::step::{Outcome, OutputLine, StepKind, Stream};
use crate::model::text::Text;
use crate::reports::sample;

const HOSTILE: &str =
    "</pre></style><script>alert('x')</script>&\"'\u{202e}\x1b[2J<img src=x onerror=alert(1)>";

fn attributes(mode: u32) -> Attributes {
    Attributes {
        kind: FileKind::Regular,
        device: 0,
        mode,
        uid: 0,
        gid: 0,
        owner: HOSTILE.into(),
        group: "root".into(),
        size: 1,
        md5: None,
        target: None,
        rdev: None,
        selinux: None,
        xattrs: Default::default(),
    }
}

fn hostile() -> String {
    let mut record = sample::run(9, [0.5, 2.0]);
    let step = &mut record.modules[0].steps[0];
    step.step = StepKind::Script { script: HOSTILE.into() };
    step.outcome = Outcome::Failed { reason: HOSTILE.into() };
    step.output = Some(HOSTILE.into());
    record.waits.push(crate::model::run::Wait {
        lock: HOSTILE.into(),
        holder: Some(HOSTILE.into()),
        seconds: 0.1,
    });
    record.by = Some(crate::model::run::StartedBy {
        user: HOSTILE.into(),
        command: vec![HOSTILE.into()],
        parent: Some(HOSTILE.into()),
        terminal: None,
    });
    let line = OutputLine { at: Some(0.1), stream: Stream::Stderr, text: HOSTILE.into() };
    let line = PrintedLine::Line(line);
    let outputs = [Output { file: HOSTILE.into(), first: vec![line.clone()], left_out: 7, last: vec![line] }];
    let path = std::ffi::OsStr::new(HOSTILE).to_owned();
    let bytes: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(vec![b'n', 0xe4, b'm']);
    let changes = [path, bytes].map(|path| Shown {
        recorded: Recorded {
            module: record.modules[0].module.clone(),
            step: Some(HOSTILE.into()),
            earlier: Vec::new(),
            cut: false,
            change: Change {
                path: RootedPath::new(path).unwrap(),
                kind: ChangeKind::Modified {
                    before: attributes(0o100644).into(),
                    after: attributes(0o100600).into(),
                },
                content: ContentChange::Text { before: Text::default(), after: Text::default() },
            },
        },
        diff: format!("@@ -1 +1 @@\n-old\n+{HOSTILE}\n \n"),
        cut: 3,
    });
    let history: Vec<_> = sample::runs(3, 20, 10).into_iter().chain([record.clone()]).collect();
    page(&Page {
        record: &record,
        outcome: HOSTILE,
        standing: Standing::Bad,
        history: &history,
        changes: &changes,
        outputs: &outputs,
    })
}

#[test]
fn nothing_from_a_record_becomes_markup_or_hides() {
    let page = hostile();
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert_eq!(page.matches("</style>").count(), 1, "{page}");
    for never in ["<img", "\u{202e}", "\x1b", "onerror=alert(1)>"] {
        assert!(!page.contains(never), "{never:?}\n{page}");
    }
    assert!(page.contains("&lt;script&gt;alert"), "{page}");
    assert!(page.contains(r"n\xe4m"), "{page}");
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = hostile();
    for never in ["http:", "https:", "url(", "@import", "<link", " src=\"", "<iframe", "fetch(", "XMLHttp"] {
        assert!(!page.contains(never), "{never}");
    }
    assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"), "{page}");
    let nonce = page.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(page.contains(&format!("'nonce-{nonce}'")), "the policy does not know the page's own script");
}

#[test]
fn every_section_is_there_and_says_it_in_words() {
    let page = hostile();
    for there in [
        "What failed",
        "Time line",
        "History",
        "Steps: memory, I/O, CPU",
        "Changes",
        "Output",
        "▲ slower: +4",
        "7 lines left out here",
        "3 more lines",
        "mode <del>0644</del><ins>0600</ins>",
        "<del>-old\n</del><ins>+",
        "prefers-color-scheme: dark",
        "@media print",
        "content-visibility: auto",
        "25 %",
        "300 MiB",
    ] {
        assert!(page.contains(there), "{there}\n{page}");
    }
}

#[test]
fn a_run_of_nothing_says_so() {
    let mut record = sample::run(1, [0.0, 0.0]);
    (record.modules, record.internal, record.ended) = (Vec::new(), Vec::new(), None);
    let empty = Page {
        record: &record,
        outcome: "not started: no module",
        standing: Standing::Open,
        history: &[],
        changes: &[],
        outputs: &[],
    };
    let page = page(&empty);
    assert!(page.contains("Nothing has run.") && page.contains("not started: no module"), "{page}");
    assert!(
        !page.contains("<h2>Changes") && !page.contains("<h2>Output") && !page.contains("<h2>History"),
        "{page}"
    );
}
