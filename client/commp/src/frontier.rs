//! What is kept of a tree while it grows from left to right.

use crate::Commitment;
use crate::fr32::{QUAD, spread_quad};
use crate::merkle::{node, zero};

/// The right edge of a growing tree, and its leftmost path, which is kept open: the first quad may still change.
pub(crate) struct Frontier {
    /// The first quad, zero-padded.
    pub first: [u8; QUAD],
    /// Right siblings along the leftmost path, from the first quad's upwards.
    pub path: Vec<Commitment>,
    /// Complete subtrees from left to right, heights strictly falling. The leftmost one is given by `first` and `path`;
    /// its root here means nothing.
    trees: Vec<(u8, Commitment)>,
    /// Height of the nodes that are kept.
    keep: u8,
    /// These nodes, from left to right. The first one means nothing, as above.
    kept: Vec<Commitment>,
}

impl Frontier {
    /// Starts a tree whose nodes of height `keep` are kept; none when there are none so high.
    pub fn new(keep: u8) -> Self {
        Frontier { first: [0; QUAD], path: Vec::new(), trees: Vec::new(), keep, kept: Vec::new() }
    }

    /// The siblings along the leftmost path, the complete subtrees, and the kept nodes.
    pub fn parts(&self) -> (&[Commitment], &[(u8, Commitment)], &[Commitment]) {
        (&self.path, &self.trees, &self.kept)
    }

    /// Starts from such parts.
    pub fn of_parts(
        first: [u8; QUAD],
        path: Vec<Commitment>,
        trees: Vec<(u8, Commitment)>,
        keep: u8,
        kept: Vec<Commitment>,
    ) -> Self {
        Frontier { first, path, trees, keep, kept }
    }

    /// Says whether nothing was added yet: the next subtree is the leftmost, and brings its path.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Adds a subtree on the right and merges equals.
    pub fn push(&mut self, mut height: u8, mut root: Commitment) {
        loop {
            if height == self.keep {
                self.kept.push(root);
            }
            let Some((_, left)) = self.trees.pop_if(|tree| tree.0 == height) else { break };
            if self.trees.is_empty() {
                self.path.push(root);
            } else {
                root = node(&left, &root);
            }
            height += 1;
        }
        self.trees.push((height, root));
    }

    /// Fills up with zeros to a height. Gives the root, and the kept nodes if there are any so low.
    pub fn finish(mut self, top: u8) -> (Commitment, Vec<Commitment>) {
        while let Some(&(height, _)) = self.trees.last()
            && height < top
        {
            self.push(height, zero(height));
        }
        if let Some(first) = self.kept.first_mut() {
            *first = climb(&self.first, &self.path[..usize::from(self.keep - crate::fr32::QUAD_HEIGHT)]);
        }
        (climb(&self.first, &self.path), self.kept)
    }
}

/// Climbs the leftmost path.
fn climb(first: &[u8; QUAD], path: &[Commitment]) -> Commitment {
    let mut leaves = [[0; 32]; 4];
    spread_quad(first, &mut leaves);
    let quad = node(&node(&leaves[0], &leaves[1]), &node(&leaves[2], &leaves[3]));
    path.iter().fold(quad, |root, sibling| node(&root, sibling))
}
