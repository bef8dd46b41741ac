//! `bauta deploy`.

use std::fmt;

use bauta_client::network::Network;
use cid::Cid;
use multihash_codetable::{Code, MultihashDigest};
use serde::Serialize;

use crate::args::Deploy;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Rows};

/// The codec of plain bytes: how the chain names code.
const RAW: u64 = 0x55;

#[derive(Serialize)]
struct Deployed {
    network: String,
    actor: String,
    code_cid: String,
    size: usize,
    new: bool,
}

impl fmt::Display for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rows::default()
            .row("network", &self.network)
            .row("actor", &self.actor)
            .row("code", &self.code_cid)
            .row("size", format_args!("{} bytes", self.size))
            .row("installed", if self.new { "now" } else { "already" })
            .fmt(f)
    }
}

/// Installs the actor; where the same code is installed already, says where.
pub async fn deploy(context: &mut Context, args: Deploy) -> anyhow::Result<Output> {
    if let Some(network @ (Network::Calibration | Network::Mainnet)) = context.named_network()? {
        return Err(refused(&network));
    }
    let wasm = match &args.wasm {
        Some(file) => {
            tokio::fs::read(file).await.map_err(|e| anyhow::Error::new(e).context(file.display().to_string()))?
        }
        None => bauta_devnet::bundle::BAUTA_ACTOR.to_vec(),
    };
    let (node, network) = context.node().await?;
    if network != Network::Local {
        return Err(refused(&network));
    }
    let code = Cid::new_v1(RAW, Code::Blake2b256.digest(&wasm));
    if let Some(actor) = context.devnet_info().await?.and_then(|info| info.actor)
        && node.get_actor(&actor).await?.is_some_and(|state| state.code == code)
    {
        let actor = network.show(&actor);
        let deployed =
            Deployed { network: network.to_string(), actor, code_cid: code.to_string(), size: wasm.len(), new: false };
        return Ok(Output::new(&deployed));
    }
    let installed = node.devnet_install_actor(&wasm).await?;
    Ok(Output::new(&Deployed {
        network: network.to_string(),
        actor: network.show(&installed.address),
        code_cid: installed.code_cid.to_string(),
        size: wasm.len(),
        new: true,
    }))
}

fn refused(network: &Network) -> anyhow::Error {
    Failure::because(
        Exit::Failed,
        format!(
            "{network} cannot run the actor yet: its init actor refuses native Wasm code from users, so Bauta works on its \
             own devnet (`bauta deploy --network local`) until the actor also exists as an EVM contract"
        ),
    )
}
