//! A provider without a chain: its book, its checks, and the recorded exchange with its server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bauta_client::deal::{DealState, auth};
use bauta_client::message::cid_of;
use bauta_client::node::{Serving, Taking, Telling};
use bauta_client::piece::{CommP, piece_cid, piece_cid_v2};
use bauta_client::wallet::{Key, KeyKind};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use super::book::{Book, Conduct, Job, Kind, Link, Notify, Sector, SectorState, Stage, Wanted};
use super::market::Facts;
use super::sealing;
use super::shop::{Outlook, Shop};
use super::{http, messages};

const MINER: u64 = 1000;
const EPOCH: i64 = 100;

fn outlook() -> Arc<Outlook> {
    let facts = Facts { available: TokenAmount::from_whole(1) };
    Arc::new(Outlook {
        // Actors 0 to 99 are on this chain.
        resolve: Box::new(|address| Box::pin(async move { Ok(address.id().ok().filter(|id| *id < 100)) })),
        facts: Box::new(move |_| {
            let facts = facts.clone();
            Box::pin(async move { Ok(facts) })
        }),
        wake: Box::new(|| {}),
    })
}

/// A provider that has a miner actor, and its server.
fn open(folder: &Path) -> (Arc<Shop>, http::Server) {
    let (shop, listener) = Shop::open(0, folder, outlook(), None).unwrap();
    shop.lock().miner = Some(MINER);
    shop.set_epoch(EPOCH);
    let server = http::serve(shop.clone(), &tokio::runtime::Handle::current(), listener).unwrap();
    (shop, server)
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/deal/exchange.json")
}

/// Replays the exchange. `UPDATE_VECTORS=1` records it anew, with the requests that are there.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_exchange() {
    let folder = tempfile::tempdir().unwrap();
    let (shop, _server) = open(folder.path());
    let client = Key::from_seed(KeyKind::Secp256k1, b"deal vectors");
    let stranger = Key::from_seed(KeyKind::Bls, b"deal vectors");
    let piece = CommP::of(&b"bauta".repeat(60)).unwrap();
    let text = std::fs::read_to_string(vectors()).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 50);
    let http = reqwest::Client::new();
    let mut recorded = Vec::new();
    for case in cases {
        let (method, path) = (case["method"].as_str().unwrap(), case["path"].as_str().unwrap());
        let mut request = http.request(method.parse().unwrap(), format!("{}{path}", shop.url()));
        let key = match case["as"].as_str() {
            Some("client") => Some(&client),
            Some("stranger") => Some(&stranger),
            _ => None,
        };
        if let Some(key) = key {
            request = request.header("authorization", auth::authorization(key, method, path, SystemTime::now()));
        }
        for (field, header) in [("content_type", "content-type"), ("range", "range")] {
            if let Some(value) = case[field].as_str() {
                request = request.header(header, value);
            }
        }
        if let Some(bytes) = case["bytes"].as_str() {
            request = request.body(hex::decode(bytes).unwrap());
        } else if !case["body"].is_null() {
            request = request.body(case["body"].to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (range, etag) = (header("content-range"), header("etag"));
        let length = header("content-length");
        let body = response.bytes().await.unwrap();
        let mut answered = case.clone();
        let fields = answered.as_object_mut().unwrap();
        fields.remove("expect");
        fields.remove("error");
        if status < 300 {
            let mut expect = json!({"status": status});
            if path.starts_with("/piece/") {
                assert_eq!(etag, Some(format!("\"{}\"", path.trim_start_matches("/piece/"))));
                expect["length"] = json!(length);
                expect["content_range"] = json!(range);
                expect["bytes"] = json!(hex::encode(&body));
            } else {
                expect["body"] =
                    serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body)));
            }
            fields.insert("expect".into(), expect);
        } else {
            fields.insert("error".into(), json!(format!("{status} {}", String::from_utf8_lossy(&body)).trim_end()));
        }
        recorded.push((case, answered));
    }
    if std::env::var_os("UPDATE_VECTORS").is_some_and(|value| value == "1") {
        let lines: Vec<_> = recorded.iter().map(|(_, case)| format!("  {case}")).collect();
        std::fs::write(vectors(), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        return;
    }
    for (expected, answered) in recorded {
        assert_eq!(answered, expected, "{}", expected["name"]);
    }
    let job = |name: &str| shop.lock().jobs[name].clone();
    let uploads = || std::fs::read_dir(folder.path().join("uploads")).unwrap().count();
    let pieces = || std::fs::read_dir(shop.pieces.folder()).unwrap().count();
    // The chunks of the last upload are put together, and then forgotten, after its answer; so is what was refused half-way.
    for _ in 0..1200 {
        if job("01ARZ3NDEKTSV4RRFFQ69G5FAX").stage == Stage::Stored && uploads() == 0 && pieces() == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(job("01ARZ3NDEKTSV4RRFFQ69G5FAX").stage, Stage::Stored);
    let job = job("01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_eq!(job.stage, Stage::Stored);
    assert_eq!(job.notify, Some(Notify { address: Address::new_id(64), payload: vec![7] }));
    assert_eq!(std::fs::read(shop.pieces.path(&piece)).unwrap(), b"bauta".repeat(60));
    // Nothing that was refused left anything behind.
    assert_eq!(pieces(), 1);
    assert_eq!(shop.lock().jobs.len(), 2);
    assert_eq!(uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_provider_writes_nothing_and_its_port_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let (first, server) = open(folder.path());
    let port = first.socket.port();
    drop(server);
    assert!(first.add_job("x".into(), job(Stage::Uploading)).is_err());
    let (second, _server) = open(folder.path());
    assert_eq!(second.socket.port(), port);
    assert!(second.lock().jobs.is_empty());
}

fn job(stage: Stage) -> Job {
    let kind = Kind::Deal { client: Address::new_id(7) };
    let wanted = Wanted::of(&CommP::of(b"bauta").unwrap());
    Job { kind, wanted, sources: vec![], indexed: true, duration: 518_400, notify: None, stage }
}

fn stages() -> Vec<(Stage, DealState)> {
    let message = cid_of(b"message");
    let (sector, expiration, epoch, pre_commit) = (7, 99, 5, cid_of(b"pre-commit"));
    vec![
        (Stage::Uploading, DealState::Uploading),
        (Stage::Uploaded, DealState::Uploading),
        (Stage::Chunked { size: 1 << 24, here: [2, 3].into() }, DealState::Uploading),
        (Stage::Assembling { size: 1 << 24 }, DealState::Processing),
        (Stage::Fetching, DealState::Accepted),
        (Stage::Stored, DealState::Processing),
        (Stage::Pledging { message }, DealState::Processing),
        (Stage::Publishing { message }, DealState::Processing),
        (Stage::PreCommitting { sector, expiration, message }, DealState::Sealing),
        (Stage::PreCommitted { sector, expiration, epoch, message }, DealState::Sealing),
        (Stage::Proving { sector, expiration, pre_commit, message }, DealState::Sealing),
        (Stage::Sealed { sector, expiration, pre_commit, message }, DealState::Complete),
        (Stage::failed("no"), DealState::Failed),
    ]
}

#[test]
fn the_book_remembers_every_stage() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::open(folder.path()).unwrap();
    book.miner = Some(MINER);
    book.creation = Some(cid_of(b"creation"));
    let (telling, taking) = (Telling::Complete, Taking::Busy);
    book.conduct = Conduct { proving: false, serving: Serving::Stall, hunting: false, telling, taking };
    for (index, (stage, state)) in stages().into_iter().enumerate() {
        assert_eq!(stage.state(), state);
        book.jobs.insert(index.to_string(), job(stage));
    }
    let published = Some((3, Link(cid_of(b"published"))));
    book.jobs
        .insert("m".into(), Job { kind: Kind::Market { proposal: vec![1], end: 5, published }, ..job(Stage::Stored) });
    book.jobs.insert("b".into(), Job { kind: Kind::Bounty { actor: 64, id: 1 }, ..job(Stage::Fetching) });
    let piece_cid = piece_cid(&[1; 32]);
    let sector = Sector { piece_cid, expiration: 9, deadline: 1, partition: 0, state: SectorState::Recovering };
    book.sectors.insert(7, sector);
    book.to_terminate.insert(7);
    book.bounties_seen.insert(64, 9);
    book.save(folder.path()).unwrap();
    let again = Book::open(folder.path()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{book:?}"));

    // What cannot be read is not overwritten by a new one.
    for damage in ["", "{", "{\"version\":2}", "[]"] {
        std::fs::write(folder.path().join("provider.json"), damage).unwrap();
        assert!(Book::open(folder.path()).is_err(), "{damage:?}");
    }
    let mut newer = serde_json::to_value(&book).unwrap();
    newer["version"] = json!(99);
    std::fs::write(folder.path().join("provider.json"), newer.to_string()).unwrap();
    assert!(Book::open(folder.path()).unwrap_err().to_string().contains("another version"));
}

#[test]
fn every_stage_that_moves_is_awaited() {
    for (stage, state) in stages() {
        let mut book = Book::default();
        book.jobs.insert("x".into(), job(stage.clone()));
        let expected = match (state, &stage) {
            (_, Stage::PreCommitted { epoch, .. }) => Some(epoch + messages::SEALING_DELAY),
            (_, Stage::Assembling { .. }) => None,
            (DealState::Processing | DealState::Sealing, _) => Some(11),
            _ => None,
        };
        assert_eq!(sealing::next(&book, 10), expected, "{stage:?}");
        assert_eq!(sealing::next(&book, 50).is_some(), expected.is_some(), "{stage:?}");
    }
}

#[test]
fn sectors_outlive_what_they_are_for_and_no_policy() {
    const DAY: i64 = 2880;
    // Official: 180 days from the last epoch in which the proof may come, at most 1,278 days from now.
    for duration in [0, 180 * DAY, 181 * DAY, 1000 * DAY, 1247 * DAY] {
        let end = sealing::expiration(&Job { duration, ..job(Stage::Stored) }, 1000) - 1000;
        assert!(end >= duration + 11 && (604_810..=1278 * DAY).contains(&end), "{duration}: {end}");
    }
    let kind = Kind::Market { proposal: vec![], end: 1000 + 300 * DAY, published: None };
    assert!(sealing::expiration(&Job { kind, ..job(Stage::Stored) }, 1000) >= 1000 + 300 * DAY);
}

#[test]
fn what_an_interrupted_transfer_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let piece = CommP::of(b"bauta").unwrap();
    let name = piece_cid_v2(&piece).to_string();
    std::fs::write(folder.path().join(&name), b"bauta").unwrap();
    std::fs::write(folder.path().join(".incoming-x"), b"ba").unwrap();
    let short = CommP::of(b"bauta!").unwrap();
    std::fs::write(folder.path().join(piece_cid_v2(&short).to_string()), b"bauta").unwrap();
    let pieces = super::pieces::Pieces::open(folder.path().into()).unwrap();
    assert_eq!(pieces.list(), std::slice::from_ref(&piece));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let unsized_piece = Wanted { payload_size: None, ..Wanted::of(&piece) };
    assert_eq!(pieces.find(&unsized_piece), Some(piece.clone()));
    assert_eq!(pieces.find(&Wanted { padded_size: 256, ..unsized_piece }), None);
}
