// Reads the chain and sends, as an application with the Lotus client does, over HTTP and over WebSocket. The client has no wallet
// of its own: messages are signed by the node (MpoolPushMessage), one by Zondax's signing tools. One argument: JSON with
// `url`, `token`, `from`, `to`, `actor`, `method`, `params` (base64). Prints one line of JSON.
import { LotusRPC } from '@filecoin-shipyard/lotus-client-rpc'
import { NodejsProvider } from '@filecoin-shipyard/lotus-client-provider-nodejs'
import { mainnet } from '@filecoin-shipyard/lotus-client-schema'

const { url, token, from, to, actor, method, params } = JSON.parse(process.argv[2])
const schema = mainnet.fullNode
const http = new LotusRPC(new NodejsProvider(url, { token }), { schema })
const ws = new LotusRPC(new NodejsProvider(url.replace('http', 'ws'), { token }), { schema })

// Tipsets, told as they come.
const told = []
const [cancel, opened] = ws.chainNotify((changes) => told.push(...changes))
await opened

const message = (fields) => ({
  Version: 0,
  From: from,
  Nonce: 0,
  GasLimit: 0,
  GasFeeCap: '0',
  GasPremium: '0',
  Params: null,
  ...fields,
})

async function send(client, fields) {
  const signed = await client.mpoolPushMessage(message(fields), { MaxFee: '0' })
  return client.stateWaitMsg(signed.CID, 0, -1, true)
}

const sent = await send(http, { To: to, Value: '1500000000000000000', Method: 0 })
const called = await send(ws, { To: actor, Value: '0', Method: method, Params: params })
const poor = await http.gasEstimateMessageGas(message({ To: to, Value: '9'.repeat(30), Method: 0 }), null, null).then(
  () => 'no error',
  (error) => error.message,
)
const head = await ws.chainHead()
const before = await http.chainGetTipSet(head.Blocks[0].Parents)
await cancel()

console.log(
  JSON.stringify({
    sent,
    called,
    poor,
    version: await http.version(),
    network: await ws.stateNetworkName(),
    balance: await http.walletBalance(to),
    wallet: await ws.walletList(),
    pending: await http.mpoolPending([]),
    genesis: (await http.chainGetGenesis()).Height,
    heights: [before.Height, head.Height],
    receipts: (await ws.chainGetParentReceipts(head.Cids[0])).length,
    replayed: (await http.stateReplay([], called.Message)).ExecutionTrace.MsgRct.ExitCode,
    messages: (await http.stateListMessages({ To: actor, From: null }, [], 0)).length,
    told: told.map((change) => [change.Type, change.Val.Height]),
  }),
)
await ws.destroy()
