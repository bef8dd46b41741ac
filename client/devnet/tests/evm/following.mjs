// Waiting for what a node tells by itself. A subscription is waited for until the node has answered for it: what is done afterwards is among what
// it tells. And nothing is waited for without end: whoever gives up says what for.

const LATER = Symbol('later')
let last = 'nothing yet'
setTimeout(() => {
  console.error(`the script takes too long; what it waited for last: ${last}`)
  process.exit(1)
}, 300_000).unref()

// What a promise gives, within a minute. `next` lets time pass between two looks. Blocks come on demand here, and ethers learns of logs by blocks:
// after each it counts anew from the block of that moment, so a chain that stands still never tells it of one that came just before.
export const soon = async (what, promise, next) => {
  last = what
  for (let round = 0; round < 120; round++) {
    const answer = await Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 500, LATER))])
    if (answer !== LATER) return answer
    await next?.()
  }
  throw new Error(`it did not come within a minute: ${what}`)
}

// Hears what an ethers provider asks: `answered` resolves when the node has answered so many calls of a method, made from now on.
export const hear = async (provider, method, times = 1) => {
  const asked = new Set()
  let listener
  const done = new Promise((resolve) => {
    listener = ({ action, payload, result }) => {
      if (action === 'sendRpcPayload') [payload].flat().filter((call) => call.method === method).forEach((call) => asked.add(call.id))
      if (action === 'receiveRpcResult') times -= [result].flat().filter(({ id }) => asked.delete(id)).length
      if (times <= 0) resolve()
    }
  })
  await provider.on('debug', listener)
  return {
    async answered() {
      await soon(`the answer to ${method}`, done)
      await provider.off('debug', listener)
    },
  }
}

// The same of viem: a transport around another one.
export const telling = (around) => {
  const told = []
  let wake = () => {}
  const tell = (method) => {
    told.push(method)
    wake()
  }
  const transport = (options) => {
    const inner = around(options)
    const value = { ...inner.value }
    if (value.subscribe) value.subscribe = async (wanted) => {
      const subscription = await inner.value.subscribe(wanted)
      tell('eth_subscribe')
      return subscription
    }
    const request = async (call, more) => {
      const answer = await inner.request(call, more)
      tell(call.method)
      return answer
    }
    return { ...inner, request, value }
  }
  const answered = (method, times = 1) => soon(`the answer to ${method}`, new Promise((resolve) => {
    wake = () => told.filter((one) => one === method).length >= times && resolve()
    wake()
  }))
  return { transport, answered }
}
