// One BullMQ flow: a parent with N empty children, timed from `add` to the parent's completion.
//
// What is measured is what a batch needs from a queue: N jobs go in, each is taken, done and counted once, and
// somebody learns that the last one is done. Nothing is computed in a job. The workers are up and connected
// before the clock starts, and every repetition runs on queues of its own name, so that none pays for another.
//
//   node flow.mjs --redis redis://127.0.0.1:6379 --jobs 5000 [--repeat 5] [--concurrency 50] [--helpers 0]
//
// Prints one line of JSON per repetition. `--helpers` adds worker processes beside the measuring one.

import { fork } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { FlowProducer, Worker } from "bullmq";

const { values: args } = parseArgs({
  options: {
    redis: { type: "string" },
    jobs: { type: "string", default: "5000" },
    repeat: { type: "string", default: "5" },
    concurrency: { type: "string", default: "50" },
    helpers: { type: "string", default: "0" },
    serve: { type: "string" },
  },
});
if (!args.redis) {
  console.error("flow.mjs: --redis URL is missing, e.g. --redis redis://127.0.0.1:6379");
  process.exit(2);
}

const { hostname, port } = new URL(args.redis);
// Null, because a worker's blocking call must wait for as long as it takes.
const connection = { host: hostname, port: Number(port || 6379), maxRetriesPerRequest: null };
const jobs = Number(args.jobs);
const concurrency = Number(args.concurrency);
const nothing = async () => null;

const startWorker = async (queue, width) => {
  const worker = new Worker(queue, nothing, { connection, concurrency: width });
  worker.on("error", (error) => console.error(`worker of ${queue}: ${error.message}`));
  await worker.waitUntilReady();
  return worker;
};

const startHelper = async (queue) => {
  const child = fork(new URL(import.meta.url), [
    ...["--redis", args.redis, "--concurrency", args.concurrency, "--serve", queue],
  ]);
  await once(child, "message");
  return child;
};

const stopHelper = async (child) => {
  child.send("stop");
  await once(child, "exit");
};

const measure = async (repetition) => {
  const children = `children-${process.pid}-${repetition}`;
  const parents = `parents-${process.pid}-${repetition}`;
  const helpers = [];
  for (let i = 0; i < Number(args.helpers); i += 1) helpers.push(await startHelper(children));
  const childWorker = await startWorker(children, concurrency);
  const parentWorker = await startWorker(parents, 1);
  const producer = new FlowProducer({ connection });
  await producer.waitUntilReady();

  const flow = {
    name: "parent",
    queueName: parents,
    children: Array.from({ length: jobs }, (_, i) => ({ name: "child", queueName: children, data: { i } })),
  };
  const completed = once(parentWorker, "completed");
  const started = process.hrtime.bigint();
  const tree = await producer.add(flow);
  const added = process.hrtime.bigint();
  await completed;
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;

  // Outside the clock: a queue that lost a child must not look fast.
  const { processed = 0 } = await tree.job.getDependenciesCount({ processed: true });
  if (processed !== jobs) throw new Error(`${processed} of ${jobs} children were counted by their parent`);
  await Promise.all([childWorker.close(), parentWorker.close(), producer.close(), ...helpers.map(stopHelper)]);
  const addSeconds = Number(added - started) / 1e9;
  return { system: "bullmq", jobs, seconds, add_seconds: addSeconds, jobs_per_second: jobs / seconds };
};

if (args.serve) {
  const worker = await startWorker(args.serve, concurrency);
  process.on("message", async () => {
    await worker.close();
    process.exit(0);
  });
  process.send("ready");
} else {
  // The first repetition warms the process and the server's script cache; it is not reported.
  for (let repetition = 0; repetition <= Number(args.repeat); repetition += 1) {
    const result = await measure(repetition);
    if (repetition > 0) console.log(JSON.stringify(result));
  }
  process.exit(0);
}
