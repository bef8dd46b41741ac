//! `test-vectors/folder`: manifests. Made by hand; every rule has a case that breaks it.

use serde_json::{Value, json};

use crate::pack::manifest::{Content, decode, encode};
use crate::vectors::walk;

#[test]
fn vectors_hold() {
    for case in &walk("folder", &["manifests.json"])["manifests.json"] {
        let bytes = case.bytes("manifest");
        let found = decode(&bytes);
        assert!(found.iter().all(|entries| encode(entries).as_slice() == bytes), "{}", case.name);
        case.check(found.map(|entries| {
            let rows = entries.iter().map(|entry| {
                let mut row = json!({"path": hex::encode(&entry.path), "mode": entry.mode, "mtime_ms": entry.mtime_ms});
                match &entry.content {
                    Content::File { size, payload, key } => {
                        row["file"] = json!({"size": size, "payload": payload, "key": hex::encode(key.expose())});
                    }
                    Content::Directory => row["directory"] = true.into(),
                    Content::Symlink(target) => row["symlink"] = hex::encode(target).into(),
                }
                row
            });
            rows.collect::<Value>()
        }));
    }
}
