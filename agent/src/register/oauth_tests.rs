//! The examples of RFC 5849, and what must not be signed away.

use proptest::prelude::*;
use url::Url;

use crate::register::oauth::{Consumer, base_string, encode, header, sign};

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a url")
}

/// Section 1.2: the photo itself, with a token.
#[test]
fn the_example_of_section_1_2() {
    let parameters = pairs(&[
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_token", "nnch734d00sl2jdk"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131202"),
        ("oauth_nonce", "chapoH"),
    ]);
    let base = base_string(
        "GET",
        &url("http://photos.example.net/photos?file=vacation.jpg&size=original"),
        &parameters,
    );
    assert_eq!(sign(&base, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00"), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
}

/// Section 3.4.1.1: a base string with all that is hard about one. The form body there is given as parameters.
#[test]
fn the_base_string_of_section_3_4_1() {
    let parameters = pairs(&[
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
        ("c2", ""),
        ("a3", "2 q"),
    ]);
    let base =
        base_string("POST", &url("http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"), &parameters);
    let expected = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";
    assert_eq!(base, expected);
}

/// Section 3.4.1.2.
#[test]
fn the_address_is_signed_without_query_and_usual_port() {
    for (address, expected) in [
        ("http://EXAMPLE.COM:80/r%20v/X?id=123", "http%3A%2F%2Fexample.com%2Fr%2520v%2FX"),
        ("https://www.example.net:8080/?q=1", "https%3A%2F%2Fwww.example.net%3A8080%2F"),
        ("https://www.example.net:443/", "https%3A%2F%2Fwww.example.net%2F"),
    ] {
        let base = base_string("get", &url(address), &[]);
        assert_eq!(base.split('&').nth(1), Some(expected), "{address}");
        assert!(base.starts_with("GET&"));
    }
}

#[test]
fn secrets_are_not_shown() {
    let consumer = Consumer { key: "key".into(), secret: "hidden".into() };
    assert_eq!(format!("{consumer:?}"), "consumer key with a secret");
    assert!(!header("GET", &url("http://f/"), &consumer, 1, "n").contains("hidden"));
}

proptest! {
    /// What is encoded is decoded by anybody's decoder, and has nothing in it that the header uses.
    #[test]
    fn encoding_is_undone_by_decoding(text in any::<String>()) {
        let encoded = encode(&text);
        prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        let decoded = Url::parse(&format!("http://x/?a={encoded}")).unwrap();
        prop_assert_eq!(decoded.query_pairs().next().unwrap().1.into_owned(), text);
    }
}
