//! Where a command applies: home, network, node, actor, key, identity. Each is found when it is first needed, by the same order: flag,
//! environment, configuration, default.

use std::sync::{Arc, OnceLock};

use bauta_client::actor::Actor;
use bauta_client::address::{Address, Prefix};
use bauta_client::crypt::Identity;
use bauta_client::home::{Config, Home};
use bauta_client::keyring::{Keyring, SecretString};
use bauta_client::known_keys::KnownKeys;
use bauta_client::network::{Endpoint, LOCAL_NODE_NAME, Network};
use bauta_client::node::{DevnetInfo, HttpNode, HttpSettings, Node, Rehearsal, Rehearsed};
use bauta_client::sender::{Sender, Slips};
use bauta_client::wallet::{Key, Keystore};

use crate::args::Global;
use crate::exit::{Exit, Failure, sentence};
use crate::local::Local;
use crate::output::Notes;
use crate::progress::Show;
use crate::secrets::Passphrase;

/// What one run of the program knows about where it is.
pub struct Context {
    global: Global,
    home: Home,
    config: Config,
    notes: Notes,
    show: Show,
    passphrase: Passphrase,
    /// Those that were under a passphrase, once it was given; or why they stay closed.
    identities: OnceLock<Result<Vec<Identity>, String>>,
    connected: Option<(Arc<dyn Node>, Network)>,
    local: Option<Local>,
    /// Where journals of rehearsals go.
    scratch: Option<tempfile::TempDir>,
    rehearsal: Option<Arc<Rehearsal>>,
}

impl Context {
    /// Reads flags and configuration; touches no network.
    pub fn new(global: Global) -> anyhow::Result<Self> {
        let home = match &global.home {
            Some(folder) => Home::at(&std::path::absolute(folder)?),
            None => Home::find()?,
        };
        let config = home.load_config()?;
        let scratch = if global.dry_run { Some(tempfile::tempdir()?) } else { None };
        let home = match &scratch {
            Some(folder) => home.with_journals(folder.path()),
            None => home,
        };
        Ok(Self {
            scratch,
            rehearsal: None,
            notes: Notes::new(global.quiet),
            show: Show::decide(global.progress, global.quiet),
            passphrase: Passphrase::source(&global),
            identities: OnceLock::new(),
            connected: None,
            local: None,
            global,
            home,
            config,
        })
    }

    /// The folders.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The configuration.
    pub fn config(&mut self) -> &mut Config {
        &mut self.config
    }

    /// What is said beside the result.
    pub fn notes(&self) -> Notes {
        self.notes
    }

    /// How progress is shown.
    pub fn progress(&self) -> Show {
        self.show
    }

    /// Whether the result goes out as JSON.
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// The URL of the node, where one was given.
    pub fn rpc_url(&self) -> Option<String> {
        self.global.rpc_url.clone()
    }

    /// Where passphrases come from.
    pub fn passphrase(&self) -> &Passphrase {
        &self.passphrase
    }

    /// The network that was named, without asking anybody; none where only a URL is given.
    pub fn named_network(&self) -> anyhow::Result<Option<Network>> {
        if self.global.rpc_url.is_some() || (self.global.network.is_none() && api_info().is_some()) {
            return Ok(None);
        }
        Ok(Some(self.config.network(self.global.network.as_deref())?))
    }

    /// The node and its network; the first call looks for them.
    ///
    /// Errors: the node is not reached; it is not the network's.
    pub async fn node(&mut self) -> anyhow::Result<(Arc<dyn Node>, Network)> {
        if let Some((node, network)) = &self.connected {
            return Ok((node.clone(), network.clone()));
        }
        let (mut node, network) = self.connect().await?;
        if self.global.dry_run {
            let rehearsal = Arc::new(Rehearsal::new(node));
            self.rehearsal = Some(rehearsal.clone());
            node = rehearsal;
        }
        Ok(self.connected.insert((node, network)).clone())
    }

    /// Whether nothing is to be sent.
    pub fn dry_run(&self) -> bool {
        self.scratch.is_some()
    }

    /// What would have been sent and asked, in a rehearsal.
    pub fn rehearsed(&self) -> Option<Rehearsed> {
        self.rehearsal.as_ref().map(|rehearsal| rehearsal.so_far())
    }

    async fn connect(&mut self) -> anyhow::Result<(Arc<dyn Node>, Network)> {
        match self.named_network()? {
            Some(Network::Local) => self.local().await,
            Some(network) => {
                let endpoint = self.config.endpoint(&network)?.ok_or_else(|| {
                    Failure::usage(format!(
                        "network {network} has no rpc_url: give --rpc-url or write it into the configuration"
                    ))
                })?;
                let node = HttpNode::new(endpoint, network.prefix(), HttpSettings::default())?;
                Ok((Arc::new(node), network))
            }
            None => {
                let endpoint = match (&self.global.rpc_url, api_info()) {
                    (Some(url), _) => Endpoint::from_url(url)?,
                    (None, info) => Endpoint::from_api_info(&info.unwrap_or_default())?,
                };
                let probe = HttpNode::new(endpoint.clone(), Prefix::Testnet, HttpSettings::default())?;
                let name = (&probe as &dyn Node).network_name().await?;
                let network = self.network_of(&name);
                Ok((Arc::new(HttpNode::new(endpoint, network.prefix(), HttpSettings::default())?), network))
            }
        }
    }

    /// The network whose nodes answer this name.
    fn network_of(&self, node_name: &str) -> Network {
        let known = [Network::Local, Network::Calibration, Network::Mainnet];
        if let Some(network) = known.into_iter().find(|network| network.node_name() == Some(node_name)) {
            return network;
        }
        let configured = self.config.networks.keys().filter_map(|name| self.config.network(Some(name)).ok());
        configured.into_iter().find(|network| network.node_name() == Some(node_name)).unwrap_or_else(|| {
            let safe = node_name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            let name: String = format!("net-{safe}").chars().take(32).collect();
            Network::Custom { name, node_name: Some(node_name.into()), chain_id: None }
        })
    }

    /// A devnet that runs in another process, if one is reached.
    pub async fn reached_devnet(&mut self) -> anyhow::Result<Option<Arc<dyn Node>>> {
        match self.named_network()? {
            Some(Network::Local) => self.listening().await,
            _ => self.running_devnet().await.map(Some),
        }
    }

    /// The devnet at the local network's URL.
    async fn listening(&self) -> anyhow::Result<Option<Arc<dyn Node>>> {
        let endpoint = self.config.endpoint(&Network::Local)?.expect("the local network has a default URL");
        if listens(&endpoint).await {
            let node = HttpNode::new(endpoint, Network::Local.prefix(), HttpSettings::default())?;
            // Something else may listen there, a Lotus node for instance.
            if (&node as &dyn Node).network_name().await.is_ok_and(|name| name == LOCAL_NODE_NAME) {
                return Ok(Some(Arc::new(node)));
            }
        }
        Ok(None)
    }

    /// The devnet that runs, else the same chain in this process.
    async fn local(&mut self) -> anyhow::Result<(Arc<dyn Node>, Network)> {
        if let Some(node) = self.listening().await? {
            return Ok((node, Network::Local));
        }
        // Whoever names a node elsewhere means its chain, and not another one that is made here.
        let endpoint = self.config.endpoint(&Network::Local)?.expect("the local network has a default URL");
        if !endpoint.is_on_this_machine() {
            let why = "no devnet answers at the rpc_url that the configuration has for the local network: start it there, or remove that \
                       line for a chain of this machine's own";
            return Err(Failure::because(Exit::Network, why));
        }
        let local = Local::open(&self.home.devnet()).await?;
        let node = local.node();
        self.local = Some(local);
        Ok((node, Network::Local))
    }

    /// The local network's node, wherever its chain runs; other networks have no time to steer.
    pub async fn running_devnet(&mut self) -> anyhow::Result<Arc<dyn Node>> {
        let (node, network) = self.node().await?;
        if network == Network::Local {
            return Ok(node);
        }
        Err(Failure::usage(format!("this works on a devnet only, and {network} is none")))
    }

    /// What the devnet tells about itself; none on other networks.
    pub async fn devnet_info(&mut self) -> anyhow::Result<Option<DevnetInfo>> {
        let (node, network) = self.node().await?;
        Ok(if network == Network::Local { Some(node.devnet_info().await?) } else { None })
    }

    /// The actor.
    ///
    /// Errors: not found, where nobody says where it is.
    pub async fn actor(&mut self) -> anyhow::Result<Actor> {
        let (node, network) = self.node().await?;
        let known = self.global.actor.map(|actor| actor.0).or_else(|| self.config.actor(&network));
        let address = match known {
            Some(address) => Some(address),
            None => self.devnet_info().await?.and_then(|info| info.actor),
        };
        match address {
            Some(address) => Ok(Actor::new(node, address)),
            None if network == Network::Local => {
                Err(Failure::not_found("the actor is not installed on this devnet: run `bauta deploy`"))
            }
            None => Err(Failure::not_found(format!(
                "nobody says where the Bauta actor is on {network}: give --actor, or write it into the configuration"
            ))),
        }
    }

    /// The wallet.
    pub fn keystore(&self) -> Keystore {
        Keystore::at(&self.home.wallet())
    }

    /// The address that signs and pays, without opening its key.
    pub fn me(&self) -> anyhow::Result<Address> {
        match self.global.address {
            Some(address) => Ok(address.0),
            None => self
                .keystore()
                .default_address()?
                .ok_or_else(|| Failure::not_found("there is no wallet yet: run `bauta init`")),
        }
    }

    /// The key of that address.
    pub fn key(&self) -> anyhow::Result<Key> {
        self.key_of(&self.me()?)
    }

    /// Any key of the wallet.
    pub fn key_of(&self, address: &Address) -> anyhow::Result<Key> {
        let keystore = self.keystore();
        let locked = keystore.list()?.iter().any(|entry| entry.address == *address && entry.locked);
        let passphrase = if locked { Some(secret(&self.passphrase.get("the wallet's key")?)) } else { None };
        Ok(keystore.load(address, passphrase.as_ref())?)
    }

    /// Who sends and pays.
    pub async fn sender(&mut self) -> anyhow::Result<Sender> {
        let key = self.key()?;
        let (node, network) = self.node().await?;
        let slips = Slips::of(&self.home, &*node, &network).await?;
        Ok(Sender::new(node, key, network).with_slips(slips))
    }

    /// Other people's keys that we know on this chain.
    pub async fn known_keys(&mut self) -> anyhow::Result<KnownKeys> {
        let (node, network) = self.node().await?;
        Ok(KnownKeys::of(&self.home, &*node, &network).await?)
    }

    /// The file of identities.
    pub fn keyring(&self) -> Keyring {
        Keyring::of(&self.home)
    }

    /// The identities that open files, the newest first. Their passphrase is asked for once, whether it is right or not.
    pub fn identities(&self) -> anyhow::Result<Vec<Identity>> {
        if let Some(opened) = self.identities.get() {
            return opened.clone().map_err(|why| Failure::because(Exit::NoAccess, why));
        }
        let opened = self.identities_in(&self.keyring());
        if self.keyring().is_locked().unwrap_or(false) {
            let kept = opened.as_ref().map(Vec::clone).map_err(sentence);
            let _ = self.identities.set(kept);
        }
        opened
    }

    /// The identities of any file.
    pub fn identities_in(&self, ring: &Keyring) -> anyhow::Result<Vec<Identity>> {
        let passphrase = if ring.is_locked()? { Some(secret(&self.passphrase.get("the identity")?)) } else { None };
        Ok(ring.load(passphrase.as_ref())?)
    }

    /// Closes what was opened in this process.
    pub async fn close(&mut self) -> anyhow::Result<()> {
        self.connected = None;
        match self.local.take() {
            Some(local) => local.close().await,
            None => Ok(()),
        }
    }
}

/// A passphrase in the form that the library takes.
pub fn secret(passphrase: &str) -> SecretString {
    SecretString::from(passphrase.to_string())
}

/// How Lotus's users name their node.
fn api_info() -> Option<String> {
    std::env::var("FULLNODE_API_INFO").ok().filter(|info| !info.trim().is_empty())
}

/// Whether anybody listens there; a moment is enough on this machine.
async fn listens(endpoint: &Endpoint) -> bool {
    let Some(place) = endpoint.socket() else { return false };
    let connecting = tokio::net::TcpStream::connect(place);
    matches!(tokio::time::timeout(std::time::Duration::from_millis(500), connecting).await, Ok(Ok(_)))
}
