//! The trustless gateway: blocks and CARs that prove themselves.

use std::io::Read as _;

use bauta_client::car::{Blocks as _, CarFile, CarReader, CarWriter, Profile, add_directory, add_file};
use bauta_client::deal::{DealId, Proposal, deliver, wait_until_sealed};
use bauta_client::node::{ProviderSettings, Serving};
use bauta_client::piece::CommP;
use bauta_devnet::genesis::account_key;
use cid::Cid;
use reqwest::{Client, Method, Response};

use super::shop::*;

const CAR: &str = "application/vnd.ipld.car";
const RAW: &str = "application/vnd.ipld.raw";

struct Gateway {
    url: String,
    http: Client,
}

impl Gateway {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Gets a CAR and gives its blocks in order, each checked against its CID.
    async fn blocks(&self, path: &str) -> Vec<Cid> {
        let response = self.ask(Method::GET, path, &[]).await;
        assert_eq!(response.status(), 200, "{path}");
        let bytes = response.bytes().await.unwrap();
        let mut car = CarReader::new(&bytes[..]).unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = car.next_block().unwrap() {
            blocks.push(block.cid);
        }
        blocks
    }

    async fn status(&self, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.ask(Method::GET, path, headers).await.status().as_u16()
    }
}

/// No leaf is like another.
fn noise(length: usize) -> Vec<u8> {
    let mut x = 7u32;
    std::iter::repeat_with(|| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    })
    .take(length)
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_and_archives() {
    let devnet = devnet(None, 1).await;
    let client = account_key(0);
    let shop = Shop::of(&devnet, 0, &client).await;

    // A directory with a file of three leaves and a small one.
    let (big, small) = (noise(2 * (1 << 20) + 100), b"a small one".to_vec());
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let large = add_file(&big[..], &Profile::V1_2025, &mut car).unwrap();
    let little = add_file(&small[..], &Profile::V1_2025, &mut car).unwrap();
    let names = vec![("large.bin".to_string(), large.clone()), ("small".to_string(), little.clone())];
    let root = add_directory(names, &mut car).unwrap();
    let (mut archive, header) = car.finish(&root.cid).unwrap();
    archive[..header.len()].copy_from_slice(&header);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("car");
    std::fs::write(&file, &archive).unwrap();
    let (id, piece) = (DealId::generate(), CommP::of(&archive).unwrap());
    deliver(&shop.curio, id, &Proposal::upload(piece, HALF_A_YEAR), &file, None).await.unwrap();
    wait_until_sealed(&shop.curio, id, SEALING).await.unwrap();
    let gateway = Gateway { url: shop.url.clone(), http: Client::new() };
    let (root, large, little) = (root.cid, large.cid, little.cid);

    // A block.
    let response = gateway.ask(Method::GET, &format!("/ipfs/{little}?format=raw"), &[]).await;
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    for (name, expected) in [
        ("content-type", RAW.to_string()),
        ("content-length", small.len().to_string()),
        ("etag", format!("\"{little}.raw\"")),
        ("x-ipfs-path", format!("/ipfs/{little}")),
        ("x-ipfs-roots", little.to_string()),
        ("x-content-type-options", "nosniff".to_string()),
        ("content-disposition", format!("attachment; filename=\"{little}.bin\"")),
        ("cache-control", "public, max-age=29030400, immutable".to_string()),
    ] {
        assert_eq!(header(name), Some(expected), "{name}");
    }
    assert_eq!(response.bytes().await.unwrap(), small);

    // Everything, and it is what was stored.
    let all = gateway.ask(Method::GET, &format!("/ipfs/{root}"), &[("accept", CAR)]).await;
    assert_eq!(all.headers()["content-type"], format!("{CAR}; version=1; order=dfs; dups=n"));
    assert_eq!(all.headers()["content-location"], format!("/ipfs/{root}?format=car"));
    let mut archive = CarFile::open(std::io::Cursor::new(all.bytes().await.unwrap().to_vec()), Some(&root)).unwrap();
    assert_eq!(archive.blocks(), 6);
    let mut read = Vec::new();
    archive.file(&large).unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, big);

    // Along a path, and parts of what is there.
    let leaves = gateway.blocks(&format!("/ipfs/{large}?format=car")).await;
    assert_eq!((leaves.len(), leaves[0]), (4, large));
    let by_path = |query: &str| format!("/ipfs/{root}/large.bin?format=car&{query}");
    for (query, expected) in [
        ("dag-scope=block", vec![root, large]),
        ("dag-scope=entity", vec![root, large, leaves[1], leaves[2], leaves[3]]),
        ("dag-scope=all", vec![root, large, leaves[1], leaves[2], leaves[3]]),
        ("entity-bytes=0:0", vec![root, large, leaves[1]]),
        ("entity-bytes=1048575:1048576", vec![root, large, leaves[1], leaves[2]]),
        ("entity-bytes=-100:*", vec![root, large, leaves[3]]),
        ("entity-bytes=1048576:-101", vec![root, large, leaves[2]]),
        ("entity-bytes=2097152:99999999", vec![root, large, leaves[3]]),
    ] {
        assert_eq!(gateway.blocks(&by_path(query)).await, expected, "{query}");
    }
    assert_eq!(gateway.blocks(&format!("/ipfs/{root}?format=car&dag-scope=entity")).await, [root]);
    assert_eq!(gateway.blocks(&format!("/ipfs/{root}?format=car&entity-bytes=0:5")).await, [root]);
    let probe = gateway.ask(Method::GET, "/ipfs/bafkqaaa?format=raw", &[]).await;
    assert_eq!((probe.status().as_u16(), probe.bytes().await.unwrap().len()), (200, 0));

    // What is refused.
    let absent = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
    for (path, headers, expected) in [
        (format!("/ipfs/{absent}?format=raw"), &[][..], 404),
        (format!("/ipfs/{absent}?format=car"), &[], 404),
        (format!("/ipfs/{absent}?format=raw"), &[("cache-control", "only-if-cached")], 412),
        (format!("/ipfs/{root}/nothing?format=car"), &[], 404),
        (format!("/ipfs/{root}/small/below?format=car"), &[], 404),
        (format!("/ipfs/{root}/small?format=raw"), &[], 400),
        (format!("/ipfs/{root}"), &[("accept", "text/html")], 406),
        (format!("/ipfs/{root}?format=tar"), &[], 406),
        (by_path("dag-scope=nothing"), &[], 400),
        (by_path("entity-bytes=5:2"), &[], 400),
        (by_path("entity-bytes=99999999:*"), &[], 400),
        ("/ipfs/nonsense?format=raw".to_string(), &[], 400),
        ("/ipfs/".to_string(), &[], 404),
    ] {
        assert_eq!(gateway.status(&path, headers).await, expected, "{path} {headers:?}");
    }
    let post = gateway.ask(Method::POST, &format!("/ipfs/{root}?format=car"), &[]).await;
    assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));

    // Headers alone, and what is known already.
    let head = gateway.ask(Method::HEAD, &by_path("dag-scope=entity"), &[]).await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["x-ipfs-roots"], format!("{root},{large}"));
    let etag = head.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(gateway.status(&by_path("dag-scope=entity"), &[("if-none-match", &etag)]).await, 304);
    assert_eq!(gateway.status(&by_path("dag-scope=block"), &[("if-none-match", &etag)]).await, 200);

    // Lies do not verify.
    let serve = |serving| ProviderSettings { serving: Some(serving), ..ProviderSettings::default() };
    shop.conduct(&devnet, serve(Serving::Corrupt)).await;
    let forged = gateway.ask(Method::GET, &format!("/ipfs/{little}?format=raw"), &[]).await.bytes().await.unwrap();
    assert!(forged != small && forged.len() == small.len());
    shop.conduct(&devnet, serve(Serving::Lost)).await;
    assert_eq!(gateway.status(&format!("/ipfs/{little}?format=raw"), &[]).await, 404);
    devnet.shutdown().await;
}
