// Deploys our contract, publishes a key, registers a file, reads it back, and follows the events: as an application does with ethers, then as
// one does with viem, on the same contract. Params and returns are DAG-CBOR by the package of that name. One argument: JSON with `url`, `key`
// (hex), `abi`, `bytecode` and the numbers of the `methods`. Prints one line of JSON. The same in types, without CBOR: lens.mjs.
import { ethers } from 'ethers'
import { createPublicClient, createWalletClient, defineChain, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import * as cbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { readFileSync } from 'node:fs'
import { hear, soon, telling } from './following.mjs'

const { url, key, abi, bytecode, methods, recipient } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const told = {}
const file = (n) => [
  CID.createV1(0x55, Digest.create(0x12, new Uint8Array(32).fill(n))),
  CID.createV1(0xf101, Digest.create(0x1012, new Uint8Array(32).fill(n))),
  2048, 1500, new Uint8Array(32).fill(n), new Uint8Array(24), new Uint8Array([45, 62]),
]
const record = (bytes) => {
  const [owner, version, [payload, piece, padded, size]] = cbor.decode(ethers.getBytes(bytes))
  return { owner, version, payload: payload.toString(), piece: piece.toString(), padded, size }
}

// --- ethers -----------------------------------------------------------------------------------------------------------

const provider = new ethers.JsonRpcProvider(url, undefined, { cacheTimeout: -1 })
provider.pollingInterval = 100
const wallet = new ethers.Wallet(key, provider)
const registry = await new ethers.ContractFactory(abi, bytecode, wallet).deploy()
await registry.waitForDeployment()
const address = await registry.getAddress()
told.code = ((await provider.getCode(address)).length - 2) / 2

const mine = () => provider.send('Devnet.Mine', [1])
const socket = new ethers.WebSocketProvider(url.replace('http', 'ws'))
const [filter, subscription] = [await hear(provider, 'eth_newFilter'), await hear(socket, 'eth_subscribe')]
const polled = new Promise((resolve) => registry.once('FileRegistered', (id, owner, piece) => resolve([Number(id), piece])))
const pushed = new Promise((resolve) =>
  new ethers.Contract(address, abi, socket).once('FileRegistered', (id, owner, piece) => resolve([Number(id), piece])),
)
await filter.answered()
await subscription.answered()
const published = await (await registry.invoke(methods.PublishKey, cbor.encode([recipient]))).wait()
const registered = await (await registry.invoke(methods.RegisterFile, cbor.encode([[file(1), file(2)]]))).wait()
told.published = [published.status, registry.interface.parseLog(published.logs[0]).name]
told.registered = [registered.status, registered.logs.map((log) => registry.interface.parseLog(log).name)]
told.polled = await soon('the first file, polled for by ethers', polled, mine)
told.pushed = await soon('the first file, pushed to ethers', pushed)
told.first = record(await registry.query(methods.GetFile, cbor.encode([1])))
told.none = cbor.decode(ethers.getBytes(await registry.query(methods.GetFile, cbor.encode([99]))))
told.found = (await registry.queryFilter(registry.filters.FileRegistered(2n), 0)).map((log) => Number(log.args.id))
const refused = async (promise) => promise.then(() => null, (e) => [e.code, e.revert?.name ?? null, Number(e.revert?.args[0] ?? -1)])
told.malformed = await refused(registry.invoke.staticCall(methods.RegisterFile, '0xff'))
told.missing = await refused(registry.invoke.staticCall(methods.RemoveFile, cbor.encode([99])))
told.unknown = await refused(registry.query(7, '0x80'))

// --- viem -------------------------------------------------------------------------------------------------------------

const chain = defineChain({
  id: 31415926, name: 'Bauta devnet', nativeCurrency: { name: 'tFIL', symbol: 'tFIL', decimals: 18 }, rpcUrls: { default: { http: [url] } },
})
const ear = telling(http())
const node = createPublicClient({ chain, transport: ear.transport, pollingInterval: 100 })
const sender = createWalletClient({ account: privateKeyToAccount(key), chain, transport: http() })
const seen = new Promise((resolve) => {
  const stop = node.watchContractEvent({
    address, abi, eventName: 'FileRegistered',
    // A filter begins with the latest block, which has those of ethers.
    onLogs: (logs) => logs.map((log) => Number(log.args.id)).filter((id) => id > 2).forEach((id) => { stop(); resolve(id) }),
  })
})
await ear.answered('eth_newFilter')
const args = [methods.RegisterFile, ethers.hexlify(cbor.encode([[file(3)]]))].map((arg, i) => (i ? arg : BigInt(arg)))
const hash = await sender.writeContract({ address, abi, functionName: 'invoke', args })
told.viem = (await node.waitForTransactionReceipt({ hash })).status
told.seen = await soon('the third file, polled for by viem', seen)
const query = [BigInt(methods.GetFile), ethers.hexlify(cbor.encode([3]))]
told.third = record(await node.readContract({ address, abi, functionName: 'query', args: query }))
const events = await node.getContractEvents({ address, abi, eventName: 'FileRegistered', fromBlock: 0n })
told.events = events.map((event) => Number(event.args.id))
told.nonce = await provider.getTransactionCount(wallet.address)
await socket.destroy()
provider.destroy()
console.log(JSON.stringify(told))
