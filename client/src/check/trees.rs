//! The upper part of pieces' trees, kept by whoever has hashed a piece: 32 bytes for each MiB.
//!
//! A file is named after its piece: `BAUTATREE1`, the padded size of a node (8 bytes, little-endian), the nodes. It holds no secret, and is
//! believed only if its nodes lead to the piece's own commitment.

use std::path::PathBuf;

use crate::home::{FileError, Home, remove, replace_private};
use crate::piece::{KEPT_NODE, PaddedPieceSize, PieceInfo, Tree};

const MAGIC: &[u8] = b"BAUTATREE1";
/// The largest piece in the smallest nodes that are read.
const MAX: u64 = 64 << 20;

/// The folder of trees.
#[derive(Debug, Clone)]
pub struct Trees {
    folder: PathBuf,
}

impl Trees {
    /// Those of a home.
    pub fn of(home: &Home) -> Self {
        Self { folder: home.data().join("trees") }
    }

    /// Keeps a tree. One of a single node tells nothing that the piece's name does not.
    pub fn keep(&self, tree: &Tree) -> Result<(), FileError> {
        if tree.nodes().len() < 2 {
            return Ok(());
        }
        let mut bytes = [MAGIC, &tree.node_size().0.to_le_bytes()].concat();
        tree.nodes().iter().for_each(|node| bytes.extend_from_slice(node));
        replace_private(&self.file(tree.piece()), &bytes)
    }

    /// Reads the tree of a piece. None where none is kept, or what is kept is not this piece's. A piece that is one node needs none.
    pub fn load(&self, piece: &PieceInfo) -> Result<Option<Tree>, FileError> {
        if piece.padded_size.0 <= KEPT_NODE.0 {
            let root = crate::piece::parse_piece_cid(&piece.piece_cid);
            return Ok(root.and_then(|root| Tree::new(piece.clone(), piece.padded_size, vec![root])).ok());
        }
        let path = self.file(piece);
        let bytes = match std::fs::metadata(&path) {
            Ok(about) if about.is_file() && about.len() <= MAX => std::fs::read(&path),
            Ok(_) => return Ok(None),
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => Ok(read(piece, &bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FileError::Io { path, source }),
        }
    }

    /// Forgets a piece.
    pub fn forget(&self, piece: &PieceInfo) -> Result<(), FileError> {
        remove(&self.file(piece))
    }

    fn file(&self, piece: &PieceInfo) -> PathBuf {
        self.folder.join(format!("{}.tree", piece.piece_cid))
    }
}

fn read(piece: &PieceInfo, bytes: &[u8]) -> Option<Tree> {
    let (size, nodes) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    let (nodes, []) = nodes.as_chunks::<32>() else { return None };
    Tree::new(piece.clone(), PaddedPieceSize(u64::from_le_bytes(*size)), nodes.to_vec()).ok()
}
