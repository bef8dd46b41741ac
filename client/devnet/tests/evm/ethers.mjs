// Deploys, calls, sends, reads and follows logs, as an application with ethers does. One argument: JSON with `url`, `key` (hex) and
// `probe` (ABI and bytecode). Prints one line of JSON.
import { ethers } from 'ethers'
import { readFileSync } from 'node:fs'
import { hear, soon } from './following.mjs'

const { url, key, probe } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
// Blocks come with the messages here: what ethers remembers for a quarter of a second is old.
const provider = new ethers.JsonRpcProvider(url, undefined, { cacheTimeout: -1 })
provider.pollingInterval = 100
const wallet = new ethers.Wallet(key, provider)
const told = {}

told.chainId = Number((await provider.getNetwork()).chainId)
told.balance = (await provider.getBalance(wallet.address)).toString()
const fees = await provider.getFeeData()
told.fees = [fees.gasPrice, fees.maxFeePerGas, fees.maxPriorityFeePerGas].map(String)

const factory = new ethers.ContractFactory(probe.abi, probe.bytecode, wallet)
const contract = await factory.deploy(7n, { value: 1000n })
await contract.waitForDeployment()
told.address = await contract.getAddress()
told.predicted = ethers.getCreateAddress({ from: wallet.address, nonce: 0 })
told.code = (await provider.getCode(told.address)).length
told.number = Number(await contract.number())
told.text = await contract.text()

const set = await (await contract.set(42n, { value: 5n })).wait()
told.set = { status: set.status, to: set.to, gas: set.gasUsed > 0n, price: set.gasPrice >= 100n }
told.after = Number(await contract.number())
told.storage = await provider.getStorage(told.address, 0)
told.nonce = await provider.getTransactionCount(wallet.address)

const refused = async (promise) => {
  try {
    await promise
    return null
  } catch (e) {
    return { code: e.code, reason: e.reason ?? null, revert: e.revert?.name ?? null, data: e.data ?? null }
  }
}
told.reason = await refused(contract.fail(1))
told.custom = await refused(contract.fail(2))
told.panic = await refused(contract.fail(3))
told.estimate = await refused(contract.set.estimateGas(1n, { value: 10n ** 30n }))
told.noContract = await refused(contract.connect(wallet).create.estimateGas(1n, 'x'))

// Followed by polling and over WebSocket at the same time.
const socket = new ethers.WebSocketProvider(url.replace('http', 'ws'))
const [filter, subscriptions] = [await hear(provider, 'eth_newFilter'), await hear(socket, 'eth_subscribe', 2)]
const polled = new Promise((resolve) => contract.once('NoData', (a, event) => resolve([Number(a), event.log.transactionHash])))
const pushed = new Promise((resolve) =>
  new ethers.Contract(told.address, probe.abi, socket).once('Three', (a, b, c, data, event) =>
    resolve([Number(a), b, c, data, event.log.transactionHash]),
  ),
)
const blocks = new Promise((resolve) => socket.once('block', resolve))
await filter.answered()
await subscriptions.answered()
const logs = await (await contract.logs(11n, ethers.id('b'), '0x1234')).wait()
told.polled = await soon('the logs, polled for', polled, () => provider.send('Devnet.Mine', [1]))
told.pushed = await soon('the logs, pushed', pushed)
told.block = (await soon('a block, pushed', blocks)) > 0
told.logs = logs.logs.length
told.hash = logs.hash
const found = await contract.queryFilter(contract.filters.Three(11n), 0)
told.found = found.map((log) => [Number(log.args.a), log.args.c, log.args.data])
told.others = (await contract.queryFilter(contract.filters.Three(12n), 0)).length
told.native = (await provider.getLogs({ fromBlock: 0 })).length

const stranger = '0x00000000000000000000000000000000DeaDBeef'
const paid = await (await wallet.sendTransaction({ to: stranger, value: ethers.parseEther('1.5') })).wait()
told.paid = [paid.status, (await provider.getBalance(stranger)).toString()]
const legacy = await (await wallet.sendTransaction({ to: stranger, value: 1n, type: 0 })).wait()
told.legacy = legacy.type
const failed = await (await contract.fail(1, { gasLimit: 100_000_000n }).catch(() => wallet.sendTransaction({
  to: told.address, data: contract.interface.encodeFunctionData('fail', [1]), gasLimit: 100_000_000n,
}))).wait().catch((e) => e.receipt)
told.failed = failed.status

const block = await provider.getBlock(paid.blockNumber, true)
told.blockHash = block.hash === paid.blockHash && (await provider.getBlock(paid.blockHash)).number === paid.blockNumber
told.parent = (await provider.getBlock(block.parentHash)).number < block.number
told.transactions = block.prefetchedTransactions.map((tx) => [tx.hash === paid.hash, tx.from === wallet.address, tx.value.toString()])
told.transaction = (await provider.getTransaction(paid.hash)).blockNumber === paid.blockNumber
// BLOCKHASH of the block before.
const past = await new ethers.ContractFactory([], '0x6b4360019003405f5260205ff35f52600c6014f3', wallet).deploy()
await past.waitForDeployment()
const now = await provider.getBlockNumber()
told.past = (await provider.call({ to: await past.getAddress(), blockTag: now })) === (await provider.getBlock(now - 1)).hash
told.unknown = [await provider.getTransaction(ethers.id('none')), await provider.getTransactionReceipt(ethers.id('none'))]
told.low = (await refused(wallet.sendTransaction({ to: stranger, value: 1n, nonce: 0 })))?.code
told.method = await provider.send('eth_nosuch', []).catch((e) => e.error?.code ?? e.info?.responseStatus ?? e.message)
await socket.destroy()
provider.destroy()
console.log(JSON.stringify(told))
