//! What became of a message that was signed, as far as a node can say.

use fvm_shared::clock::ChainEpoch;

use super::Slip;
use crate::node::{Node, NodeError, WaitSettings};

/// Where a message stands that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was executed.
    Executed {
        /// 0 is success.
        exit_code: u32,
        /// The epoch.
        height: ChainEpoch,
    },
    /// The node has it, and it was not executed yet.
    Waiting,
    /// The node does not know it, and its nonce is free: handed over, it would be executed.
    Unsent,
    /// Another message has its nonce: it can never be executed.
    Void,
    /// Its nonce is taken, and the node does not look back far enough to say by what.
    Unknown,
}

/// Asks a node where a message stands; sends nothing.
///
/// Errors: the node's.
pub async fn standing(node: &dyn Node, slip: &Slip, wait: &WaitSettings) -> Result<Standing, NodeError> {
    let (message, cid) = (&slip.signed.message, slip.signed.cid());
    // In this order: what is executed meanwhile is found.
    let sender = node.get_actor(&message.from).await?;
    let taken = sender.is_some_and(|sender| sender.nonce > message.sequence);
    match node.find_msg(&cid, slip.since, wait).await {
        Ok(Some(found)) => {
            return Ok(Standing::Executed { exit_code: found.receipt.exit_code, height: found.height });
        }
        Ok(None) => {}
        Err(error) if error.is_replaced() => return Ok(Standing::Void),
        Err(error) => return Err(error),
    }
    if taken {
        let head = node.chain_head().await?.height;
        return Ok(if wait.reaches(slip.since, head) { Standing::Void } else { Standing::Unknown });
    }
    Ok(if node.get_message(&cid).await?.is_some() { Standing::Waiting } else { Standing::Unsent })
}
