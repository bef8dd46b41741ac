// The same with viem.
import { createPublicClient, createWalletClient, defineChain, http, keccak256, parseEther, toHex, webSocket } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { readFileSync } from 'node:fs'
import { soon, telling } from './following.mjs'

const { url, key, probe } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const ws = url.replace('http', 'ws')
const chain = defineChain({
  id: 31415926,
  name: 'Bauta devnet',
  nativeCurrency: { name: 'tFIL', symbol: 'tFIL', decimals: 18 },
  rpcUrls: { default: { http: [url], webSocket: [ws] } },
})
const account = privateKeyToAccount(key)
const [ear, socketEar] = [telling(http()), telling(webSocket())]
const node = createPublicClient({ chain, transport: ear.transport, pollingInterval: 100 })
const wallet = createWalletClient({ account, chain, transport: http() })
const socket = createPublicClient({ chain, transport: socketEar.transport })
const { abi, bytecode } = probe
const told = {}
const mined = (hash) => node.waitForTransactionReceipt({ hash })

told.chainId = await node.getChainId()
told.nonce = await node.getTransactionCount({ address: account.address })
const deployed = await mined(await wallet.deployContract({ abi, bytecode, args: [9n] }))
const address = deployed.contractAddress
told.deployed = deployed.status
told.number = Number(await node.readContract({ address, abi, functionName: 'number' }))
const set = await mined(await wallet.writeContract({ address, abi, functionName: 'set', args: [43n], value: 1n }))
told.set = [set.status, set.type]
told.after = Number(await node.readContract({ address, abi, functionName: 'number' }))
const reason = (e) => e.walk?.((inner) => inner.data?.errorName ?? inner.reason)
const custom = await node.simulateContract({ account, address, abi, functionName: 'fail', args: [2n] }).catch(reason)
told.custom = [custom?.data?.errorName, Number(custom?.data?.args?.[0])]
const plain = await node.readContract({ address, abi, functionName: 'fail', args: [1n] }).catch(reason)
told.reason = plain?.reason ?? plain?.data?.args?.[0]

let stop
const pushed = new Promise((resolve) => {
  stop = socket.watchContractEvent({ address, abi, eventName: 'Three', onLogs: (logs) => resolve(logs[0].args.data), strict: true })
})
const polled = new Promise((resolve) => {
  const end = node.watchContractEvent({ address, abi, eventName: 'NoData', onLogs: (logs) => { end(); resolve(Number(logs[0].args.a)) } })
})
const blocks = new Promise((resolve) => {
  const end = socket.watchBlocks({ onBlock: (block) => { end(); resolve(typeof block.number) } })
})
await ear.answered('eth_newFilter')
await socketEar.answered('eth_subscribe', 2)
const args = [12n, keccak256(toHex('b')), '0xabcd']
const logs = await mined(await wallet.writeContract({ address, abi, functionName: 'logs', args }))
told.pushed = await soon('the logs, pushed', pushed)
told.polled = await soon('the logs, polled for', polled)
told.blocks = await soon('a block, pushed', blocks)
stop()
told.logs = logs.logs.length
const events = await node.getContractEvents({ address, abi, eventName: 'Three', args: { a: 12n }, fromBlock: 0n })
told.found = events.map((event) => event.args.data)

const to = '0x00000000000000000000000000000000DeaDBeef'
const before = await node.getBalance({ address: to })
told.gas = (await node.estimateGas({ account, to, value: 1n })) > 0n
told.paid = (await mined(await wallet.sendTransaction({ to, value: parseEther('0.5') }))).status
told.received = ((await node.getBalance({ address: to })) - before).toString()
told.code = (await node.getCode({ address })).length > 2
const block = await node.getBlock({ includeTransactions: true, blockNumber: set.blockNumber })
told.block = [block.transactions.length, block.transactions[0].hash === set.transactionHash]
const history = await node.getFeeHistory({ blockCount: 4, rewardPercentiles: [25, 75] })
told.history = [history.baseFeePerGas.length > 1, history.reward.length === history.gasUsedRatio.length]
told.fill = await node.request({ method: 'eth_fillTransaction', params: [{}] }).catch((e) => e.name)
console.log(JSON.stringify(told))
process.exit(0)
