//! Signatures over bytes that are no messages to the chain.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bauta_client::address::Protocol;
use bauta_client::deal::market::DealProposal;
use bauta_client::message::Signature;
use bauta_client::wallet::{KeyKind, enveloped};
use serde::Serialize;
use zeroize::Zeroizing;

use super::prefix;
use crate::args::{WalletSign, WalletVerify};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Rows};
use crate::place::is_dash;
use crate::unattended;

/// More is not signed at once: it is read into memory.
const MAX_TEXT: u64 = 64 << 20;
/// How the CID of a message begins, which is what signatures of messages are made over.
const MESSAGE_CID: [u8; 6] = [0x01, 0x71, 0xa0, 0xe4, 0x02, 0x20];
/// Its length.
const MESSAGE_CID_LENGTH: usize = 38;

#[derive(Serialize)]
struct Signed {
    address: String,
    signature: String,
    enveloped: bool,
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.signature)
    }
}

/// Signs by the wallet's key. The signature is hex of type byte and signature, as Lotus and Forest print it.
pub(super) async fn sign(context: &mut Context, args: WalletSign) -> anyhow::Result<Output> {
    let data = read(&args.file).await?;
    if args.raw && data.len() == MESSAGE_CID_LENGTH && data.starts_with(&MESSAGE_CID) {
        return Err(Failure::usage(
            "these bytes name a message to the chain: whoever has a signature over them can send it; leave out --raw",
        ));
    }
    if args.raw && DealProposal::is_one(&data) {
        return Err(Failure::usage(
            "these bytes are a deal: whoever has a signature over them can make it; leave out --raw",
        ));
    }
    let data = if args.raw { data } else { enveloped(&data).into() };
    let key = context.key()?;
    if args.raw && key.kind() == KeyKind::Delegated {
        // Ethereum's transactions are signed in just this way, whatever they begin with.
        return Err(Failure::usage("bytes that an Ethereum key signs may be a transaction: leave out --raw"));
    }
    let signature = hex::encode(key.sign_bytes(&data).to_bytes());
    let address = prefix(context).show(&key.address());
    Ok(Output::new(&Signed { address, signature, enveloped: !args.raw }))
}

#[derive(Serialize)]
struct Verified {
    signer: String,
    valid: bool,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rows::default()
            .row("signer", &self.signer)
            .row("signature", if self.valid { "valid" } else { "not valid" })
            .fmt(f)
    }
}

/// Checks a signature. An ID address is looked up on the network in use; everything else needs none.
pub(super) async fn verify(context: &mut Context, args: WalletVerify) -> anyhow::Result<Output> {
    let bytes = hex::decode(args.signature.trim()).map_err(|_| Failure::usage("the signature is not hex"))?;
    let signature = Signature::from_bytes(&bytes).map_err(|e| Failure::usage(e.to_string()))?;
    let data = read(&args.file).await?;
    let data = if args.raw { data } else { enveloped(&data).into() };
    let mut signer = args.signer.0;
    if signer.protocol() == Protocol::ID {
        let (node, _) = context.node().await?;
        let key = node.account_key(&signer).await?;
        signer = key.ok_or_else(|| Failure::not_found(format!("there is no actor {signer}")))?;
    }
    let valid = signature.verify(&data, &signer);
    let output = Output::new(&Verified { signer: prefix(context).show(&signer), valid: valid.is_ok() });
    Ok(match valid {
        Ok(()) => output,
        Err(reason) => output.but(Exit::Corrupt, reason.to_string()),
    })
}

async fn read(file: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let path = file.to_owned();
    let data = if is_dash(file) {
        unattended::stdin(MAX_TEXT + 1).await?
    } else {
        let read = move || -> io::Result<_> {
            let mut data = Zeroizing::new(Vec::new());
            File::open(&path)?.take(MAX_TEXT + 1).read_to_end(&mut data)?;
            Ok(data)
        };
        let at = file.display().to_string();
        unattended::run(move || read().map_err(|e| anyhow::Error::new(e).context(at))).await?
    };
    if data.len() as u64 > MAX_TEXT {
        return Err(Failure::because(Exit::Failed, "more than 64 MiB are not signed at once: sign a hash"));
    }
    Ok(data)
}
