// Uses the registry by its lens, in types: calldata comes from its encoders, and every view is read by ethers and by viem. Params in CBOR, by
// the package of that name, are only made here to be compared. One argument: JSON with `url`, `key` (hex), `abi` and `bytecode` of the
// registry, `view` with those of the lens, and the numbers of the `methods`. Prints one line of JSON.
import { ethers } from 'ethers'
import { createPublicClient, createWalletClient, defineChain, getAddress, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import * as cbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { readFileSync } from 'node:fs'

const { url, key, abi, bytecode, view: lens, methods, recipient } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const told = { same: {} }
const provider = new ethers.JsonRpcProvider(url, undefined, { cacheTimeout: -1 })
provider.pollingInterval = 100
const wallet = new ethers.NonceManager(new ethers.Wallet(key, provider))
const me = await wallet.getAddress()
const deploy = async (abi, bytecode) => {
  const contract = await new ethers.ContractFactory(abi, bytecode, wallet).deploy()
  return contract.waitForDeployment()
}
const registry = await deploy(abi, bytecode)
const view = await deploy(lens.abi, lens.bytecode)
const at = await registry.getAddress()
told.code = ((await provider.getCode(await view.getAddress())).length - 2) / 2

const chain = defineChain({
  id: 31415926, name: 'Bauta devnet', nativeCurrency: { name: 'tFIL', symbol: 'tFIL', decimals: 18 }, rpcUrls: { default: { http: [url] } },
})
const node = createPublicClient({ chain, transport: http(), pollingInterval: 100 })
const sender = createWalletClient({ account: privateKeyToAccount(key), chain, transport: http() })
const read = async (functionName, ...args) => node.readContract({ address: await view.getAddress(), abi: lens.abi, functionName, args })

// Numbers without BigInt, structs as objects: what both libraries give is compared in this form. A tuple with names is an object in both.
const plain = (value) => {
  if (typeof value === 'bigint') return value < 2n ** 53n ? Number(value) : value.toString()
  if (value instanceof ethers.Result) {
    const object = (() => { try { return value.toObject() } catch { return null } })()
    return object && value.length && !('_' in object) ? plain(object) : value.toArray().map(plain)
  }
  if (Array.isArray(value)) return value.map(plain)
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, plain(v)]))
  return value
}
// Reads with both and says whether they agree; the value is viem's.
const both = async (name, ...args) => {
  const [one, other] = [plain(await view[name](...args)), plain(await read(name, ...args.map((a) => (typeof a === 'number' ? BigInt(a) : a))))]
  const listed = (v) => JSON.stringify(v && typeof v === 'object' ? flat(v) : v)
  if (listed(one) !== listed(other)) throw new Error(`${name}: ${listed(one)} and ${listed(other)}`)
  return other
}
const flat = (v) => (v && typeof v === 'object' ? Object.values(v).map(flat) : v)
const outcome = (promise) => promise.then(() => null, (e) => [e.revert?.name ?? null, Number(e.revert?.args[0] ?? -1)])

// --- the same calldata as with CBOR ----------------------------------------------------------------------------------------

const bytes = (n, length) => new Uint8Array(length).fill(n)
const hex = ethers.hexlify
const spec = (n) => ({
  payload: hex(bytes(n, 32)), codec: n % 2 ? 0x55 : 0x70, piece: hex(bytes(n, 32)), paddedSize: 2048, payloadSize: 1500,
  keyCommitment: hex(bytes(n, 32)), metadata: hex(bytes(n, 24 + n)), ownerWrap: '0x2d3e',
})
const inCbor = (n) => [
  CID.createV1(n % 2 ? 0x55 : 0x70, Digest.create(0x12, bytes(n, 32))), CID.createV1(0xf101, Digest.create(0x1012, bytes(n, 32))),
  2048, 1500, bytes(n, 32), bytes(n, 24 + n), new Uint8Array([45, 62]),
]
const account = (address) => ethers.getBytes(ethers.concat(['0x040a', address]))
const friend = getAddress('0x' + '5e'.repeat(20))
const attofil = (amount) => ethers.getBytes(ethers.concat(['0x00', ethers.toBeHex(amount)]))
const terms = {
  piece: hex(bytes(2, 32)), paddedSize: 2048, hasFile: true, file: 2, rewardPerReplica: 10n ** 18n, activationBps: 1000, replicas: 2,
  minDuration: 518400, claimDeadline: 100000, providers: [1000, 4294967296], source: 'https://example.org/piece', note: 'gardé ☂',
}
const termsInCbor = [
  inCbor(2)[1], 2048, 2, attofil(10n ** 18n), 1000, 2, 518400, 100000, [new Uint8Array([0, 232, 7]), new Uint8Array([0, 128, 128, 128, 128, 16])],
  terms.source, terms.note,
]
const grant = { to: friend, wrap: '0xabcd', rights: 1, expiration: 2n ** 63n - 1n }
const masked = '0xff000000000000000000000000000000000003e8'
const cases = {
  PublishKey: ['encodePublishKey', [recipient], [recipient]],
  RegisterFile: ['encodeRegisterFiles', [[1, 2, 3].map(spec)], [[1, 2, 3].map(inCbor)]],
  UpdateFile: ['encodeUpdateFile', [3, 1, spec(4)], [3, 1, inCbor(4)]],
  TransferFile: ['encodeTransferFile', [3, masked, '0x0102'], [3, new Uint8Array([0, 232, 7]), new Uint8Array([1, 2])]],
  RemoveFile: ['encodeRemoveFile', [3], [3]],
  GrantAccess: ['encodeGrantAccess', [1, [grant]], [1, [[account(friend), new Uint8Array([0xab, 0xcd]), 1, 2n ** 63n - 1n]]]],
  RevokeAccess: ['encodeRevokeAccess', [1, [friend, me]], [1, [account(friend), account(me)]]],
  CreateBounty: ['encodeCreateBounty', [terms], [termsInCbor]],
  FundBounty: ['encodeFundBounty', [70000], [70000]],
  ClaimBounty: ['encodeClaimBounty', [1, 2n ** 40n], [1, 2 ** 40]],
  SettleBounty: ['encodeSettleBounty', [1, [{ claim: 300, aux: '0x820001' }]], [1, [[300, new Uint8Array([0x82, 0, 1])]]]],
  CancelBounty: ['encodeCancelBounty', [24], [24]],
  RefundBounty: ['encodeRefundBounty', [23], [23]],
}
for (const [method, [encoder, args, params]] of Object.entries(cases)) {
  const wanted = registry.interface.encodeFunctionData('invoke', [methods[method], cbor.encode(params)])
  told.same[method] = (await view[encoder](...args)) === wanted
}

// --- a life, sent by ethers and by viem ---------------------------------------------------------------------------------------

const send = async (data, value = 0n) => (await (await wallet.sendTransaction({ to: at, data, value })).wait()).status
told.sent = [
  await send(await view.encodePublishKey(recipient)),
  await send(await view.encodeRegisterFiles([1, 2, 3].map(spec))),
  (await (await wallet.sendTransaction({ to: friend, value: 1n })).wait()).status,
]
const data = await read('encodeGrantAccess', 1n, [grant])
const hash = await sender.sendTransaction({ to: at, data })
told.viem = (await node.waitForTransactionReceipt({ hash })).status
wallet.reset()

told.me = await both('idOf', me)
told.back = (await both('addressOf', told.me)) === me
told.masked = [await both('idOf', masked), await both('addressOf', 1000)]
told.key = await both('key', at, me)
told.file = await both('file', at, 2)
told.page = await both('files', at, me, 0, 2)
told.rest = await both('files', at, me, BigInt(told.page[1]), 2)
told.with = (await both('filesWith', at, me, spec(2).piece, 0, 100))[0].map((file) => file.id)
told.found = (await registry.queryFilter(registry.filters.FileRegistered(null, null, spec(2).piece), 0)).map((log) => Number(log.args.id))
told.grant = await both('grant', at, 1, friend)
told.grants = await both('grants', at, 1, 0, 10)
told.shared = await both('shared', at, friend, 0, 10)
told.mayRead = [await both('mayRead', at, 1, me), await both('mayRead', at, 1, friend), await both('mayRead', at, 2, friend)]
told.sent.push(await send(await view.encodeUpdateFile(1, 1, spec(5))))
told.stale = [(await both('grant', at, 1, friend)).state, await both('mayRead', at, 1, friend)]
told.sent.push(await send(await view.encodeRevokeAccess(1, [friend])))
told.revoked = await outcome(view.grant(at, 1, friend))
told.missing = [await outcome(view.file(at, 99)), await outcome(view.bounty(at, 99)), await outcome(view.key(at, friend))]
told.unknown = await outcome(view.files(at, getAddress('0x' + '5f'.repeat(20)), 0, 10))
told.limit = await outcome(view.files(at, me, 0, 101))
told.elsewhere = await view.file(friend, 1).then(() => 'read', () => 'reverted')

told.empty = await both('totals', at)
told.sent.push(await send(await view.encodeCreateBounty(terms), 10n ** 18n))
for (let i = 0; i < 4; i++) told.sent.push(await send(await view.encodeCreateBounty({ ...terms, providers: [], hasFile: false, file: 0 })))
told.sent.push(await send(await view.encodeFundBounty(1), 5n * 10n ** 17n))
told.bounty = await both('bounty', at, 1)
told.bounties = await both('bounties', at, 0, 3)
told.later = (await both('bounties', at, BigInt(told.bounties[1]), 3))[0].map((bounty) => [bounty.id, bounty.terms.hasFile, bounty.terms.providers])
told.claims = await both('claims', at, 1, 0, 10)
told.totals = await both('totals', at)
told.sent.push(await send(await view.encodeCancelBounty(1)), await send(await view.encodeRefundBounty(1)))
told.cancelled = await both('bounty', at, 1)
// What no view tells stands in two words of storage: how many files, bounties and grants there have been, and what is in escrow.
const counts = BigInt(await provider.getStorage(at, 9n << 76n))
told.counts = [counts >> 192n, (counts >> 128n) & 0xffffffffffffffffn].map(Number)
provider.destroy()
console.log(JSON.stringify(told))
