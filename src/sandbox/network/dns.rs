//! As much of the domain name system as a stub of it needs (RFC 1035): one question in, addresses or none out. Pure.

use std::net::IpAddr;

/// The most addresses of one answer: with these it fits into 512 bytes, which everybody takes.
const MOST_ADDRESSES: usize = 8;
/// How long an answer may be kept, in seconds: the sandbox ends before.
const TTL: u32 = 60;
const HEADER: usize = 12;
const IN: u16 = 1;

/// What is asked of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Its IPv4 addresses.
    A,
    /// Its IPv6 addresses.
    Aaaa,
    /// Something else.
    Other,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The name in lower case, without a dot at its end; bytes that are not of a name as `?`.
    pub(super) name: String,
    pub(super) kind: Kind,
    id: [u8; 2],
    recursion: u8,
    /// The question as it was put.
    raw: Vec<u8>,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    /// Those of these addresses that are of the kind that was asked for.
    Addresses(&'a [IpAddr]),
    /// There is no such name.
    NoName,
    /// It could not be found out; try again.
    Failure,
}

/// Reads a message; `None` where it is no question for a stub.
pub(super) fn question(message: &[u8]) -> Option<Question> {
    let header = message.get(..HEADER)?;
    // A standard query with one question.
    if header[2] & 0b1111_1000 != 0 || header[4..6] != [0, 1] {
        return None;
    }
    let mut labels: Vec<String> = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        match length {
            0 => break,
            // Compressed: nobody does that in the first name.
            64.. => return None,
            _ => {}
        }
        let label = message.get(at..at + length)?;
        at += length;
        let plain =
            |byte: &u8| if byte.is_ascii_graphic() && *byte != b'.' { char::from(*byte) } else { '?' };
        labels.push(label.iter().map(plain).collect::<String>().to_ascii_lowercase());
    }
    let [kind_high, kind_low, class_high, class_low] = message.get(at..at + 4)?.try_into().ok()?;
    if u16::from_be_bytes([class_high, class_low]) != IN {
        return None;
    }
    let kind = match u16::from_be_bytes([kind_high, kind_low]) {
        1 => Kind::A,
        28 => Kind::Aaaa,
        _ => Kind::Other,
    };
    Some(Question {
        name: labels.join("."),
        kind,
        id: [header[0], header[1]],
        recursion: header[2] & 1,
        raw: message[HEADER..at + 4].to_vec(),
    })
}

/// The message that answers a question.
pub(super) fn answer(question: &Question, reply: Reply<'_>) -> Vec<u8> {
    let (code, addresses) = match reply {
        Reply::Addresses(addresses) => (0, addresses),
        Reply::Failure => (2, &[][..]),
        Reply::NoName => (3, &[][..]),
    };
    let asked = addresses.iter().filter(|address| match question.kind {
        Kind::A => address.is_ipv4(),
        Kind::Aaaa => address.is_ipv6(),
        Kind::Other => false,
    });
    let addresses: Vec<&IpAddr> = asked.take(MOST_ADDRESSES).collect();
    let mut message = question.id.to_vec();
    // A response, recursion as it was desired and available.
    message.extend([0b1000_0000 | question.recursion, 0b1000_0000 | code]);
    for count in [1, addresses.len() as u16, 0, 0] {
        message.extend(count.to_be_bytes());
    }
    message.extend(&question.raw);
    for address in addresses {
        // The name is that of the question, by its place.
        message.extend([0xc0, HEADER as u8]);
        let (kind, bytes) = match address {
            IpAddr::V4(v4) => (1_u16, v4.octets().to_vec()),
            IpAddr::V6(v6) => (28, v6.octets().to_vec()),
        };
        message.extend(kind.to_be_bytes());
        message.extend(IN.to_be_bytes());
        message.extend(TTL.to_be_bytes());
        message.extend((bytes.len() as u16).to_be_bytes());
        message.extend(bytes);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &[&[u8]], kind: u16) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name {
            message.push(label.len() as u8);
            message.extend(*label);
        }
        message.extend([0]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        message
    }

    #[test]
    fn questions_are_read() {
        for (message, name, kind) in [
            (asked(&[b"Deb", b"Example", b"org"], 1), "deb.example.org", Kind::A),
            (asked(&[b"a"], 28), "a", Kind::Aaaa),
            (asked(&[b"_http", b"_tcp", b"a"], 33), "_http._tcp.a", Kind::Other),
            (asked(&[b"a.b", b"\xff\n"], 1), "a?b.??", Kind::A),
            (asked(&[], 2), "", Kind::Other),
        ] {
            let question = question(&message).unwrap();
            assert_eq!((question.name.as_str(), question.kind), (name, kind));
        }
        let whole = asked(&[b"a"], 1);
        for length in 0..whole.len() {
            assert_eq!(question(&whole[..length]), None, "{length}");
        }
        for (at, byte) in [(2, 0x80), (2, 0x28), (5, 2), (12, 0xc0), (12, 63)] {
            let mut odd = whole.clone();
            odd[at] = byte;
            assert_eq!(question(&odd), None, "{at} {byte}");
        }
    }

    #[test]
    fn answers_have_the_addresses_that_were_asked_for() {
        let addresses: Vec<IpAddr> =
            ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(|it| it.parse().unwrap()).into();
        let four = question(&asked(&[b"a"], 1)).unwrap();
        let said = answer(&four, Reply::Addresses(&addresses));
        assert_eq!(said[..12], [0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0]);
        assert_eq!(said[12..19], [1, b'a', 0, 0, 1, 0, 1]);
        assert_eq!(said[19..35], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        assert_eq!(said.len(), 19 + 2 * 16);
        let six = answer(&question(&asked(&[b"a"], 28)).unwrap(), Reply::Addresses(&addresses));
        assert_eq!((six[7], six.len()), (1, 19 + 28));
        let other = answer(&question(&asked(&[b"a"], 33)).unwrap(), Reply::Addresses(&addresses));
        assert_eq!((other[3] & 15, other[7]), (0, 0));
        assert_eq!(answer(&four, Reply::NoName)[3] & 15, 3);
        assert_eq!(answer(&four, Reply::Failure)[3] & 15, 2);
        let many = vec![addresses[1]; 40];
        let label: &[u8] = &[b'a'; 62];
        let longest = question(&asked(&[label; 4], 28)).unwrap();
        assert!(answer(&longest, Reply::Addresses(&many)).len() <= 512);
    }
}
