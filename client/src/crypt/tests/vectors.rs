//! `test-vectors/age`. The files in `files.json` and `wraps.json` are written by this test when `UPDATE_VECTORS=1`.

use age_core::format::Stanza;
use serde_json::{Value, json};

use super::*;
use crate::crypt::header::{write_header, write_stanza};
use crate::vectors::{update, walk};

const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

#[test]
fn vectors_hold() {
    update("age", "files.json", files);
    update("age", "wraps.json", wraps);
    update("age", "metadata.json", metadata);
    let found = walk(
        "age",
        &["commitments.json", "files.json", "identities.json", "metadata.json", "recipients.json", "wraps.json"],
    );
    let identity: Identity = IDENTITY.parse().unwrap();
    for case in &found["files.json"] {
        case.check(open(&case.bytes("file")[..], &identity).and_then(read).map(|plain| hex::encode(plain).into()));
    }
    for case in &found["wraps.json"] {
        let key = Wrap::from_bytes(case.text("wrap")).and_then(|wrap| unwrap(&wrap, &identity));
        case.check(key.map(|key| hex::encode(key.expose()).into()));
    }
    for case in &found["identities.json"] {
        let found = Identity::parse_file(case.text("file"));
        case.check(found.map(|all| all.iter().map(|one| one.recipient().to_string()).collect::<Value>()));
    }
    for case in &found["recipients.json"] {
        let found = case.text("recipient").parse::<Recipient>();
        case.check(found.map(|recipient| recipient.to_string().into()));
    }
    for case in &found["commitments.json"] {
        let key = FileKey::from_bytes(case.bytes("file_key").try_into().unwrap());
        let commitment = Commitment(case.bytes("commitment").try_into().unwrap());
        case.check(commitment.check(&key).map(|()| true.into()));
    }
    for case in &found["metadata.json"] {
        let key = FileKey::from_bytes(case.bytes("file_key").try_into().unwrap());
        case.check(Metadata::open(&case.bytes("metadata"), &key).map(|m| {
            let kind = if m.kind == ContentKind::Folder { "folder" } else { "file" };
            json!({"name": m.name, "media_type": m.media_type, "size": m.size, "kind": kind})
        }));
    }
}

fn case(name: &str, field: &str, content: String, outcome: Result<String, &str>) -> Value {
    match outcome {
        Ok(expect) => json!({"name": name, field: content, "expect": expect}),
        Err(error) => json!({"name": name, field: content, "error": error}),
    }
}

/// The text of our stanza, and pieces of it.
fn ours(key: &FileKey) -> Stanza {
    let identity: Identity = IDENTITY.parse().unwrap();
    identity.recipient().wrap(key).unwrap().remove(0)
}

fn text(stanza: &Stanza) -> String {
    let mut text = Vec::new();
    write_stanza(stanza, &mut text);
    String::from_utf8(text).unwrap()
}

fn stanza(tag: &str, args: &[&str], body: &[u8]) -> String {
    text(&Stanza { tag: tag.into(), args: args.iter().map(|arg| arg.to_string()).collect(), body: body.into() })
}

/// Stanzas, what becomes of them, and whether only a whole header shows the fault.
fn stanza_cases(key: &FileKey) -> Vec<(&'static str, String, Option<&'static str>)> {
    let one = ours(key);
    let (good, share, body) = (text(&one), one.args[0].clone(), one.body);
    let other = text(&Identity::generate().recipient().wrap(key).unwrap()[0]);
    let lines: Vec<&str> = good.lines().collect();
    const BAD: Option<&str> = Some("a stanza of an age header is malformed");
    const NOT_OURS: Option<&str> = Some("it is not encrypted to this identity");
    vec![
        ("ours", good.clone(), None),
        ("ours behind somebody else's", format!("{other}{good}"), None),
        ("ours before somebody else's", format!("{good}{other}"), None),
        (
            "unknown kinds around ours",
            format!("{}{good}{}", stanza("?!", &["\"", "~"], b""), stanza("x", &[], b"y")),
            None,
        ),
        ("an unknown body of exactly one line", format!("{}{good}", stanza("x", &[], &[7; 48])), None),
        ("an unknown body of two lines", format!("{}{good}", stanza("x", &["a"], &[7; 60])), None),
        ("somebody else's", other, NOT_OURS),
        ("only unknown kinds", stanza("x", &["a", "b"], b"c"), NOT_OURS),
        ("x25519 in small letters is another kind", good.replace("X25519", "x25519"), NOT_OURS),
        ("no share", format!("-> X25519\n{}\n", lines[1]), BAD),
        ("a second share", format!("-> X25519 {share} {share}\n{}\n", lines[1]), BAD),
        ("a share of 31 bytes", stanza("X25519", &[&share[..42]], &body), BAD),
        ("a share with base64 padding", stanza("X25519", &[&format!("{share}=")], &body), BAD),
        ("a share of low order", stanza("X25519", &[&"A".repeat(43)], &body), BAD),
        ("a wrapped key of 31 bytes", stanza("X25519", &[&share], &body[1..]), BAD),
        ("a wrapped key of 48 bytes", stanza("X25519", &[&share], &[9; 48]), BAD),
        ("an empty body", stanza("X25519", &[&share], &[]), BAD),
        ("a body with base64 padding", good.trim_end().to_string() + "=\n", BAD),
        ("bits behind the last byte", not_canonical(&good), BAD),
        ("a body line of 65 characters", format!("-> x\n{}\n{good}", "A".repeat(65)), BAD),
        ("a full body line without the short one", format!("-> x\n{}\n{good}", "A".repeat(64)), BAD),
        ("a body of one character", format!("-> x\nA\n{good}"), BAD),
        ("no body", format!("-> x\n{good}"), BAD),
        ("a space behind the kind", good.replace(&share, &format!("{share} ")), BAD),
        ("two spaces before the share", good.replace("X25519 ", "X25519  "), BAD),
        ("no kind", format!("-> \n\n{good}"), BAD),
        ("a tab", format!("-> x\ty\n\n{good}"), BAD),
        ("an accent", format!("-> é\n\n{good}"), BAD),
        ("a line end of two characters", good.replace('\n', "\r\n"), BAD),
        ("a stanza that begins with a space", format!(" {good}"), BAD),
        ("an arrow without its space", good.replace("-> ", "->"), BAD),
    ]
}

/// The last character before the line's end gets a bit that carries nothing.
fn not_canonical(good: &str) -> String {
    let last = good.trim_end().chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    format!("{}{next}\n", &good.trim_end()[..good.trim_end().len() - 1])
}

fn wraps() -> Vec<Value> {
    let key = FileKey::from_bytes(*b"bauta file key 1");
    let mut cases: Vec<_> = stanza_cases(&key)
        .into_iter()
        .map(|(name, text, error)| case(name, "wrap", text, error.map_or(Ok(hex::encode(key.expose())), Err)))
        .collect();
    let good = text(&ours(&key));
    cases.push(case("nothing", "wrap", String::new(), Err("malformed")));
    cases.push(case("a stanza without its last line end", "wrap", good.trim_end().into(), Err("malformed")));
    cases.push(case("half a stanza", "wrap", good[..30].into(), Err("malformed")));
    cases.push(case("a whole header", "wrap", format!("age-encryption.org/v1\n{good}"), Err("malformed")));
    cases.push(case("a code behind the stanza", "wrap", format!("{good}--- AAAA\n"), Err("malformed")));
    let filler = stanza("x", &[], &[1; 1500]);
    cases.push(case("2,049 bytes and more", "wrap", format!("{filler}{good}"), Err("larger than 2048 bytes")));
    cases
}

fn files() -> Vec<Value> {
    let key = FileKey::from_bytes(*b"bauta file key 1");
    let plain = b"hello, bauta";
    let nonce = [7; 16];
    let mut body = plain.to_vec();
    let tag = BodyKey::new(&key, &nonce).seal(0, true, &mut body);
    body.extend_from_slice(&tag);
    let mut cases = Vec::new();
    for (name, stanzas, error) in stanza_cases(&key) {
        let file = [&write_header(&key, [stanzas.as_bytes()]).unwrap()[..], &nonce, &body].concat();
        cases.push(case(name, "file", hex::encode(file), error.map_or(Ok(hex::encode(plain)), Err)));
    }
    let header = String::from_utf8(write_header(&key, [text(&ours(&key)).as_bytes()]).unwrap()).unwrap();
    let mut add = |name: &str, header: &str, body: &[u8], error: &str| {
        cases.push(case(name, "file", hex::encode([header.as_bytes(), body].concat()), Err(error)));
    };
    let body = [&nonce[..], &body].concat();
    const CODE: &str = "the authentication code of the age header is malformed";
    let at = header.rfind("--- ").unwrap();
    let (start, code) = (&header[..at], header[at + 4..].trim_end());
    add("nothing", "", b"", "cut short");
    add("not an age file", "", &[0; 500], "this is no age file");
    add("text", "dear friend, this is a letter\n", b"", "this is no age file");
    add("version 2", &header.replace("/v1", "/v2"), &body, "version \"v2\" of age files is not supported");
    add("version 10", &header.replace("/v1", "/v10"), &body, "version \"v10\" of age files is not supported");
    add("a space behind the version", &header.replace("/v1", "/v1 "), &body, "is not supported");
    add("armored", "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n", b"", "an armored age file is not supported");
    add("an empty line in front", &format!("\n{header}"), &body, "this is no age file");
    add("no stanza", &String::from_utf8(write_header(&key, []).unwrap()).unwrap(), &body, "malformed");
    add("an empty line before the code", &format!("{start}\n--- {code}\n"), &body, "malformed");
    add("a wrong code", &format!("{start}--- {}\n", "A".repeat(43)), &body, "does not match its authentication code");
    add("a stanza added", &format!("{start}-> x\n\n--- {code}\n"), &body, "does not match its authentication code");
    add("a short code", &format!("{start}--- {}\n", &code[1..]), &body, CODE);
    add("a long code", &format!("{start}--- {code}AA\n"), &body, CODE);
    add("a code with base64 padding", &format!("{start}--- {code}=\n"), &body, CODE);
    add("bits behind the code", &not_canonical(&header), &body, CODE);
    add("no code", &format!("{start}---\n"), &body, CODE);
    add("a code without its space", &format!("{start}---{code}\n"), &body, CODE);
    add("two spaces before the code", &format!("{start}---  {code}\n"), &body, CODE);
    add("a space behind the code", &format!("{start}--- {code} \n"), &body, CODE);
    add("a code with a line end of two characters", &format!("{start}--- {code}\r\n"), &body, CODE);
    add("no line end behind the code", &format!("{start}--- {code}"), b"", "cut short");
    add("a code and nothing else", &header, b"", "cut short");
    add("half a nonce", &header, &body[..8], "cut short");
    add("no body", &header, &nonce, "cut short");
    add("a body of 15 bytes", &header, &body[..31], "cut short");
    add("one byte less", &header, &body[..body.len() - 1], "chunk 0 of the age file is damaged");
    add("one byte more", &header, &[&body[..], b"x"].concat(), "chunk 0 of the age file is damaged");
    let mut flipped = body.clone();
    flipped[20] ^= 0x80;
    add("a bit flipped in the body", &header, &flipped, "chunk 0 of the age file is damaged");
    flipped = body.clone();
    flipped[0] ^= 1;
    add("a bit flipped in the nonce", &header, &flipped, "chunk 0 of the age file is damaged");
    let scrypt = stanza("scrypt", &["AAAAAAAAAAAAAAAAAAAAAA", "10"], &[1; 32]);
    let only = String::from_utf8(write_header(&key, [scrypt.as_bytes()]).unwrap()).unwrap();
    add("under a passphrase", &only, &body, "under a passphrase is not supported");
    let both =
        String::from_utf8(write_header(&key, [scrypt.as_bytes(), text(&ours(&key)).as_bytes()]).unwrap()).unwrap();
    add("under a passphrase and for us", &both, &body, "mixes a passphrase with other keys");
    cases
}

fn metadata() -> Vec<Value> {
    let key = FileKey::from_bytes(*b"bauta file key 1");
    let entry = |name: &str, bytes: Vec<u8>| json!({"name": name, "file_key": hex::encode(key.expose()), "metadata": hex::encode(bytes)});
    let raw = |name: &str, plain: &[u8], error: &str| {
        let mut case = entry(name, crate::crypt::metadata::seal_plain(plain, &key));
        case["error"] = error.into();
        case
    };
    let good = |kind, size| Metadata { name: "a.png".into(), media_type: "image/png".into(), size, kind };
    let padded = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(64), 0);
        bytes
    };
    let mut cases = Vec::new();
    for (name, metadata) in [
        ("a file", good(ContentKind::File, 123_456)),
        ("a folder", good(ContentKind::Folder, 0x0100)),
        ("an empty file", good(ContentKind::File, 0)),
        ("a size that ends in zeros", good(ContentKind::File, 1 << 40)),
    ] {
        let mut case = entry(name, metadata.seal(&key));
        let kind = if metadata.kind == ContentKind::Folder { "folder" } else { "file" };
        case["expect"] =
            json!({"name": metadata.name, "media_type": metadata.media_type, "size": metadata.size, "kind": kind});
        cases.push(case);
    }
    // [1, "a", "b", 5, 0] and what can go wrong with it.
    cases.extend([
        raw("only zeros", &[0; 64], "malformed"),
        raw("no CBOR", &[0xff; 64], "malformed"),
        raw("an array of four", &padded(b"\x84\x01\x61a\x61b\x05"), "malformed"),
        raw("an array of six", &padded(b"\x86\x01\x61a\x61b\x05\x00\x01"), "malformed"),
        raw("a byte behind the tuple", &padded(b"\x85\x01\x61a\x61b\x05\x00\x01"), "malformed"),
        raw("a map", &padded(b"\xa1\x61a\x01"), "malformed"),
        raw("an array without an end", &padded(b"\x9f\x01\x61a\x61b\x05\x01\xff"), "malformed"),
        raw("a name of bytes", &padded(b"\x85\x01\x41a\x61b\x05\x01"), "one form"),
        raw("a name that is no UTF-8", &padded(b"\x85\x01\x61\xff\x61b\x05\x01"), "malformed"),
        raw("a negative size", &padded(b"\x85\x01\x61a\x61b\x25\x01"), "malformed"),
        raw("a size of two bytes that fits one", &padded(b"\x85\x01\x61a\x61b\x18\x05\x01"), "one form"),
        raw("64 zeros too many", &[padded(b"\x85\x01\x61a\x61b\x05\x01"), vec![0; 64]].concat(), "one form"),
        raw("version 2", &padded(b"\x85\x02\x61a\x61b\x05\x01"), "version 2 of metadata is not supported"),
        raw("kind 2", &padded(b"\x85\x01\x61a\x61b\x05\x02"), "kind of content is not supported"),
        raw(
            "a name of 513 bytes",
            &padded(&[b"\x85\x01\x79\x02\x01", &[b'a'; 513][..], b"\x61b\x05\x01"].concat()),
            "larger",
        ),
        raw("no padding", b"\x85\x01\x61a\x61b\x05\x01", "size that none can have"),
        raw("no plaintext", b"", "size that none can have"),
    ]);
    cases
}
