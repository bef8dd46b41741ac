//! Private files on Filecoin: encrypt, pack, store, register, share and keep alive.
//!
//! No server of ours takes part: a node of the chain is asked, providers keep and serve bytes, and nobody of them is believed. The rooms stand in the
//! order in which a file passes through them; what each promises is in its own words, the data on the wire in `DESIGN.md`.
//!
//! | | rooms |
//! |---|---|
//! | pure core, no I/O of its own | [`crypt`], [`car`], [`piece`], [`address`], [`message`] |
//! | on this machine | [`pack`], [`wallet`], [`keyring`], [`home`] |
//! | the chain | [`network`], [`node`], [`sender`], [`actor`] |
//! | providers | [`deal`] |
//! | other people | [`known_keys`] |
//! | flows | [`store`], [`access`], [`fetch`], [`check`], [`share`], [`bounty`], [`care`] |
//!
//! # Store a file, and open it to a friend
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use bauta_abi::{EPOCH_NEVER, Rights};
//! use bauta_client::actor::Actor;
//! use bauta_client::home::Home;
//! use bauta_client::keyring::Keyring;
//! use bauta_client::known_keys::KnownKeys;
//! use bauta_client::network::Network;
//! use bauta_client::node::HttpNode;
//! use bauta_client::sender::{Sender, Silent, Slips};
//! use bauta_client::store::{Quiet, Request, Store};
//! use bauta_client::wallet::Keystore;
//! use bauta_client::{address, share};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let home = Home::find()?;
//! let identities = Keyring::of(&home).load(None)?;
//! let key = Keystore::at(&home.wallet()).load_default(None)?;
//!
//! let node = Arc::new(HttpNode::connect(&Network::Local)?);
//! let slips = Slips::of(&home, &*node, &Network::Local).await?;
//! let sender = Sender::new(node.clone(), key, Network::Local).with_slips(slips);
//! let actor = Actor::new(node, address::parse("t064")?);
//!
//! let store = Store::new(&actor, &sender, identities[0].recipient(), &home).await?;
//! let request = Request::new("photos".as_ref(), store.devnet_providers().await?);
//! let stored = store.put(&request, Arc::new(Quiet)).await?;
//!
//! let (id, friend) = (stored.registered.file, address::parse("t1…")?);
//! let known = KnownKeys::of(&home, &**actor.node(), &Network::Local).await?;
//! let readers = share::readers(&actor, &known, &[friend]).await?;
//! share::grant(&actor, &sender, &identities, id, &readers, Rights::READ, EPOCH_NEVER, &Silent).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Fetch it on the other side
//!
//! ```no_run
//! use bauta_client::access::Access;
//! use bauta_client::fetch::{self, Quiet};
//! use bauta_client::pack::{Key, Options, Package};
//!
//! # async fn example(actor: bauta_client::actor::Actor, me: fvm_shared::address::Address,
//! #     identities: Vec<bauta_client::crypt::Identity>) -> Result<(), Box<dyn std::error::Error>> {
//! // The key is checked before a byte is fetched, the piece before a block of it is read.
//! let access = Access::open(&actor, 7, &me, &identities).await?;
//! let piece = fetch::piece_of(&access.record.file);
//! let sources = fetch::sources_on_chain(&actor, &piece.piece_cid).await?;
//! fetch::fetch(&piece, &sources, "photos.car".as_ref(), &Quiet).await?;
//!
//! let car = std::fs::File::open("photos.car")?;
//! let mut package = Package::open(car, Some(&access.record.file.payload_cid), Key::File(&access.file_key))?;
//! package.unpack("photos".as_ref(), Options::default())?;
//! # Ok(())
//! # }
//! ```
//!
//! # Keep it alive
//!
//! ```no_run
//! use bauta_client::bounty;
//! use bauta_client::sender::Silent;
//!
//! # async fn example(actor: bauta_client::actor::Actor, sender: bauta_client::sender::Sender, terms: bauta_abi::Terms)
//! #     -> Result<(), Box<dyn std::error::Error>> {
//! let value = terms.target();
//! let bounty = bounty::create(&actor, &sender, terms, value, &Silent).await?.value.id;
//! // Months later, anybody: each sector is looked up, and who proved it is paid.
//! let settled = bounty::settle(&actor, &sender, bounty, &[], &Silent).await?;
//! println!("{} claims paid", settled.claims.len());
//! # Ok(())
//! # }
//! ```

// What only the rest calls has no caller where the core is alone.
#![cfg_attr(target_arch = "wasm32", allow(dead_code, unused_imports))]

// In flow order; the blank lines keep rustfmt from sorting them.

pub mod crypt;

pub mod car;

pub mod piece;

#[cfg(not(target_arch = "wasm32"))]
pub mod pack;

pub mod address;

pub mod message;

#[cfg(not(target_arch = "wasm32"))]
mod passphrase;

#[cfg(not(target_arch = "wasm32"))]
pub mod wallet;

#[cfg(not(target_arch = "wasm32"))]
pub mod keyring;

#[cfg(not(target_arch = "wasm32"))]
pub mod home;

#[cfg(not(target_arch = "wasm32"))]
pub mod network;

#[cfg(not(target_arch = "wasm32"))]
pub mod node;

#[cfg(not(target_arch = "wasm32"))]
pub mod sender;

#[cfg(not(target_arch = "wasm32"))]
pub mod actor;

#[cfg(not(target_arch = "wasm32"))]
pub mod deploy;

#[cfg(not(target_arch = "wasm32"))]
pub mod deal;

#[cfg(not(target_arch = "wasm32"))]
pub mod agreement;

#[cfg(not(target_arch = "wasm32"))]
pub mod store;

#[cfg(not(target_arch = "wasm32"))]
pub mod access;

#[cfg(not(target_arch = "wasm32"))]
pub mod fetch;

#[cfg(not(target_arch = "wasm32"))]
pub mod check;

#[cfg(not(target_arch = "wasm32"))]
pub mod known_keys;

#[cfg(not(target_arch = "wasm32"))]
pub mod share;

#[cfg(not(target_arch = "wasm32"))]
pub mod bounty;

#[cfg(not(target_arch = "wasm32"))]
pub mod care;

#[cfg(fuzzing)]
pub mod fuzzing;

#[cfg(test)]
mod vectors;
