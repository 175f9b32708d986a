// What the Node programs of the queue benchmark share: options, output and the loops of their clients. The commands are
// those of bench/queue/seedcore_drain.cc.
import { parseArgs } from 'node:util'

export const sample = () => ({ series: 'nyc_taxi', window: 48 })
export const nowUs = () => (performance.timeOrigin + performance.now()) * 1000
export const report = (line) => process.stdout.write(JSON.stringify(line) + '\n')

export function readOptions() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: 'string', default: '1000' },
      uncounted: { type: 'string', default: '0' },
      clients: { type: 'string', default: '32' },
      batch: { type: 'string', default: '100' },
      rate: { type: 'string', default: '50' },
      lease: { type: 'string', default: '0' },
      hang: { type: 'boolean', default: false },
    },
  })
  const number = (name) => Number(values[name])
  return {
    command: positionals[0],
    count: number('count'),
    uncounted: number('uncounted'),
    clients: number('clients'),
    batch: number('batch'),
    rate: number('rate'),
    leaseMs: number('lease'),
    hang: values.hang,
  }
}

/** Runs `each(number)` for every task, on as many clients at a time. */
export async function byClients({ count, clients }, each) {
  let next = 0
  const client = async () => {
    while (next < count) await each(next++)
  }
  await Promise.all(Array.from({ length: clients }, client))
}

const sleepUntil = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - performance.now())))

/** `addOne(payload)` and `addMany(payloads)` store tasks and return when they are stored. */
export async function enqueue(options, { addOne, addMany }) {
  const start = performance.now()
  if (options.command === 'enqueue') {
    await byClients(options, () => addOne(sample()))
  } else if (options.command === 'fill') {
    for (let left = options.count; left > 0; left -= options.batch) {
      await addMany(Array.from({ length: Math.min(left, options.batch) }, sample))
    }
  } else if (options.command === 'pace') {
    await byClients(options, async (number) => {
      await sleepUntil(start + (number * 1000) / options.rate)
      await addOne(number < options.uncounted ? sample() : { ...sample(), sent_us: nowUs() })
    })
  } else {
    throw new Error(`no such command: ${options.command}`)
  }
  report({ count: options.count, seconds: (performance.now() - start) / 1000 })
}

/** Counts executions, and says so until standard input ends. */
export class Work {
  executed = 0
  latency = []

  constructor({ hang }) {
    this.hang = hang
  }

  /** One execution. */
  async run(id, payload) {
    if (payload.sent_us) this.latency.push(Math.round(nowUs() - payload.sent_us))
    if (this.hang) {
      report({ started: id })
      await new Promise(() => {})
    }
    this.executed++
  }

  /** Until the line that says go. */
  async untilGo() {
    report({ ready: true })
    await new Promise((resolve) => process.stdin.once('data', resolve))
  }

  async untilInputEnds() {
    let told = 0
    const timer = setInterval(() => {
      if (this.executed !== told) report({ done: (told = this.executed) })
    }, 20)
    await new Promise((resolve) => process.stdin.once('end', resolve).resume())
    clearInterval(timer)
  }

  finish() {
    report({ done: this.executed, latency_us: this.latency })
  }
}
