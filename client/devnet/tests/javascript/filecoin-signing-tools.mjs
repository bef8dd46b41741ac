// Sends money, then calls a method of an actor: signed by Zondax's signing tools (WebAssembly, with secp256k1 and BLS keys),
// carried by their RPC client. One argument: JSON with `url`, `secret` and `bls` (base64), `to`, `actor`, `method`, `params`
// (base64). Prints one line of JSON.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import path from 'node:path'

const require = createRequire(import.meta.url)
const signer = require('@zondax/filecoin-signing-tools')
const folder = path.dirname(path.dirname(require.resolve('@zondax/filecoin-signing-tools')))
const module = await import(pathToFileURL(path.join(folder, 'rpc/dist/index.js')))
const FilecoinRPC = module.default.default ?? module.default

const { url, secret, bls, to, actor, method, params } = JSON.parse(process.argv[2])
const rpc = new FilecoinRPC({ url, token: 'none' })

const result = (answer) => {
  if (answer.error) throw new Error(JSON.stringify(answer.error))
  return answer.result
}

async function send(key, from, fields) {
  const nonce = result(await rpc.getNonce(from))
  const draft = { Version: 0, From: from, Nonce: nonce, GasLimit: 0, GasFeeCap: '0', GasPremium: '0', ...fields }
  const { CID, ...message } = result(await rpc.getGasEstimation(draft))
  const signed = signer.transactionSignLotus({ ...message, Nonce: nonce, Params: message.Params ?? '' }, key)
  return result(await rpc.sendSignedMessage(signed))
}

const account = signer.keyRecover(secret, true)
const other = signer.keyRecoverBLS(bls, true)
const sent = await send(secret, account.address, {
  To: other.address,
  Value: '2000000000000000000',
  Method: 0,
  Params: '',
})
const onward = await send(bls, other.address, { To: to, Value: '1500000000000000000', Method: 0, Params: '' })
const called = await send(secret, account.address, { To: actor, Value: '0', Method: method, Params: params })

console.log(JSON.stringify({ sent, onward, called, state: result(await rpc.readState(to)) }))
