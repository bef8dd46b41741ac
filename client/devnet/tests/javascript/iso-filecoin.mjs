// Sends money, then calls a method of an actor, as an application with iso-filecoin does. One argument: JSON with `url`,
// `key` (as Lotus exports it), `to`, `actor`, `method`, `params` (base64). Prints one line of JSON.
import { Message } from 'iso-filecoin/message'
import { RPC } from 'iso-filecoin/rpc'
import { accountFromLotus, signMessage } from 'iso-filecoin/wallet'

const { url, key, to, actor, method, params } = JSON.parse(process.argv[2])
const rpc = new RPC({ api: url, network: 'testnet' })
const account = accountFromLotus(key, 'testnet')

const result = (answer) => {
  if (answer.error) throw answer.error
  return answer.result
}

async function send(fields) {
  const message = await new Message({ from: account.address.toString(), ...fields }).prepare(rpc)
  const msg = { ...message }
  const signature = signMessage(account.privateKey, account.type, msg)
  const cid = result(await rpc.pushMessage({ msg, signature }))
  const again = await rpc.pushMessage({ msg, signature })
  return { ...result(await rpc.waitMsg({ cid })), again: again.error.message }
}

const sent = await send({ to, value: '1500000000000000000' })
const called = await send({ to: actor, value: '0', method, params })
const poor = await rpc.gasEstimate({
  msg: { from: account.address.toString(), to, value: '9'.repeat(30) },
})
console.log(
  JSON.stringify({
    network: result(await rpc.networkName()),
    balance: result(await rpc.balance(to)),
    nonce: result(await rpc.nonce(account.address.toString())),
    height: result(await rpc.chainHead()).Height,
    sent,
    called,
    poor: { name: poor.error.name, message: poor.error.message },
  })
)
