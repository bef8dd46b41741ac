//! Against providers that answer by rote: whether deals really go out at once, are written down first, and are replaced.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::*;
use crate::piece::CommP;
use crate::store::Quiet;
use crate::wallet::KeyKind;

/// What is written down, as all providers see it.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<DealEntry>>>);

impl DealBook for Notes {
    fn begin(&mut self, deal: &DealEntry) -> Result<(), FileError> {
        self.0.lock().unwrap().push(deal.clone());
        Ok(())
    }

    fn note(&mut self, deal: &DealEntry) -> Result<(), FileError> {
        let mut all = self.0.lock().unwrap();
        all.iter_mut().filter(|other| other.id == deal.id).for_each(|other| other.clone_from(deal));
        Ok(())
    }
}

/// A provider that takes every deal, or none.
#[derive(Clone)]
struct Rote {
    notes: Notes,
    deals: Arc<Mutex<BTreeMap<String, &'static str>>>,
    together: Arc<Barrier>,
    refuses: bool,
}

impl Rote {
    async fn serve(self, id: u64) -> Source {
        let app = axum::Router::new()
            .route("/market/mk20/deal", post(Self::propose))
            .route("/market/mk20/status/{id}", get(Self::status))
            .route("/market/mk20/upload/{id}", put(Self::upload).post(Self::finish))
            .with_state(self);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Source::Provider { miner: Address::new_id(id), url }
    }

    async fn propose(State(rote): State<Self>, Json(deal): Json<Value>) -> (StatusCode, &'static str) {
        let id = deal["identifier"].as_str().unwrap().to_string();
        assert!(rote.notes.0.lock().unwrap().iter().any(|deal| deal.id.to_string() == id), "written down first");
        if rote.refuses {
            return (StatusCode::BAD_REQUEST, "Reason: not today");
        }
        assert!(rote.deals.lock().unwrap().insert(id, "uploading").is_none(), "once");
        (StatusCode::OK, "")
    }

    async fn status(State(rote): State<Self>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
        let state = rote.deals.lock().unwrap().get(&id).copied().ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Json(json!({"ddo_v1": {"status": state, "errorMsg": ""}})))
    }

    async fn upload(State(rote): State<Self>, Path(_): Path<String>, body: axum::body::Bytes) {
        assert_eq!(&body[..], b"a piece");
        // Whoever serves one after the other waits here for ever.
        rote.together.wait().await;
    }

    async fn finish(State(rote): State<Self>, Path(id): Path<String>) {
        rote.deals.lock().unwrap().insert(id, "sealing");
    }
}

fn handout<'a>(key: &'a Key, car: &std::path::Path) -> Handout<'a> {
    Handout {
        key,
        prefix: Prefix::Testnet,
        proposal: Proposal::upload(CommP::of(b"a piece").unwrap(), crate::deal::MIN_DURATION),
        car: car.into(),
        watch: Arc::new(Quiet),
    }
}

fn states(notes: &Notes) -> Vec<(u64, bool)> {
    let mut all: Vec<_> =
        notes.0.lock().unwrap().iter().map(|deal| (deal.provider.id().unwrap(), deal.has_bytes())).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn deals_go_out_at_once_and_who_refuses_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let car = folder.path().join("car");
    std::fs::write(&car, b"a piece").unwrap();
    let (mut notes, together) = (Notes::default(), Arc::new(Barrier::new(2)));
    let rote = |refuses| Rote { notes: notes.clone(), deals: Arc::default(), together: together.clone(), refuses };
    let mut sources = Vec::new();
    for (id, refuses) in [(1000, false), (1001, true), (1002, false), (1003, false)] {
        sources.push(rote(refuses).serve(id).await);
    }
    let key = Key::generate(KeyKind::Secp256k1);
    let handout = handout(&key, &car);
    let run = handout.run(&mut notes, vec![], &sources, 2);
    let failures = tokio::time::timeout(Duration::from_secs(60), run).await.expect("at once").unwrap();
    assert_eq!(failures.len(), 1);
    assert!(failures[0].1.to_string().contains("not today"));
    assert_eq!(
        states(&notes),
        [(1000, true), (1001, false), (1002, true)],
        "and nobody is asked for more than is wanted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_goes_on_under_its_name_where_the_provider_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let car = folder.path().join("car");
    std::fs::write(&car, b"a piece").unwrap();
    let (mut notes, together) = (Notes::default(), Arc::new(Barrier::new(1)));
    let rote = Rote { notes: notes.clone(), deals: Arc::default(), together, refuses: false };
    let (deals, source) = (rote.deals.clone(), rote.serve(1000).await);
    let (provider, url, id) = (Address::new_id(1000), "http://127.0.0.1:1".to_string(), DealId::generate());
    let begun = DealEntry { provider, url, id, state: DealProgress::Begun };
    notes.begin(&begun).unwrap();
    let key = Key::generate(KeyKind::Secp256k1);
    let handout = handout(&key, &car);
    for _ in 0..2 {
        let failures = handout.run(&mut notes, vec![begun.clone()], std::slice::from_ref(&source), 1).await.unwrap();
        assert!(failures.is_empty());
    }
    assert_eq!(deals.lock().unwrap().keys().collect::<Vec<_>>(), [&id.to_string()], "one deal, whatever is repeated");
    assert_eq!(states(&notes), [(1000, true)]);
    // Nothing is begun where nothing is wanted.
    assert!(handout.run(&mut notes, vec![], &[source], 0).await.unwrap().is_empty());
    assert_eq!(deals.lock().unwrap().len(), 1);
}
