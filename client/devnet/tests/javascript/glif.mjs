// Sends money, then calls a method of an actor, as Glif's libraries do: their message and their RPC client, signed by Zondax's
// signing tools. One argument: JSON with `url`, `secret` (base64), `to`, `actor`, `method`, `params` (base64). Prints one line of
// JSON.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { Message } = require('@glif/filecoin-message')
const { default: LotusRpcEngine } = require('@glif/filecoin-rpc-client')
const address = require('@glif/filecoin-address')
const signer = require('@zondax/filecoin-signing-tools')

const { url, secret, to, actor, method, params } = JSON.parse(process.argv[2])
const rpc = new LotusRpcEngine({ apiAddress: url })
const from = signer.keyRecover(secret, true).address

async function send(fields) {
  const nonce = await rpc.request('MpoolGetNonce', from)
  const draft = new Message({ from, nonce, ...fields })
  const estimated = await rpc.request('GasEstimateMessageGas', draft.toLotusType(), { MaxFee: '0' }, null)
  const message = Message.fromLotusType({ ...estimated, Nonce: nonce })
  const signed = signer.transactionSignLotus(message.toLotusType(), secret)
  const cid = await rpc.request('MpoolPush', signed)
  return rpc.request('StateWaitMsg', cid, 0, null, true)
}

const sent = await send({ to, value: '1500000000000000000', method: 0, params: '' })
const called = await send({ to: actor, value: '0', method, params })
const replayed = await rpc.request('StateReplay', null, called.Message)
const stranger = address.newSecp256k1Address(Buffer.alloc(65, 7)).toString()
const unknown = await rpc.request('MpoolGetNonce', stranger).catch((error) => error.message)

console.log(
  JSON.stringify({
    sent,
    called,
    unknown,
    balance: await rpc.request('WalletBalance', to),
    nobody: await rpc.request('WalletBalance', stranger),
    replayed: { exit: replayed.MsgRct.ExitCode, subcalls: replayed.ExecutionTrace.Subcalls },
  }),
)
