// graphile-worker's part in the queue benchmark; see common.mjs. BENCH_DSN names the database. --batch: the size of the
// local queue, with completions batched as its documentation on performance advises; 1 is the default mode.
import { makeWorkerUtils, run, Logger } from 'graphile-worker'
import pg from 'pg'
import { enqueue, readOptions, Work } from './common.mjs'

const options = readOptions()
const logger = new Logger(() => (level, message) => level === 'error' && console.error(message))
const CONCURRENCY = 24

async function work(pgPool) {
  const work = new Work(options)
  const batched = options.batch > 1
  await work.untilGo()
  const runner = await run({
    preset: {
      worker: {
        concurrentJobs: batched ? options.batch : CONCURRENCY,
        pollInterval: 2000,
        ...(batched && {
          localQueue: { size: options.batch + 1 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        }),
      },
    },
    logger,
    pgPool,
    noHandleSignals: true,
    taskList: { bench: (payload, helpers) => work.run(helpers.job.id, payload) },
  })
  await work.untilInputEnds()
  await runner.stop()
  work.finish()
}

const pool = new pg.Pool({ connectionString: process.env.BENCH_DSN, max: options.command === 'work' ? CONCURRENCY + 2 : 32 })
pool.on('error', () => {})
if (options.command === 'work') {
  await work(pool)
} else {
  const utils = await makeWorkerUtils({ pgPool: pool, logger })
  if (options.command === 'setup') {
    await utils.migrate()
  } else {
    await enqueue(options, {
      addOne: (payload) => utils.addJob('bench', payload),
      addMany: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: 'bench', payload }))),
    })
  }
  await utils.release()
}
await pool.end().catch(() => {})
process.exit(0)
