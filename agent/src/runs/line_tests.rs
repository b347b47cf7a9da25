//! Lines over a pair of sockets.

use std::thread;

use super::*;

const SOON: Duration = Duration::from_secs(10);

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

#[test]
fn a_line_comes_whole_and_what_is_behind_it_stays() {
    for (sent, line, rest) in
        [("one\n", "one", ""), ("\n", "", ""), ("one\ntwo\nthree", "one", "two\nthree"), ("é\n", "é", "")]
    {
        let (here, there) = pair();
        send(&here, sent.as_bytes(), SOON).unwrap();
        assert_eq!(receive(&there, SOON).unwrap(), (line.to_owned(), rest.as_bytes().to_vec()), "{sent:?}");
    }
}

#[test]
fn what_is_no_line_has_a_name() {
    for (sent, wanted) in [(&b"half"[..], "ended within"), (b"", "ended within"), (b"\xff\n", "no text")] {
        let (here, there) = pair();
        send(&here, sent, SOON).unwrap();
        drop(here);
        let error = receive(&there, SOON).unwrap_err();
        assert!(error.to_string().contains(wanted), "{sent:?}: {error}");
    }
}

#[test]
fn the_longest_line_comes_and_one_byte_more_does_not() {
    for (length, fits) in [(LONGEST - 1, true), (LONGEST, false), (4 * LONGEST, false)] {
        let (here, there) = pair();
        let text = "x".repeat(length) + "\n";
        let sender = thread::spawn(move || {
            // Whoever refuses it hangs up.
            let _ = send(&here, text.as_bytes(), SOON);
        });
        match receive(&there, SOON) {
            Ok((line, _)) => assert!(fits && line.len() == length, "{length}"),
            Err(error) => assert!(!fits && matches!(error, LineError::Long), "{length}: {error}"),
        }
        drop(there);
        sender.join().unwrap();
    }
}

#[test]
fn a_byte_now_and_then_does_not_gain_time() {
    let (here, there) = pair();
    let sender = thread::spawn(move || {
        while (&here).write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let began = Instant::now();
    let error = receive(&there, Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, LineError::Late), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(there);
    sender.join().unwrap();
}

#[test]
fn who_does_not_read_holds_nobody() {
    let (here, _there) = pair();
    let error = send(&here, &vec![b'x'; 16 << 20], Duration::from_millis(100)).unwrap_err();
    assert!(matches!(error, LineError::Late), "{error}");
}
