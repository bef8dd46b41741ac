// Sends money, then calls a method of an actor, as an application with Zondax's Izari does. One argument: JSON with `url`,
// `secret` (base64), `to`, `actor`, `method`, `params` (base64). Prints one line of JSON.
import { createRequire } from 'node:module'

const { Account, Address, NetworkPrefix, RPC, SignatureType, Token, Transaction, Wallet } =
  createRequire(import.meta.url)('@zondax/izari-filecoin')

const { url, secret, to, actor, method, params } = JSON.parse(process.argv[2])
const rpc = new RPC('Testnet', { url, token: 'none' })
const account = Wallet.recoverAccount(NetworkPrefix.Testnet, SignatureType.SECP256K1, secret)

const result = (answer) => {
  if (answer.error) throw new Error(JSON.stringify(answer.error))
  return answer.result
}

const cid = await Account.send(rpc, account, Address.fromString(to), Token.fromAtto('1500000000000000000'))
const sent = result(await rpc.waitMsgState({ '/': cid }, 0, -1))

const call = Transaction.getNew(
  Address.fromString(actor),
  account.address,
  Token.zero(),
  method,
  Buffer.from(params, 'base64'),
)
await call.prepareToSend(rpc)
const pushed = result(await rpc.broadcastTransaction(call, await Wallet.signTransaction(account, call)))
const called = result(await rpc.waitMsgState(pushed, 0, -1))

console.log(
  JSON.stringify({
    sent,
    called,
    nonce: result(await rpc.getNonce(account.address)),
    balance: result(await rpc.walletBalance(Address.fromString(to))),
    state: result(await rpc.readState(Address.fromString(actor))),
    miners: result(await rpc.listMiners()),
    missing: (await rpc.readState(Address.fromString('t099999'))).error.message,
  }),
)
