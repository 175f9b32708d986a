// pg-boss's part in the queue benchmark; see common.mjs. BENCH_DSN names the database. --batch: jobs per fetch.
import { PgBoss } from 'pg-boss'
import { enqueue, readOptions, Work } from './common.mjs'

const options = readOptions()
const QUEUE = 'bench'
const leaseSeconds = Math.max(1, Math.round(options.leaseMs / 1000))

async function work(boss) {
  const work = new Work(options)
  await work.untilGo()
  await boss.work(
    QUEUE,
    {
      batchSize: options.batch,
      localConcurrency: 4,
      pollingIntervalSeconds: 0.5,
      notifyPollingIntervalSeconds: 0.5,
      burstWhenBatchFull: true,
    },
    async (jobs) => {
      for (const job of jobs) await work.run(job.id, job.data)
    },
  )
  await work.untilInputEnds()
  await boss.stop({ graceful: true, timeout: 3000 })
  work.finish()
}

const working = options.command === 'work'
const boss = new PgBoss({
  connectionString: process.env.BENCH_DSN,
  max: working ? 10 : 32,
  useListenNotify: working,
  schedule: false,
  supervise: working,
  // The shortest looks for dead workers that it allows.
  ...(options.leaseMs > 0 && { superviseIntervalSeconds: 1, monitorIntervalSeconds: 1 }),
})
boss.on('error', (error) => console.error(error))
boss.on('warning', () => {})
await boss.start()
if (options.command === 'setup') {
  await boss.createQueue(QUEUE, { notify: true, ...(options.leaseMs > 0 && { expireInSeconds: leaseSeconds }) })
} else if (working) {
  await work(boss)
} else {
  await enqueue(options, {
    addOne: (payload) => boss.send(QUEUE, payload),
    addMany: (payloads) => boss.insert(QUEUE, payloads.map((data) => ({ data }))),
  })
}
if (!working) await boss.stop({ graceful: false })
process.exit(0)
