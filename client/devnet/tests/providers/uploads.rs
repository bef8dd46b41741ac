//! Uploads: in chunks, interrupted, and pulled by the provider.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bauta_client::deal::mk20::MIN_CHUNK;
use bauta_client::deal::{
    Curio, DealCode, DealError, DealId, DealState, Origin, Proposal, StorageProvider, Timeouts, Uploads, deliver,
    wait_until_sealed,
};
use bauta_client::node::{ProviderSettings, Taking};
use bauta_client::piece::{CommP, PieceInfo};
use bauta_devnet::genesis::account_key;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::shop::*;

/// Two and a bit chunks, on the disk.
fn large(folder: &Path) -> (std::path::PathBuf, PieceInfo) {
    let file = folder.join("large");
    let sent = bytes(30, 2 * MIN_CHUNK as usize + 12_345);
    std::fs::write(&file, &sent).unwrap();
    (file, CommP::of(&sent).unwrap())
}

fn impatient(url: &str, miner: fvm_shared::address::Address) -> Curio {
    let uploads = Uploads { attempts: 0, parallel: 1, ..Uploads::default() };
    Curio::new(url, miner, account_key(0), Timeouts::default()).unwrap().with_uploads(uploads)
}

/// A way to a provider that lets so many bytes through, then tells and holds the rest, until the provider hangs up.
async fn narrow(url: &str, most: u64) -> (String, Arc<Notify>) {
    let provider = url.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let (is_full, passed) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let full = is_full.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (provider, passed, full) = (provider.clone(), passed.clone(), full.clone());
            tokio::spawn(async move {
                let (mut from, mut back) = client.into_split();
                let (mut answers, mut to) = TcpStream::connect(provider).await.unwrap().into_split();
                let pass = async {
                    let mut buffer = vec![0; 1 << 16];
                    while let Ok(n @ 1..) = from.read(&mut buffer).await {
                        if passed.fetch_add(n as u64, Ordering::Relaxed) + n as u64 > most {
                            full.notify_one();
                            std::future::pending::<()>().await;
                        }
                        if to.write_all(&buffer[..n]).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::select! {
                    () = pass => {}
                    _ = tokio::io::copy(&mut answers, &mut back) => {}
                }
            });
        }
    });
    (own, is_full)
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_survive_the_provider_and_the_client() {
    let devnet = devnet(None, 1).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, piece) = large(folder.path());
    let (id, proposal) = (DealId::generate(), Proposal::upload(piece.clone(), HALF_A_YEAR));

    // The provider is killed while the second chunk is on its way: this client has no patience and gives up.
    let (url, is_full) = narrow(&shop.url, MIN_CHUNK + (1 << 20)).await;
    let curio = impatient(&url, shop.miner);
    let upload = deliver(&curio, id, &proposal, &file, None);
    let kill = async {
        is_full.notified().await;
        devnet.node().devnet_restart(&shop.miner).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(upload, kill);
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let error = outcome.unwrap_err();
    assert!(error.is_passing(), "{error}");
    let status = shop.curio.upload_status(id).await.unwrap();
    assert_eq!((status.total_chunks, &status.uploaded_chunks[..]), (3, &[1][..]));

    // Another client process, by the same name of the deal: only what is missing goes over.
    let first = Arc::new(Mutex::new(None));
    let progress: bauta_client::deal::Progress = {
        let first = first.clone();
        Arc::new(move |bytes| {
            first.lock().unwrap().get_or_insert(bytes);
        })
    };
    let status = deliver(&shop.curio, id, &proposal, &file, Some(progress)).await.unwrap();
    assert_ne!(status.state, DealState::Uploading);
    assert_eq!(*first.lock().unwrap(), Some(MIN_CHUNK));
    wait_until_sealed(&shop.curio, id, SEALING).await.unwrap();

    // As without the kill: one deal, one sector, the bytes, and no chunk left.
    assert_eq!(shop.sectors(&devnet).await, [(1, SECTOR_ACTIVE.to_owned())]);
    assert_eq!(shop.fetch(&piece).await.unwrap(), std::fs::read(&file).unwrap());
    let described = shop.conduct(&devnet, ProviderSettings::default()).await;
    assert_eq!(described["Jobs"].as_array().unwrap().len(), 1);
    let refused = shop.curio.upload_status(id).await;
    assert!(matches!(refused, Err(DealError::Refused { code: DealCode::NotFound, .. })), "{refused:?}");
    sound(&devnet).await;
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_client_carries_on_by_itself() {
    let devnet = devnet(None, 1).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, piece) = large(folder.path());
    let (id, proposal) = (DealId::generate(), Proposal::upload(piece.clone(), HALF_A_YEAR));
    let busy = |taking| ProviderSettings { taking: Some(taking), ..ProviderSettings::default() };

    // Overloaded: no deal now. Then deals, and a provider that is overloaded and killed while the bytes come.
    shop.conduct(&devnet, busy(Taking::Busy)).await;
    match deliver(&shop.curio, id, &proposal, &file, None).await {
        Err(error @ DealError::Refused { code: DealCode::Overloaded, .. }) => assert!(error.is_passing()),
        other => panic!("{other:?}"),
    }
    shop.conduct(&devnet, busy(Taking::Deals)).await;
    shop.curio.propose(id, &proposal).await.unwrap();
    shop.conduct(&devnet, busy(Taking::Busy)).await;
    let node = devnet.node();
    let trouble = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        shop.conduct(&devnet, busy(Taking::Deals)).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        node.devnet_restart(&shop.miner).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(shop.curio.upload(id, &file, None), trouble);
    outcome.unwrap();
    assert_ne!(deliver(&shop.curio, id, &proposal, &file, None).await.unwrap().state, DealState::Uploading);
    wait_until_sealed(&shop.curio, id, SEALING).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, [(1, SECTOR_ACTIVE.to_owned())]);

    // Nobody is dealt with.
    shop.conduct(&devnet, busy(Taking::Nobody)).await;
    let other = Proposal::upload(CommP::of(b"else").unwrap(), HALF_A_YEAR);
    match shop.curio.propose(DealId::generate(), &other).await {
        Err(DealError::Refused { code: DealCode::Unauthorized, reason, .. }) => {
            assert_eq!(reason, "Client is not allowed to make deal with this provider");
        }
        other => panic!("{other:?}"),
    }
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_another_piece_fail_their_deal() {
    let devnet = devnet(None, 1).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, piece) = large(folder.path());
    let mut wrong = std::fs::read(&file).unwrap();
    wrong[MIN_CHUNK as usize + 7] ^= 1;
    std::fs::write(&file, wrong).unwrap();
    let id = DealId::generate();
    let outcome = deliver(&shop.curio, id, &Proposal::upload(piece.clone(), HALF_A_YEAR), &file, None).await;
    let ended = match outcome {
        Ok(_) => wait_until_sealed(&shop.curio, id, SEALING).await,
        Err(error) => Err(error),
    };
    match ended {
        Err(DealError::Failed { why, .. }) => assert!(why.starts_with("commP mismatch calculated"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(!shop.retrieval.has_piece(&piece).await.unwrap());
    assert!(shop.sectors(&devnet).await.is_empty());
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_one_request_may_break_off_and_their_end_may_be_said_later() {
    let devnet = devnet(None, 1).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small");
    let sent = bytes(31, 400_000);
    std::fs::write(&file, &sent).unwrap();
    let proposal = Proposal::upload(CommP::of(&sent).unwrap(), HALF_A_YEAR);
    let id = DealId::generate();
    shop.curio.propose(id, &proposal).await.unwrap();

    // Half of the bytes, then the client is gone.
    let path = format!("/market/mk20/upload/{id}");
    let header = bauta_client::deal::auth::authorization(&account_key(0), "PUT", &path, std::time::SystemTime::now());
    let half = sent[..200_000].to_vec();
    let body = futures::stream::iter([Ok(half), Err(std::io::Error::other("gone"))]);
    let request = reqwest::Client::new().put(format!("{}{path}", shop.url)).header("authorization", &header);
    let broken = request.header("content-length", sent.len()).body(reqwest::Body::wrap_stream(body)).send().await;
    assert!(broken.is_err());

    // All of them, and the client is gone before it says so.
    until("the turn to be free", || async {
        let request = reqwest::Client::new().put(format!("{}{path}", shop.url)).header("authorization", &header);
        // Who waits for the turn may be refused before it has sent all, which breaks the connection.
        request.body(sent.clone()).send().await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    assert_eq!(shop.curio.status(id).await.unwrap().unwrap().state, DealState::Uploading);
    deliver(&shop.curio, id, &proposal, &file, None).await.unwrap();
    wait_until_sealed(&shop.curio, id, SEALING).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, [(1, SECTOR_ACTIVE.to_owned())]);
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_pulls_what_it_is_pointed_to() {
    let devnet = devnet(None, 2).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let other = Shop::of(&devnet, 1, &account_key(0)).await;
    let piece = shop.store(&bytes(32, 50_000), None).await;
    let source = format!("{}{}", shop.url, bauta_client::deal::piece_path(&piece));
    let pull =
        |url: &str| Proposal { origin: Origin::Http(url.to_string()), ..Proposal::upload(piece.clone(), HALF_A_YEAR) };
    let id = DealId::generate();
    other.curio.propose(id, &pull(&source)).await.unwrap();
    wait_until_sealed(&other.curio, id, SEALING).await.unwrap();
    assert!(other.retrieval.has_piece(&piece).await.unwrap());

    let offer = other.curio.offer().await.unwrap();
    assert_eq!(offer.products, ["ddo_v1", "retrieval_v1"]);
    assert_eq!((offer.sources, offer.contracts), (vec!["http".to_string(), "put".to_string()], vec![]));
    devnet.shutdown().await;
}
